package filetype

import (
	"encoding/binary"
	"io"
)

// box is a part of an ISO base media file.
type box struct {
	kind       string
	begin, end int64 // of what is in it
}

// heif looks at the structure of what was copied: whether it is whole, and how large its images say they are. What else is
// in it (EXIF, places, films) does not matter: reader makes a JPEG of the pixels.
func (c *copier) heif() error {
	meta := box{}
	err := boxes(c.file, 0, c.written, func(b box) error {
		if b.kind == "meta" {
			meta = b
		}
		return nil
	})
	if err != nil {
		return err
	}
	// meta has a version before what is in it; ipco, in iprp, has the properties of all images.
	properties, err := find(c.file, box{begin: meta.begin + 4, end: meta.end}, "iprp", "ipco")
	if err != nil {
		return err
	}
	err = boxes(c.file, properties.begin, properties.end, func(b box) error {
		if b.kind != "ispe" {
			return nil
		}
		var p [12]byte
		if _, err := c.file.ReadAt(p[:], b.begin); err != nil {
			return err
		}
		width, height := int(binary.BigEndian.Uint32(p[4:])), int(binary.BigEndian.Uint32(p[8:]))
		if err := Pixels(width, height); err != nil {
			return err
		}
		if width*height > c.info.Width*c.info.Height { // the others are its tiles, its depth, its thumbnail
			c.info.Width, c.info.Height = width, height
		}
		return nil
	})
	if err == nil && c.info.Width == 0 {
		return ErrDamaged
	}
	return err
}

// find goes down the path of boxes.
func find(f io.ReaderAt, in box, path ...string) (box, error) {
	for _, kind := range path {
		found := box{}
		err := boxes(f, in.begin, in.end, func(b box) error {
			if b.kind == kind && found.kind == "" {
				found = b
			}
			return nil
		})
		if err != nil {
			return box{}, err
		}
		if found.kind == "" {
			return box{}, ErrDamaged
		}
		in = found
	}
	return in, nil
}

// maxBoxes is more than any photo has side by side.
const maxBoxes = 4096

// boxes hands on every box between begin and end.
func boxes(f io.ReaderAt, begin, end int64, use func(box) error) error {
	for range maxBoxes {
		if begin == end {
			return nil
		}
		var head [16]byte
		if end-begin < 8 {
			return ErrDamaged
		}
		if _, err := f.ReadAt(head[:min(16, end-begin)], begin); err != nil {
			return err
		}
		size, header := int64(binary.BigEndian.Uint32(head[:])), int64(8)
		switch size {
		case 0: // up to the end
			size = end - begin
		case 1:
			size, header = int64(binary.BigEndian.Uint64(head[8:])), 16 //nolint:gosec // a negative one is refused below
		}
		if size < header || size > end-begin {
			return ErrDamaged
		}
		if err := use(box{kind: string(head[4:8]), begin: begin + header, end: begin + size}); err != nil {
			return err
		}
		begin += size
	}
	return ErrDamaged
}
