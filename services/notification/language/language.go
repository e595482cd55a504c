// Package language puts what Hearth tells people into their languages.
package language

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"hearth.internal/pkg/day"
)

// texts are all there is to say, a file for each language and part of the service: <part>.<language>.json. The plural
// forms are those of CLDR.
//
//go:embed texts/*.json
var texts embed.FS

// spoken is the bundle of them, English first: what is not spoken becomes English.
var (
	spoken  = load()
	matcher = language.NewMatcher(spoken.LanguageTags())
)

func load() *i18n.Bundle {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	files, err := texts.ReadDir("texts")
	for _, file := range files {
		if err == nil {
			_, err = bundle.LoadMessageFileFS(texts, path.Join("texts", file.Name()))
		}
	}
	if err != nil {
		panic(fmt.Sprintf("texts: %v", err)) // they are built in; a test reads them
	}
	return bundle
}

// Spoken are the languages there are, as BCP 47 tags, English first.
func Spoken() []string {
	tags := spoken.LanguageTags()
	names := make([]string, len(tags))
	for i, tag := range tags {
		names[i] = tag.String()
	}
	return names
}

// Args are what a text has places for. Count decides which plural form it takes.
type Args map[string]any

// Speaker speaks one language.
type Speaker struct {
	// Tag is the language with the region, where the person has one: numbers are written as there.
	Tag       language.Tag
	localizer *i18n.Localizer
}

// For is who speaks a person's language, or the closest to it: de-AT is German, sv is English.
func For(locale string) Speaker {
	matched, _ := language.MatchStrings(matcher, locale)
	base, _ := matched.Base()
	tag := language.Make(base.String())
	if own, err := language.Parse(locale); err == nil {
		if b, _ := own.Base(); b == base {
			tag = own
		}
	}
	return Speaker{Tag: tag, localizer: i18n.NewLocalizer(spoken, base.String())}
}

// Language is the tag of what is spoken, without a region, for what marks text as such.
func (s Speaker) Language() string {
	base, _ := s.Tag.Base()
	return base.String()
}

// Say puts a text into words. A text that is not there is a mistake of ours; then its key is said.
func (s Speaker) Say(key string, args Args) string {
	config := &i18n.LocalizeConfig{MessageID: key, TemplateData: args}
	if n, counts := args["Count"]; counts {
		config.PluralCount = n
	}
	said, err := s.localizer.Localize(config)
	if err != nil && said == "" {
		return key
	}
	return said
}

// Day writes a day as one reads it in that language.
func (s Speaker) Day(d day.Day) string {
	year, month, dom := d.Date()
	return s.Say("day", Args{"Day": dom, "Month": s.Say(fmt.Sprintf("month.%d", int(month)), nil), "Year": year})
}

// Instant writes day and time of day in a zone. nil is UTC, and says so.
func (s Speaker) Instant(t time.Time, zone *time.Location) string {
	suffix := ""
	if zone == nil {
		zone, suffix = time.UTC, " UTC"
	}
	clock := t.In(zone).Format(s.Say("clock", nil))
	return s.Say("instant", Args{"Day": s.Day(day.In(t, zone)), "Time": clock}) + suffix
}
