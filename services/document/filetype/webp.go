package filetype

import (
	"encoding/binary"
	"fmt"
)

// Flags of a WebP's extended header.
const (
	webpAnimation = 0x02
	webpXMP       = 0x04
	webpEXIF      = 0x08
)

// webpFile is what was seen of a WebP so far.
type webpFile struct {
	*copier
	left     int64 // of the file, as its header says
	extended bool
	image    bool
}

// webp copies the image, its transparency and its colours. EXIF, XMP and what nobody knows is dropped, and so is what
// stands behind the size that its header tells.
func (c *copier) webp() error {
	head, err := c.take(12)
	if err != nil {
		return err
	}
	if err := c.write(head); err != nil { // its size is corrected at the end
		return err
	}
	w := &webpFile{copier: c, left: int64(binary.LittleEndian.Uint32(head[4:])) - 4}
	for w.left >= 8 {
		if err := w.chunk(); err != nil {
			return err
		}
	}
	if !w.image {
		return ErrDamaged
	}
	return nil
}

// webpSize corrects the size of the file in its header.
func (c *copier) webpSize() error {
	var size [4]byte
	binary.LittleEndian.PutUint32(size[:], uint32(c.written-8)) //nolint:gosec // no larger than what its header said
	if _, err := c.file.WriteAt(size[:], 4); err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	return nil
}

func (w *webpFile) chunk() error {
	head, err := w.take(8)
	if err != nil {
		return err
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	w.left -= 8 + size
	if w.left < 0 {
		return ErrDamaged
	}
	if err := w.body(head, size); err != nil {
		return err
	}
	if size%2 == 0 || w.left == 0 {
		return nil
	}
	w.left--
	return w.each(1, nothing)
}

func (w *webpFile) body(head []byte, size int64) error {
	switch kind := string(head[:4]); kind {
	case "VP8X":
		return w.header(head, size)
	case "VP8 ", "VP8L":
		return w.pixels(head, size)
	case "ANIM", "ANMF":
		return ErrNotAllowed
	case "ICCP", "ALPH":
		if w.extended && !w.image {
			return w.copyChunk(head, size)
		}
	case "EXIF":
		return w.exif(size)
	}
	return w.each(size, nothing)
}

func (w *webpFile) copyChunk(head []byte, size int64) error {
	if err := w.write(head); err != nil {
		return err
	}
	if err := w.each(size, w.write); err != nil || size%2 == 0 {
		return err
	}
	return w.write([]byte{0})
}

func (w *webpFile) exif(size int64) error {
	p, err := w.r.Peek(int(min(size, bufferSize)))
	if err != nil {
		return err
	}
	if w.info.Orientation == 1 {
		w.info.Orientation = orientation(p)
	}
	return w.each(size, nothing)
}

// header copies the extended header without what it says of what is dropped.
func (w *webpFile) header(head []byte, size int64) error {
	if w.extended || w.image || size != 10 {
		return ErrDamaged
	}
	p, err := w.take(10)
	if err != nil {
		return err
	}
	if p[0]&webpAnimation != 0 {
		return ErrNotAllowed
	}
	p[0] &^= webpEXIF | webpXMP
	w.extended = true
	if err := w.size(1+uint24(p[4:]), 1+uint24(p[7:])); err != nil {
		return err
	}
	return w.write(append(head, p...))
}

func uint24(p []byte) int { return int(p[0]) | int(p[1])<<8 | int(p[2])<<16 }

// pixels looks at the image's own header and copies the image.
func (w *webpFile) pixels(head []byte, size int64) error {
	p, err := w.r.Peek(int(min(size, 10)))
	if err != nil {
		return err
	}
	width, height, ok := webpDimensions(string(head[:4]), p)
	if !ok || w.image || (w.extended && (width != w.info.Width || height != w.info.Height)) {
		return ErrDamaged
	}
	w.image = true
	if err := w.size(width, height); err != nil {
		return err
	}
	return w.copyChunk(head, size)
}

func webpDimensions(kind string, p []byte) (width, height int, ok bool) {
	if kind == "VP8L" {
		if len(p) < 5 || p[0] != 0x2f {
			return 0, 0, false
		}
		bits := binary.LittleEndian.Uint32(p[1:])
		return 1 + int(bits&0x3fff), 1 + int(bits>>14&0x3fff), true
	}
	if len(p) < 10 || p[0]&1 != 0 || string(p[3:6]) != "\x9d\x01\x2a" {
		return 0, 0, false
	}
	return int(binary.LittleEndian.Uint16(p[6:])) & 0x3fff, int(binary.LittleEndian.Uint16(p[8:])) & 0x3fff, true
}
