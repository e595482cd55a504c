package report

import (
	"strings"
	"testing"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

func TestMoneyAndDaysAreThePersons(t *testing.T) {
	for _, c := range []struct{ locale, currency, money, day string }{
		{"en-US", "USD", "$1,234.50", "Mar 9, 2026"},
		{"en", "USD", "$1,234.50", "9 Mar 2026"},
		{"en-GB", "GBP", "£1,234.50", "9 Mar 2026"},
		{"en", "CHF", "CHF 1,234.50", "9 Mar 2026"},
		{"de", "EUR", "1.234,50 €", "9 Mar 2026"},
		{"de-AT", "EUR", "€ 1 234,50", "9 Mar 2026"},
		{"pt-BR", "BRL", "R$ 1.234,50", "9 Mar 2026"},
		{"sv", "SEK", "1 234,50 kr", "9 Mar 2026"},
		{"ru", "RUB", "1 234,50 ₽", "9 Mar 2026"},
		{"ja", "JPY", "¥1,234.50", "9 Mar 2026"}, // an amount with decimals shows them
		{"en", "KWD", "KWD 1,234.500", "9 Mar 2026"},
		{"no such locale!", "EUR", "€1,234.50", "9 Mar 2026"},
		{"en", "", "1,234.50", "9 Mar 2026"},
		{"en", "XQQ", "XQQ 1,234.50", "9 Mar 2026"},
	} {
		l := newLocale(c.locale, c.currency)
		spaces := strings.NewReplacer("\u00a0", " ", "\u202f", " ")
		if got := spaces.Replace(l.money(money.Amount(123450))); got != c.money {
			t.Errorf("%s %s: %q, want %q", c.locale, c.currency, got, c.money)
		}
		if got := spaces.Replace(l.day(day.Must("2026-03-09"))); got != c.day {
			t.Errorf("%s: %q, want %q", c.locale, got, c.day)
		}
	}
	if got := newLocale("ja", "JPY").money(120000); got != "¥1,200" {
		t.Errorf("yen: %q", got)
	}
	if got := newLocale("en-US", "USD").money(-50); got != "−$0.50" {
		t.Errorf("below nothing: %q", got)
	}
}

func TestLinesBreakWhereTheyMay(t *testing.T) {
	s, err := newSheet(t.Context(), Head{MadeOn: day.Must("2026-03-10")}, "Test")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"one two  three":    "one two|three",
		"half-finished job": "half-|finished|job",
		"Donaudampfschiff":  "Donauda|mpfschiff",
		"掃除、毎年必ず行う":         "掃除、毎|年必ず行|う",
		"a\nb":              "a|b",
		"":                  "",
		"e\u0301":           "é",
		"bell\a\u200bs":     "bells",
	} {
		if got := strings.Join(s.wrap(text, 38, body), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := s.oneLine("a long line of words", 40, body); !strings.HasSuffix(got, "…") || s.measure(got, body) > 40 {
		t.Errorf("one line: %q", got)
	}
}

func TestScalesAreRound(t *testing.T) {
	for most, want := range map[money.Amount]money.Amount{0: 100, 400: 100, 76500: 20000, 310_000: 100_000, 99_999_999: 50_000_000} {
		if got := scaleStep(most); got != want {
			t.Errorf("up to %s in steps of %s, want %s", most, got, want)
		}
	}
}
