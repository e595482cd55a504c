package samples

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"hearth.internal/document/filetype"
	"hearth.internal/pkg/apperr"
)

// limit is how large a file may be.
const limit = 25 << 20

// Hostile is what must be refused, or taken without its sting.
func Hostile() []Sample {
	var all []Sample
	for _, c := range []struct {
		code  apperr.Code
		files []Sample
	}{
		{apperr.ImageTooLarge, bombs()},
		{apperr.FileNotAllowed, disguised()},
		{apperr.FileDamaged, damaged()},
		{apperr.FileTooLarge, []Sample{{Name: "26 MiB", Filename: "huge.jpg", Body: larger(JPEG(Corners(8, 8)))}}},
	} {
		for _, a := range c.files {
			a.Status, a.Code = c.code.Kind.Status(), c.code.Name
			all = append(all, a)
		}
	}
	return append(all, disarmed()...)
}

func larger(body []byte) []byte { return append(body, make([]byte, limit+1<<20-len(body))...) }

func bombs() []Sample {
	photo := JPEG(Corners(8, 8))
	frame := bytes.Index(photo, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(photo[frame+5:], 50_000)
	binary.BigEndian.PutUint16(photo[frame+7:], 50_000)
	heic := HEIC()
	size := bytes.Index(heic, []byte("ispe"))
	binary.BigEndian.PutUint32(heic[size+8:], 50_000)
	return []Sample{
		{Name: "a PNG of 50,000 by 50,000 pixels", Filename: "bomb.png",
			Body: append(PNGHeader(50_000, 50_000), Chunk("IDAT", strings.Repeat("\x00", 1000))...)},
		{Name: "a JPEG of 50,000 by 50,000 pixels", Filename: "bomb.jpg", Body: photo},
		{Name: "a WebP of 16,777,216 by 16,777,216 pixels", Filename: "bomb.webp",
			Body: RIFF(RIFFChunk("VP8X", "\x10\x00\x00\x00\xff\xff\xff\xff\xff\xff"))},
		{Name: "a HEIC that is 50,000 pixels wide", Filename: "bomb.heic", Body: heic},
		{Name: "a PNG that is long and thin", Filename: "thin.png", Body: append(PNGHeader(16_385, 1), Chunk("IDAT", "\x00")...)},
	}
}

func disguised() []Sample {
	text := func(s string) []byte { return []byte(s) }
	return []Sample{
		{Name: "a GIF that is a script too", Filename: "gif.js", Body: text("GIF89a=1;alert(document.cookie)//\x00\x00")},
		{Name: "HTML before a PDF", Filename: "page.pdf", Body: append(text("<script>alert(1)</script>\n"), PDF("x")...)},
		{Name: "an SVG with a script", Filename: "drawing.png", Body: text(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)},
		{Name: "HTML as a PDF", Filename: "page.pdf", Body: text("<!DOCTYPE html><html><body onload=alert(1)></body></html>")},
		{Name: "HTML as a text", Filename: "page.txt", Body: text("  \n<html><script>alert(1)</script></html>")},
		{Name: "HTML behind words", Filename: "words.txt", Body: text("Dear all,\n<script>alert(1)</script>")},
		{Name: "PHP as a photo", Filename: "photo.jpg", Body: text("<?php system($_GET['c']); ?>")},
		{Name: "a shell script as a photo", Filename: "photo.jpg", Body: text("#!/bin/sh\nrm -rf /\n")},
		{Name: "a program as a PDF", Filename: "invoice.pdf", Body: append(text("MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff"), make([]byte, 512)...)},
		{Name: "an ELF program as a PNG", Filename: "tool.png", Body: append(text("\x7fELF\x02\x01\x01\x00"), make([]byte, 512)...)},
		{Name: "a docm", Filename: "macros.docx", Body: Office("word/document.xml", Paragraph("x"), Part{"word/vbaProject.bin", "macro"})},
		{Name: "a doc with macros", Filename: "macros.doc", Body: OLE("WordDocument", "Macros", "VBA")},
		{Name: "a ZIP as a docx", Filename: "files.docx", Body: ZIP(Part{"run.exe", "MZ"})},
		{Name: "a film as a HEIC", Filename: "film.heic", Body: text("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x00\x00\x00\x08mdat")},
		{Name: "NUL in a text", Filename: "notes.txt", Body: text("The boiler\x00is old")},
		{Name: "NUL late in a text", Filename: "long.txt", Body: text(strings.Repeat("All is well. ", 2000) + "\x00")},
		{Name: "a text in UTF-16", Filename: "utf16.txt", Body: wide("\ufeffThe boiler is old")},
		{Name: "a WebP that moves", Filename: "moves.webp",
			Body: RIFF(RIFFChunk("VP8X", "\x02\x00\x00\x00\x07\x00\x00\x07\x00\x00"), RIFFChunk("ANIM", "\x00\x00\x00\x00\x00\x00"))},
	}
}

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func damaged() []Sample {
	photo, plan, contract, paper := JPEG(Photo(64, 64)), PNG(Corners(64, 64)), Office("word/document.xml", Paragraph("x")), PDF("x", "y")
	flipped := bytes.Clone(plan)
	flipped[len(flipped)-20] ^= 1
	return []Sample{
		{Name: "nothing", Filename: "empty.jpg", Body: nil},
		{Name: "half a JPEG", Filename: "half.jpg", Body: photo[:len(photo)/2]},
		{Name: "half a PNG", Filename: "half.png", Body: plan[:len(plan)/2]},
		{Name: "a PNG with a wrong checksum", Filename: "flipped.png", Body: flipped},
		{Name: "half a PDF", Filename: "half.pdf", Body: paper[:len(paper)/2]},
		{Name: "half a docx", Filename: "half.docx", Body: contract[:len(contract)-30]},
		{Name: "half a HEIC", Filename: "half.heic", Body: HEIC()[:len(photo)/2]},
		{Name: "half a WebP", Filename: "half.webp", Body: WebP(32, 32, false)[:200]},
		{Name: "a docx that unpacks to very much", Filename: "bomb.docx",
			Body: Office("word/document.xml", Paragraph("x"), Part{"word/media/a.bin", strings.Repeat("\x00", 6<<20)})},
		{Name: "a docx that unpacks beside its directory", Filename: "slip.docx",
			Body: Office("word/document.xml", Paragraph("x"), Part{"../../etc/cron.d/x", "x"})},
	}
}

// disarmed are taken: what is wrong with them is left out.
func disarmed() []Sample {
	photo := JPEG(Corners(48, 32))
	return []Sample{
		{Name: "a JPEG with a ZIP behind it", Filename: "two.jpg", Body: append(bytes.Clone(photo), ZIP(Part{"run.exe", "MZ"})...),
			Status: 201, Kept: "two.jpg", Gone: "run.exe"},
		{Name: "a PNG with a script behind it", Filename: "two.png", Body: append(PNG(Corners(48, 32)), "<script>alert(1)</script>"...),
			Status: 201, Kept: "two.png", Gone: "<script>"},
		{Name: "a PNG with a script in its text", Filename: "text.png", Body: PNG(Corners(48, 32), Chunk("tEXt", "Comment\x00<script>alert(1)</script>")),
			Status: 201, Kept: "text.png", Gone: "<script>"},
		{Name: "a JPEG that tells where it was taken", Filename: "home.jpg", Body: JPEG(Corners(48, 32), EXIF(1)), Status: 201, Kept: "home.jpg", Gone: Place},
		{Name: "a WebP that tells where it was taken", Filename: "home.webp",
			Body: WebP(48, 32, false, RIFFChunk("EXIF", string(exifBlock(1)))), Status: 201, Kept: "home.webp", Gone: Place},
		{Name: "a name that climbs and turns", Filename: "../../etc/\x01pass\u202ewd\u200b.exe", Body: photo, Status: 201, Kept: "passwd.jpg"},
		{Name: "a name that a Windows would climb with", Filename: `..\..\boot.ini`, Body: photo, Status: 201, Kept: "boot.jpg"},
		{Name: "a name of dots", Filename: "...", Body: photo, Status: 201, Kept: "file.jpg"},
		{Name: "a photo as a program", Filename: "photo.exe", Body: photo, Status: 201, Kept: "photo.jpg"},
		{Name: "a JPEG as a PNG", Filename: "photo.png", Body: photo, Status: 201, Kept: "photo.jpg"},
	}
}

// Wrongly is what Clean says of the sample; nil where it takes it, or where its size alone is wrong.
func (s Sample) Wrongly() error {
	switch {
	case len(s.Body) == 0:
		return filetype.ErrEmpty
	case s.Code == apperr.FileNotAllowed.Name:
		return filetype.ErrNotAllowed
	case s.Code == apperr.FileDamaged.Name:
		return filetype.ErrDamaged
	case s.Code == apperr.ImageTooLarge.Name:
		return filetype.ErrTooManyPixels
	}
	return nil
}
