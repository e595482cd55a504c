package filetype

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// bufferSize is what a copy keeps in memory each way.
const bufferSize = 16 << 10

// The most that an image may have. Past it, decoding takes more memory than anybody's photo is worth.
const (
	maxPixels = 50_000_000
	maxSide   = 16_384
)

// Clean copies a file without what must not be kept. It decides the type itself (Sniff), and fails with ErrEmpty,
// ErrNotAllowed, ErrDamaged or ErrTooManyPixels. It may stop reading before src ends: what follows is nobody's.
func Clean(dst File, src io.Reader) (Info, error) {
	c := &copier{r: bufio.NewReaderSize(src, bufferSize), file: dst}
	c.w = bufio.NewWriterSize(dst, bufferSize)
	head, err := c.r.Peek(HeadSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return Info{}, fmt.Errorf("read the file: %w", err)
	}
	if c.info.Type, err = Sniff(head); err != nil {
		return Info{}, err
	}
	if err := c.clean(); err != nil {
		return Info{}, damagedAtEnd(err)
	}
	c.info.Size = c.written
	return c.info, nil
}

// damagedAtEnd takes a file that ends too early for a damaged one.
func damagedAtEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrDamaged
	}
	return err
}

// copier is one copy on its way.
type copier struct {
	r       *bufio.Reader
	w       *bufio.Writer
	file    File
	written int64
	info    Info
}

func (c *copier) clean() error {
	if c.info.Type.Kind == Image {
		c.info.Orientation = 1
	}
	var err error
	switch c.info.Type {
	case JPEG:
		err = c.jpeg()
	case PNG:
		err = c.png()
	case WebP:
		err = c.webp()
	case PDFFile:
		err = c.pdf()
	case PlainText:
		err = c.text()
	default:
		_, err = c.rest()
	}
	if err != nil {
		return err
	}
	if err := c.w.Flush(); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return c.whole()
}

// whole looks at what was written where only all of it tells.
func (c *copier) whole() error {
	switch c.info.Type {
	case WebP:
		return c.webpSize()
	case HEIC, HEIF:
		return c.heif()
	}
	if c.info.Type.Kind != Office {
		return nil
	}
	t, err := Verify(c.file, c.written)
	if err != nil {
		return err
	}
	c.info.Type = t
	return nil
}

// size keeps the image's size, unless it is too large or none.
func (c *copier) size(width, height int) error {
	if err := Pixels(width, height); err != nil {
		return err
	}
	c.info.Width, c.info.Height = width, height
	return nil
}

// Pixels refuses an image of more pixels than are decoded, or of none.
func Pixels(width, height int) error {
	switch {
	case width <= 0 || height <= 0:
		return ErrDamaged
	case width > maxSide || height > maxSide || width*height > maxPixels:
		return ErrTooManyPixels
	}
	return nil
}

func (c *copier) write(p []byte) error {
	n, err := c.w.Write(p)
	c.written += int64(n)
	if err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return nil
}

// read fills p.
func (c *copier) read(p []byte) error {
	_, err := io.ReadFull(c.r, p)
	return err
}

// take is the next n bytes, until the next read: no more than a buffer holds.
func (c *copier) take(n int) ([]byte, error) {
	p := make([]byte, n)
	return p, c.read(p)
}

// each hands the next n bytes on, a buffer at a time.
func (c *copier) each(n int64, use func([]byte) error) error {
	for n > 0 {
		p, err := c.r.Peek(int(min(n, bufferSize)))
		if err != nil {
			return err
		}
		if err := use(p); err != nil {
			return err
		}
		n -= int64(len(p))
		if _, err := c.r.Discard(len(p)); err != nil {
			return err
		}
	}
	return nil
}

func nothing([]byte) error { return nil }

// rest copies all that is left, and says how much that was.
func (c *copier) rest() (int64, error) {
	n, err := io.Copy(c.w, c.r)
	c.written += n
	if err != nil {
		return n, fmt.Errorf("copy the file: %w", err)
	}
	return n, nil
}

// chunks hands all that is left on, a buffer at a time, and copies it.
func (c *copier) chunks(look func([]byte) error) error {
	for {
		p, err := c.r.Peek(bufferSize)
		if len(p) == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read the file: %w", err)
		}
		if err := look(p); err != nil {
			return err
		}
		if err := c.write(p); err != nil {
			return err
		}
		if _, err := c.r.Discard(len(p)); err != nil {
			return err
		}
	}
}

// pdfTail is where a PDF's end must be found: the standard allows 1 KiB, some writers put a little more behind it.
const pdfTail = 2 << 10

// pdf copies all of it and looks at its end. What an encrypted one holds is not looked at.
func (c *copier) pdf() error {
	var tail []byte
	err := c.chunks(func(p []byte) error {
		tail = append(tail, p[max(0, len(p)-pdfTail):]...)
		tail = append([]byte(nil), tail[max(0, len(tail)-pdfTail):]...)
		return nil
	})
	if err != nil {
		return err
	}
	if !bytes.Contains(tail, []byte("startxref")) || !bytes.Contains(tail, []byte("%%EOF")) {
		return ErrDamaged
	}
	return nil
}

// text copies all of it and looks at every character.
func (c *copier) text() error {
	var cut []byte // the beginning of a character whose end is in the next buffer
	err := c.chunks(func(p []byte) error {
		cut = append([]byte(nil), validText(append(cut, p...))...)
		if len(cut) >= utf8.UTFMax || utf8.FullRune(cut) {
			return ErrNotAllowed
		}
		return nil
	})
	if err == nil && len(cut) > 0 {
		return ErrNotAllowed
	}
	return err
}
