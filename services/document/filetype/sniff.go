package filetype

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// HeadSize is how much of a file's beginning tells what it is.
const HeadSize = 4096

// Sniff says what a file is that begins so: with its first HeadSize bytes, or fewer when it is shorter. Of an Office file
// it is what it may be, with only its Kind where the beginning does not tell more: Clean looks at the rest.
func Sniff(head []byte) (Type, error) {
	if len(head) == 0 {
		return Type{}, ErrEmpty
	}
	head = head[:min(len(head), HeadSize)]
	m := mimetype.Detect(head)
	if isText(m) {
		return sniffText(head, m)
	}
	for _, t := range []struct {
		mime string
		Type
	}{
		{"image/jpeg", JPEG}, {"image/png", PNG}, {"image/apng", PNG}, {"image/webp", WebP},
		{"image/heic", HEIC}, {"image/heif", HEIF}, {"application/pdf", PDFFile},
		{DOCX.MIME, DOCX}, {XLSX.MIME, XLSX}, {PPTX.MIME, PPTX}, {ODT.MIME, ODT}, {ODS.MIME, ODS}, {ODP.MIME, ODP},
		{DOC.MIME, DOC}, {XLS.MIME, XLS}, {PPT.MIME, PPT},
		// The part that tells may lie further on.
		{"application/zip", container}, {"application/x-ole-storage", container},
	} {
		if m.Is(t.mime) {
			return t.Type, agrees(head, t.Type)
		}
	}
	return Type{}, ErrNotAllowed
}

// container is a ZIP or an OLE storage of which only its directory says what it is.
var container = Type{Kind: Office}

// agrees refuses what the detector takes for the type more generously than we do.
func agrees(head []byte, t Type) error {
	switch t {
	case PDFFile: // others look for it anywhere in the first KiB: HTML could stand before it
		if !bytes.HasPrefix(head, []byte("%PDF-")) {
			return ErrNotAllowed
		}
	case HEIC, HEIF:
		if !holdsHEVC(head) {
			return ErrNotAllowed
		}
	}
	return nil
}

// holdsHEVC says whether an image file's brands promise what our decoder reads: other files of the family hold AV1, JPEG
// or films.
func holdsHEVC(head []byte) bool {
	if len(head) < 16 || string(head[4:8]) != "ftyp" {
		return false
	}
	size := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
	if size < 16 || size > len(head) {
		return false
	}
	brands := []string{string(head[8:12])}
	for b := range slices.Chunk(head[16:size], 4) {
		brands = append(brands, string(b))
	}
	return slices.ContainsFunc(brands, func(b string) bool { return slices.Contains([]string{"heic", "heix", "heim", "heis"}, b) })
}

func isText(m *mimetype.MIME) bool {
	for ; m != nil; m = m.Parent() {
		if m.Is("text/plain") {
			return true
		}
	}
	return false
}

// plain are the texts that are handed out as plain text; the others are programs, pages or formats of their own.
var plain = []string{
	"text/plain", "text/csv", "text/tab-separated-values", "application/json", "text/vcard", "text/calendar", "message/rfc822",
	"application/x-subrip", "text/vtt",
}

// active is what begins something that a browser or a server would run, in lower case.
var active = []string{
	"<script", "<html", "<head", "<body", "<svg", "<iframe", "<object", "<embed", "<!doctype", "<?php", "<?xml", "<?=", "<img", "<math", "<style",
	"<meta", "<link", "<form",
}

func sniffText(head []byte, m *mimetype.MIME) (Type, error) {
	allowed := slices.ContainsFunc(plain, m.Is)
	body := bytes.TrimPrefix(head, utf8BOM)
	start := bytes.TrimSpace(body)
	lower := bytes.ToLower(body)
	switch {
	case !allowed, bytes.HasPrefix(start, []byte("<")), bytes.HasPrefix(start, []byte("#!")),
		slices.ContainsFunc(active, func(a string) bool { return bytes.Contains(lower, []byte(a)) }):
		return Type{}, ErrNotAllowed
	}
	if rest := validText(body); utf8.FullRune(rest) { // what is cut off at the end is looked at with what follows
		return Type{}, ErrNotAllowed
	}
	return PlainText, nil
}

var utf8BOM = []byte("\xef\xbb\xbf")

// validText is what is left of a text from the first byte on that is no UTF-8 or none of a text's: a NUL, a bell.
func validText(b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1, r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f', r == 0x7f:
			return b
		}
		b = b[n:]
	}
	return nil
}
