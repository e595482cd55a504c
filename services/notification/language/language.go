// Package language puts what Hearth tells people into their languages.
package language

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"

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
var spoken = load()

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

// Args are what a text has places for. Count decides which plural form it takes.
type Args map[string]any

// Speaker speaks one language.
type Speaker struct {
	Tag       language.Tag
	localizer *i18n.Localizer
}

// For is who speaks a person's language, or the closest to it: de-AT is German, sv is English.
func For(locale string) Speaker {
	tag, _ := language.MatchStrings(language.NewMatcher(spoken.LanguageTags()), locale)
	base, _ := tag.Base()
	return Speaker{Tag: tag, localizer: i18n.NewLocalizer(spoken, base.String())}
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
