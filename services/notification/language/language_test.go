package language

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth.internal/pkg/day"
)

// forms are the plural forms that CLDR has for each language.
var forms = map[string][]string{"en": {"one", "other"}, "de": {"one", "other"}, "es": {"many", "one", "other"}}

var place = regexp.MustCompile(`{{\.(\w+)}}`)

// read answers a file's texts by key, each with its forms; one without a number has the form "".
func read(t *testing.T, part, language string) map[string]map[string]string {
	t.Helper()
	raw, err := texts.ReadFile("texts/" + part + "." + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(part, language, err)
	}
	read := map[string]map[string]string{}
	for key, value := range file {
		read[key] = map[string]string{}
		switch text := value.(type) {
		case string:
			read[key][""] = text
		case map[string]any:
			for form, said := range text {
				read[key][form] = said.(string)
			}
		}
	}
	return read
}

// parts are those that some language has a file of.
func parts(t *testing.T) []string {
	t.Helper()
	files, err := texts.ReadDir("texts")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		part, _, _ := strings.Cut(file.Name(), ".")
		names = append(names, part)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func places(text string) []string {
	var names []string
	for _, found := range place.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryTextIsThereInEveryLanguage(t *testing.T) {
	if got := Spoken(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(maps.Keys(forms))) || got[0] != "en" {
		t.Fatalf("spoken are %v", got)
	}
	for _, part := range parts(t) {
		english := read(t, part, "en")
		for language, plural := range forms {
			here := read(t, part, language)
			for key := range here {
				if english[key] == nil {
					t.Errorf("%s.%s: %s is not there in English", part, language, key)
				}
			}
			for key, said := range english {
				counts := said["other"] != ""
				wanted := places(said[""] + said["other"])
				want := []string{""}
				if counts {
					want = plural
				}
				if got := slices.Sorted(maps.Keys(here[key])); !slices.Equal(got, want) {
					t.Errorf("%s.%s: %s has the forms %q, wanted %q", part, language, key, got, want)
				}
				for form, text := range here[key] {
					if got := places(text); !slices.Equal(got, wanted) {
						t.Errorf("%s.%s: %s %s has places for %v, in English for %v", part, language, key, form, got, wanted)
					}
					if strings.TrimSpace(text) == "" || strings.Count(text, "{{") != len(place.FindAllString(text, -1)) {
						t.Errorf("%s.%s: %s %s cannot be said: %q", part, language, key, form, text)
					}
				}
			}
		}
	}
}

func TestAPersonIsSpokenToInTheirLanguageOrInEnglish(t *testing.T) {
	for locale, want := range map[string]string{
		"en": "en", "en-GB": "en", "de": "de", "de-AT": "de", "de_CH": "de", "es": "es", "es-MX": "es", "es-419": "es",
		"sv": "en", "": "en", "nonsense-locale-of-somebody": "en", "\x00": "en",
	} {
		if got := For(locale).Language(); got != want {
			t.Errorf("%q is spoken to in %s, wanted %s", locale, got, want)
		}
	}
}

func TestPluralForms(t *testing.T) {
	for _, c := range []struct {
		locale string
		n      int
		want   string
	}{
		{"en", 1, "1 task needs you"}, {"en", 0, "0 tasks need you"}, {"en", 2, "2 tasks need you"},
		{"de", 1, "1 Aufgabe wartet auf dich"}, {"de", 5, "5 Aufgaben warten auf dich"},
		{"es", 1, "1 tarea te espera"}, {"es", 3, "3 tareas te esperan"}, {"es", 1000000, "1000000 tareas te esperan"},
	} {
		if got := For(c.locale).Say("mail.due.subject", Args{"Count": c.n}); got != c.want {
			t.Errorf("%s %d: %q, wanted %q", c.locale, c.n, got, c.want)
		}
	}
}

func TestDaysAndHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 23, 5, 0, 0, time.UTC)
	for locale, want := range map[string][3]string{
		"en": {"March 3, 2026", "March 3, 2026 at 12:05 AM", "March 2, 2026 at 11:05 PM UTC"},
		"de": {"3. März 2026", "3. März 2026, 00:05 Uhr", "2. März 2026, 23:05 Uhr UTC"},
		"es": {"3 de marzo de 2026", "3 de marzo de 2026, 00:05 h", "2 de marzo de 2026, 23:05 h UTC"},
	} {
		s := For(locale)
		if got := [3]string{s.Day(day.Must("2026-03-03")), s.Instant(at, berlin), s.Instant(at, nil)}; got != want {
			t.Errorf("%s: %q, wanted %q", locale, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		locale string
		amount int64
		code   string
		want   string
	}{
		{"en", 1299, "USD", "$12.99"}, {"en-GB", 1299, "eur", "€12.99"}, {"en", 123456, "CHF", "CHF 1,234.56"},
		{"en", 1299, "JPY", "¥1,299"}, {"en", 12999, "KWD", "KWD 12.999"}, {"en", 50000, "ISK", "ISK 500"}, {"en", -1299, "USD", "−$12.99"},
		{"de", 1299, "EUR", "12,99 €"}, {"de", 123456, "EUR", "1.234,56 €"}, {"de-AT", 1299, "EUR", "€ 12,99"}, {"de", 999, "USD", "9,99 $"},
		{"es", 1299, "EUR", "12,99 €"}, {"es-MX", 19900, "MXN", "$199.00"}, {"en", 100, "XQX", "XQX 1.00"}, {"en", 1, "", "0.01"},
	} {
		got := strings.ReplaceAll(For(c.locale).Money(c.amount, c.code), noBreak, " ")
		if got != c.want {
			t.Errorf("%s %d %s: %q, wanted %q", c.locale, c.amount, c.code, got, c.want)
		}
	}
}
