package samples

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"hearth.internal/document/filetype"
)

// PDF has a page with each text.
func PDF(pages ...string) []byte {
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"", // the pages, below
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var kids []string
	for _, text := range pages {
		content := fmt.Sprintf("1 0 0 rg 0 0 100 100 re f 0 g BT /F1 24 Tf 72 700 Td (%s) Tj ET", text)
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>", len(objects)+2),
			fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
		kids = append(kids, fmt.Sprintf("%d 0 R", len(objects)-1))
	}
	objects[1] = fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Join(kids, " "), len(kids))
	return pdf(objects, "")
}

// EncryptedPDF asks for a password before it shows anything.
func EncryptedPDF() []byte {
	key := strings.Repeat("00", 32)
	return pdf([]string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [] /Count 0 >>",
		fmt.Sprintf("<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <%s> /U <%s> >>", key, key),
	}, "/Encrypt 3 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]")
}

func pdf(objects []string, trailer string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, start)
	return b.Bytes()
}

// Paragraph is the main part of a docx with the text.
func Paragraph(text string) string {
	return `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>` + text +
		`</w:t></w:r></w:p></w:body></w:document>`
}

// Part is a file in a ZIP.
type Part struct{ Name, Data string }

// Office is an Office file with the main part, and others.
func Office(name, data string, more ...Part) []byte {
	return ZIP(append([]Part{{"[Content_Types].xml", "<Types/>"}, {"_rels/.rels", "<Relationships/>"}, {name, data}}, more...)...)
}

// OpenDocument is a file of the type with the text.
func OpenDocument(t filetype.Type, text string) []byte {
	return ZIP(Part{"mimetype", t.MIME}, Part{"content.xml", `<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"` +
		` xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:text><text:p>` + text +
		`</text:p></office:text></office:body></office:document-content>`})
}

// ZIP has the parts.
func ZIP(parts ...Part) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		h := &zip.FileHeader{Name: p.Name, Method: zip.Deflate}
		if p.Name == "mimetype" {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(p.Data))
		}
		if err != nil {
			panic(err) // it is written to memory
		}
	}
	if err := z.Close(); err != nil {
		panic(err) // as above
	}
	return b.Bytes()
}

// OLE is an old Office file with a stream of each name.
func OLE(streams ...string) []byte {
	const sector = 512
	b := make([]byte, 8*sector) // header, sector list, directory (two), streams
	copy(b, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	put16 := func(at int, v uint16) { binary.LittleEndian.PutUint16(b[at:], v) }
	put32 := func(at int, v uint32) { binary.LittleEndian.PutUint32(b[at:], v) }
	put16(24, 0x3e)
	put16(26, 3)
	put16(28, 0xfffe)
	put16(30, 9)
	put16(32, 6)
	put32(44, 1) // sector lists
	put32(48, 1) // the directory's first sector
	put32(56, 4096)
	put32(60, 0xfffffffe)
	put32(68, 0xfffffffe)
	for i := range 109 {
		put32(76+4*i, 0xffffffff)
	}
	put32(76, 0)
	for i := range sector / 4 {
		put32(sector+4*i, 0xffffffff)
	}
	put32(sector, 0xfffffffd)
	put32(sector+4, 2) // the directory goes on
	put32(sector+8, 0xfffffffe)
	for i, name := range append([]string{"Root Entry"}, streams...) {
		at := 2*sector + 128*i
		units := utf16.Encode([]rune(name))
		for j, u := range units {
			put16(at+2*j, u)
		}
		put16(at+64, uint16(2*len(units)+2)) //nolint:gosec // names are short
		b[at+66] = 2
		if i == 0 {
			b[at+66] = 5
			put32(at+76, 1)
		}
	}
	return b
}
