package auth

import (
	_ "embed"
	"slices"
	"strings"
	"unicode/utf8"

	"hearth.internal/pkg/apperr"
)

// commonPasswords are the passwords that guessers try first, in lower case, one a line; shorter ones are refused for
// their length.
//
//go:embed common_passwords.txt
var commonPasswords string

// refuseWeak refuses, as body.<field>, a password that is guessed in a few tries: common ones, one character over and
// over, and what everybody knows of the person.
func refuseWeak(field, password, email, username string) error {
	lower := strings.ToLower(strings.TrimSpace(password))
	local, _, _ := strings.Cut(strings.ToLower(email), "@")
	first, size := utf8.DecodeRuneInString(lower)
	var why string
	switch {
	case lower == strings.ToLower(username), lower == strings.ToLower(email), lower == local:
		why = "must not be your username or e-mail address"
	case strings.Trim(lower, string(first)) == "" || size == 0:
		why = "must be more than one character over and over"
	case slices.Contains(strings.Fields(commonPasswords), lower):
		why = "is one of the most common passwords"
	default:
		return nil
	}
	return apperr.WeakPassword.New("Choose a password that is harder to guess.").At("body."+field, why)
}
