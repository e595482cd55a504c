// Package contact says whether what somebody typed can be written to, opened or dialled.
package contact

import (
	"net/mail"
	"net/url"
	"strings"
)

// What is said of a field that cannot be.
const (
	NoAddress = "is not an e-mail address, such as ada@example.com"
	NoWebsite = "is not a web address, such as https://example.com"
	NoPhone   = "must have 3 to 30 digits, and beside them only + ( ) - . / and spaces"
)

// Emergency numbers have three digits; the longest, with an extension, far fewer than thirty.
const (
	fewestDigits = 3
	mostDigits   = 30
)

// The longest address, and the longest part before its @ (RFC 5321).
const (
	longestAddress = 254
	longestLocal   = 64
)

// IsAddress reports whether it is an e-mail address alone (RFC 5322 addr-spec), without a name beside it, at a domain with
// a dot.
func IsAddress(text string) bool {
	address, err := mail.ParseAddress(text)
	at := strings.LastIndexByte(text, '@')
	if err != nil || address.Address != text || len(text) > longestAddress || at > longestLocal {
		return false
	}
	domain := text[at+1:]
	return strings.Contains(strings.Trim(domain, "."), ".") && !strings.HasPrefix(domain, "[")
}

// IsWebsite reports whether it is the address of a web page.
func IsWebsite(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && !strings.ContainsAny(text, " \t\r\n")
}

// IsPhone reports whether it is a number that a phone can dial.
func IsPhone(text string) bool {
	digits := 0
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !strings.ContainsRune("+()-./ ", r):
			return false
		}
	}
	return digits >= fewestDigits && digits <= mostDigits
}
