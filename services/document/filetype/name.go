package filetype

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxName is how many characters a name has at most.
const maxName = 200

// SafeName is a file name that is safe to keep and to offer: the base name without control, invisible and direction
// characters, at most 200 characters, with an extension that fits the type.
func SafeName(filename string, t Type) string {
	name := filename[strings.LastIndexAny(filename, `/\`)+1:]
	name = norm.NFC.String(strings.Map(visible, strings.ToValidUTF8(name, "")))
	stem, ext := strings.TrimRight(name, ". "), t.Ext
	if e := path.Ext(stem); looksLikeExtension(e) && !fits(e, t) {
		stem = strings.TrimSuffix(stem, e)
	}
	if e := path.Ext(stem); fits(e, t) { // it was there, perhaps before the wrong one
		stem, ext = strings.TrimSuffix(stem, e), e
	}
	stem = strings.Trim(stem, ". ")
	if stem == "" {
		stem = "file"
	}
	if r := []rune(stem); len(r) > maxName-len(ext) {
		stem = strings.TrimRight(string(r[:maxName-len(ext)]), ". ")
	}
	return stem + ext
}

// visible drops what cannot be seen or what turns the reading direction, and makes one kind of space of all.
func visible(r rune) rune {
	switch {
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co):
		return -1
	case unicode.IsSpace(r):
		return ' '
	}
	return r
}

// looksLikeExtension tells ".exe" from the ".2" of a "v1.2" and the ". 5 pages" of a sentence.
func looksLikeExtension(ext string) bool {
	if len(ext) < 2 || len(ext) > 6 {
		return false
	}
	letter := false
	for _, r := range ext[1:] {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
		letter = letter || unicode.IsLetter(r)
	}
	return letter
}

func fits(ext string, t Type) bool { return slices.Contains(extensions(t), strings.ToLower(ext)) }

// extensions are those that fit the type, in lower case.
func extensions(t Type) []string {
	switch t {
	case JPEG:
		return []string{".jpg", ".jpeg", ".jpe", ".jfif"}
	case HEIC, HEIF:
		return []string{".heic", ".heif", ".hif"}
	case PlainText:
		return []string{".txt", ".text", ".csv", ".tsv", ".md", ".log"}
	}
	return []string{t.Ext}
}
