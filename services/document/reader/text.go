package reader

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"hearth.internal/document/filetype"
)

// maxPart is how much of an Office file's main part is unpacked at most.
const maxPart = 32 << 20

func text(q question) (answer, error) {
	var s string
	var err error
	switch q.Type {
	case filetype.PlainText:
		s, err = plainText(q.In)
	case filetype.DOCX:
		s, err = officeText(q.In, "word/document.xml", xml.Name{Space: wordSpace, Local: "t"}, xml.Name{Space: wordSpace, Local: "p"})
	case filetype.ODT:
		s, err = officeText(q.In, "content.xml", xml.Name{Space: openTextSpace, Local: "p"}, xml.Name{Space: openTextSpace, Local: "p"})
	}
	return answer{Pages: Pages{Text: readable(s)}}, err
}

func plainText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, TextSize))
	if err != nil {
		return "", fmt.Errorf("read the file: %w", err)
	}
	return string(b), nil
}

// The names that the elements of Office files have.
const (
	wordSpace     = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
	openTextSpace = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
)

// officeText is what stands in the elements called words; behind each called line begins a new line.
func officeText(path, part string, words, line xml.Name) (string, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return "", refused(err)
	}
	defer z.Close()
	f, err := z.Open(part)
	if err != nil {
		return "", refused(err)
	}
	defer f.Close()
	d := xml.NewDecoder(io.LimitReader(f, maxPart))
	var out strings.Builder
	inside := 0
	for out.Len() < TextSize {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", refused(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name == words {
				inside++
			}
			if t.Name.Local == "tab" || t.Name.Local == "br" || t.Name.Local == "s" || t.Name.Local == "line-break" {
				out.WriteByte(' ')
			}
		case xml.EndElement:
			if t.Name == words {
				inside--
			}
			if t.Name == line {
				out.WriteByte('\n')
			}
		case xml.CharData:
			if inside > 0 {
				out.Write(t)
			}
		}
	}
	return out.String(), nil
}

func refused(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

// readable is the beginning of a text that a database keeps: whole characters, and none that only steer something.
func readable(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), TextSize)], "") // the last character may be cut
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case r == '\r', unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
			return -1
		}
		return r
	}, s)
}
