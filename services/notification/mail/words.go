package mail

import (
	"regexp"
	"strings"
	"unicode"
)

// How much of what people call themselves and their things a mail repeats, in characters.
const (
	longestName    = 60
	longestTitle   = 200
	longestSubject = 150
)

// clean makes one line of what people have typed: no line breaks, with which a header could be begun, no other control
// characters, and none that turn the direction of the text around them.
func clean(text string, longest int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\u200e', r == '\u200f', r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		text = strings.TrimSpace(string(runes[:longest-1])) + "…"
	}
	return text
}

// linkable are what addresses are made of; browsers take the full stops of other scripts for dots.
var linkable = regexp.MustCompile(`([.:/\x{3002}\x{ff0e}\x{ff61}])(\S)`)

// name is clean for what people call themselves and their homes. Strangers get mails with it: one who calls himself
// "Win at example.com" must not get his link into them, so that mail programs find no address in it to make a link of.
func name(text string) string {
	return linkable.ReplaceAllString(clean(text, longestName), "$1\u2060$2")
}

// header is a text that stands in a header. What looks like an encoded word (RFC 2047) in it is none: decoded, it would say
// what it was cleaned of.
func header(text string) string { return strings.ReplaceAll(text, "=?", "=\u2060?") }

// sentence is a text without the full stop, for a subject.
func sentence(text string) string { return strings.TrimSuffix(text, ".") }
