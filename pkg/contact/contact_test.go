package contact_test

import (
	"strings"
	"testing"

	"hearth.internal/pkg/contact"
)

func TestWhatCanBeWrittenToOpenedAndDialled(t *testing.T) {
	for _, c := range []struct {
		name  string
		valid func(string) bool
		yes   []string
		no    []string
	}{
		{"address", contact.IsAddress, []string{"ada@example.com", "a.b+c@mail.example.co.uk"}, []string{"", "ada", "ada@localhost", "Ada <ada@example.com>", "ada@[192.0.2.1]", "a@b.c ",
			strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b.", 126) + "c"}},
		{"website", contact.IsWebsite, []string{"https://example.com", "http://example.com/a?b=c"}, []string{"", "example.com", "javascript:alert(1)", "https://", "https://u:p@example.com", "https://example.com/a b"}},
		{"phone", contact.IsPhone, []string{"911", "+49 (30) 123-45/6"}, []string{"", "12", "call me", "1234567890123456789012345678901"}},
	} {
		for _, text := range c.yes {
			if !c.valid(text) {
				t.Errorf("%s: %q is refused", c.name, text)
			}
		}
		for _, text := range c.no {
			if c.valid(text) {
				t.Errorf("%s: %q is taken", c.name, text)
			}
		}
	}
}
