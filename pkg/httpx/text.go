package httpx

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"hearth.internal/pkg/apperr"
)

// refuseEncoded refuses a body that is compressed: Fiber would unpack it whenever it is read, however large it gets.
func refuseEncoded(c *fiber.Ctx) error {
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return apperr.WrongContentType.New("Send the body as it is, without a Content-Encoding.")
	}
	return c.Next()
}

// refuseBadText refuses what PostgreSQL cannot store and no honest client sends: NUL characters and broken UTF-8, in
// the address or in a JSON body.
func refuseBadText(c *fiber.Ctx) error {
	uri := c.Request().URI()
	path, err := url.PathUnescape(string(uri.PathOriginal()))
	if err != nil || !clean([]byte(path)) {
		return badText("path")
	}
	query, err := url.QueryUnescape(string(uri.QueryString()))
	if err != nil || !clean([]byte(query)) {
		return badText(badParameter(string(uri.QueryString())))
	}
	if strings.HasPrefix(strings.ToLower(c.Get(fiber.HeaderContentType)), "multipart/") {
		return c.Next() // an operation that takes one reads it; others refuse it unread
	}
	if body := bodyOf(c); !clean(body) || hasBadEscape(body) {
		return badText(badMember(body))
	}
	return c.Next()
}

func badText(where string) error {
	return apperr.ValidationFailed.New("The request has text that cannot be stored.").At(where, "must be UTF-8 without NUL characters")
}

func clean(text []byte) bool { return utf8.Valid(text) && bytes.IndexByte(text, 0) < 0 }

// hasBadEscape finds in JSON the escapes of what is refused when it stands there plainly: NUL, and half a surrogate pair,
// which decoding would replace, so that something else were stored than was sent.
func hasBadEscape(body []byte) bool {
	for i := bytes.IndexByte(body, '\\'); i >= 0 && i < len(body)-1; i++ {
		if body[i] != '\\' {
			continue
		}
		r, escaped := unitAt(body, i)
		second, follows := unitAt(body, i+len(`\u0000`))
		switch {
		case !escaped:
			i++ // what is escaped may be a backslash
		case r == 0, utf16.IsSurrogate(r) && (!follows || utf16.DecodeRune(r, second) == utf8.RuneError):
			return true
		case utf16.IsSurrogate(r):
			i += 2*len(`\u0000`) - 1
		}
	}
	return false
}

// unitAt is the UTF-16 code unit whose escape begins there.
func unitAt(body []byte, at int) (rune, bool) {
	const long = len(`\u0000`)
	if len(body) < at+long || string(body[at:at+2]) != `\u` {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(body[at+2:at+long]), 16, 16)
	return rune(unit), err == nil
}

// badParameter is the location of the query's parameter that is not clean.
func badParameter(query string) string {
	for parameter := range strings.SplitSeq(query, "&") {
		if text, err := url.QueryUnescape(parameter); err == nil && clean([]byte(text)) {
			continue
		}
		name, _, _ := strings.Cut(parameter, "=")
		if name, err := url.QueryUnescape(name); err == nil && name != "" && clean([]byte(name)) {
			return "query." + name
		}
		break
	}
	return "query"
}

// badMember is the location of the JSON body's member that is not clean.
func badMember(body []byte) string {
	var whole any
	if json.Unmarshal(body, &whole) == nil {
		if at, found := badValue("body", whole); found {
			return at
		}
	}
	return "body"
}

// badValue looks for a NUL, and for the character that decoding puts in place of broken UTF-8.
func badValue(at string, value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return at, strings.ContainsAny(v, "\x00\uFFFD")
	case []any:
		for i, element := range v {
			if at, found := badValue(at+"["+strconv.Itoa(i)+"]", element); found {
				return at, true
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if _, bad := badValue("", name); bad {
				return at, true
			}
			if at, found := badValue(at+"."+name, v[name]); found {
				return at, true
			}
		}
	}
	return "", false
}
