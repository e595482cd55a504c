package filetype

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Markers of a JPEG.
const (
	sof0, sof1, sof2 = 0xc0, 0xc1, 0xc2 // baseline, extended, progressive
	dht, jpg, dac    = 0xc4, 0xc8, 0xcc
	rst0, rst7       = 0xd0, 0xd7
	soi, eoi, sos    = 0xd8, 0xd9, 0xda
	dqt, dri         = 0xdb, 0xdd
	app0, app1, app2 = 0xe0, 0xe1, 0xe2
	app14            = 0xee
)

// jpeg copies the segments that decoding needs and the colours, and nothing else: EXIF, XMP, IPTC, comments, embedded
// thumbnails, a phone's second images and films behind the end stay behind.
func (c *copier) jpeg() error {
	if _, err := c.r.Discard(2); err != nil { // Sniff has seen it
		return err
	}
	if err := c.write([]byte{0xff, soi}); err != nil {
		return err
	}
	scans := 0
	for {
		marker, err := c.marker()
		if err != nil {
			return err
		}
		switch {
		case marker == eoi:
			if scans == 0 {
				return ErrDamaged
			}
			return c.write([]byte{0xff, eoi})
		case marker == 0, marker == 1, marker >= rst0 && marker <= soi:
			return ErrDamaged // none of these stands between segments
		}
		if err := c.segment(marker); err != nil {
			return err
		}
		if marker == sos {
			scans++
			if err := c.scan(); err != nil {
				return err
			}
		}
	}
}

// marker reads up to the next marker and past it. What stands before it is dropped, as decoders do.
func (c *copier) marker() (byte, error) {
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return 0, err
		}
		for b == 0xff {
			if b, err = c.r.ReadByte(); err != nil {
				return 0, err
			}
			if b != 0xff && b != 0 {
				return b, nil
			}
		}
	}
}

// segment copies or drops the segment of the marker.
func (c *copier) segment(marker byte) error {
	length, err := c.take(2)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint16(length)) - 2
	if n < 0 {
		return ErrDamaged
	}
	switch {
	case marker == app1:
		return c.exif(n)
	case marker == app0:
		return c.jfif(n)
	case marker == app2:
		return c.named(marker, n, "ICC_PROFILE\x00")
	case marker == app14:
		return c.named(marker, n, "Adobe")
	case marker >= sof0 && marker <= 0xcf && marker != dht && marker != jpg && marker != dac:
		return c.frame(marker, n)
	case marker == dht, marker == dqt, marker == dri:
		return c.copySegment(marker, n)
	case marker == sos:
		if c.info.Width == 0 {
			return ErrDamaged
		}
		return c.copySegment(marker, n)
	}
	return c.each(int64(n), nothing)
}

func (c *copier) copySegment(marker byte, n int) error {
	head := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(n+2)) //nolint:gosec // it was read as one of 16 bits
	if err := c.write(head); err != nil {
		return err
	}
	return c.each(int64(n), c.write)
}

// named copies the segment when it begins with its owner's name.
func (c *copier) named(marker byte, n int, owner string) error {
	head, err := c.r.Peek(min(n, len(owner)))
	if err != nil {
		return err
	}
	if string(head) != owner {
		return c.each(int64(n), nothing)
	}
	return c.copySegment(marker, n)
}

// exif drops the segment and keeps the orientation that it tells.
func (c *copier) exif(n int) error {
	p, err := c.take(n)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(p, []byte("Exif\x00\x00")) && c.info.Orientation == 1 {
		c.info.Orientation = orientation(p)
	}
	return nil
}

// jfif copies the segment without the thumbnail in it: that one may show what was cut off.
func (c *copier) jfif(n int) error {
	p, err := c.take(n)
	if err != nil || n < 14 || string(p[:5]) != "JFIF\x00" {
		return err
	}
	p[12], p[13] = 0, 0
	return c.write(append([]byte{0xff, app0, 0, 16}, p[:14]...))
}

// frame looks at the header of the image and copies it.
func (c *copier) frame(marker byte, n int) error {
	p, err := c.r.Peek(min(n, 6))
	switch {
	case err != nil:
		return err
	case marker > sof2, n >= 6 && p[0] != 8:
		return ErrNotAllowed // lossless, arithmetic, 12 bits: a JPEG, but nothing shows it
	case n < 6, c.info.Width != 0:
		return ErrDamaged
	}
	if err := c.size(int(binary.BigEndian.Uint16(p[3:])), int(binary.BigEndian.Uint16(p[1:]))); err != nil {
		return err
	}
	return c.copySegment(marker, n)
}

// scan copies the image's data up to the next marker, which stays to be read.
func (c *copier) scan() error {
	for {
		p, err := c.r.Peek(bufferSize)
		if len(p) < 2 {
			if err == nil || err == io.EOF { //nolint:errorlint // bufio hands it on as it is
				return io.ErrUnexpectedEOF
			}
			return err
		}
		n, ended := scanned(p)
		if err := c.write(p[:n]); err != nil {
			return err
		}
		if _, err := c.r.Discard(n); err != nil {
			return err
		}
		if ended {
			return nil
		}
		if n == 0 { // one lonely 0xff is left
			return io.ErrUnexpectedEOF
		}
	}
}

// scanned is how much of p is the image's data, and whether a marker follows.
func scanned(p []byte) (int, bool) {
	for i := 0; ; {
		next := bytes.IndexByte(p[i:], 0xff)
		if next < 0 {
			return len(p), false
		}
		i += next
		if i+1 == len(p) {
			return i, false
		}
		if m := p[i+1]; m != 0 && (m < rst0 || m > rst7) {
			return i, true // fill bytes before a marker are read with it
		}
		i += 2
	}
}
