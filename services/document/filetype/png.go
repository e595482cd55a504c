package filetype

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// pngKept are the chunks that say how the pixels look. Everything else about them is dropped: text, EXIF, times, the
// frames of an animation but its first.
var pngKept = []string{"PLTE", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "bKGD", "pHYs", "cICP"}

// pngFile is what was seen of a PNG so far.
type pngFile struct {
	*copier
	colour            byte
	palette, data     bool // seen
	dataEnded, finish bool
}

func (c *copier) png() error {
	signature, err := c.take(8)
	if err != nil {
		return err
	}
	if err := c.write(signature); err != nil {
		return err
	}
	p := &pngFile{copier: c}
	for !p.finish {
		if err := p.chunk(); err != nil {
			return err
		}
	}
	return nil
}

func (p *pngFile) chunk() error {
	head, err := p.take(8)
	if err != nil {
		return err
	}
	size, kind := binary.BigEndian.Uint32(head), string(head[4:])
	if size > 1<<31-1 {
		return ErrDamaged
	}
	keep, err := p.order(kind, size)
	if err != nil {
		return err
	}
	use := nothing
	if keep {
		use = p.write
		if err := p.write(head); err != nil {
			return err
		}
	}
	return p.body(head[4:], int64(size), use)
}

// body hands the chunk's data and its checksum on, and checks that.
func (p *pngFile) body(kind []byte, size int64, use func([]byte) error) error {
	sum := crc32.NewIEEE()
	_, _ = sum.Write(kind)
	var exif []byte
	err := p.each(size, func(b []byte) error {
		_, _ = sum.Write(b)
		if string(kind) == "eXIf" && len(exif) < exifSize {
			exif = append(exif, b...)
		}
		return use(b)
	})
	if err != nil {
		return err
	}
	want, err := p.take(4)
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint32(want) != sum.Sum32() {
		return ErrDamaged
	}
	if exif != nil && p.info.Orientation == 1 {
		p.info.Orientation = orientation(exif)
	}
	return use(want)
}

// order refuses a chunk where it must not stand, and says whether it is kept.
func (p *pngFile) order(kind string, size uint32) (bool, error) {
	if p.info.Width == 0 {
		if kind != "IHDR" || size != 13 {
			return false, ErrDamaged
		}
		return true, p.header()
	}
	p.dataEnded = p.dataEnded || (p.data && kind != "IDAT")
	switch kind {
	case "IDAT":
		if p.dataEnded || (p.colour == 3 && !p.palette) {
			return false, ErrDamaged
		}
		p.data = true
		return true, nil
	case "IEND":
		if size != 0 || !p.data {
			return false, ErrDamaged
		}
		p.finish = true
		return true, nil
	case "PLTE":
		if p.palette || p.data || size == 0 || size%3 != 0 || size > 3*256 {
			return false, ErrDamaged
		}
		p.palette = true
		return true, nil
	}
	if kind[0]&0x20 == 0 { // a critical one that nobody knows, or a second header
		return false, ErrDamaged
	}
	return !p.data && slices.Contains(pngKept, kind), nil
}

// header looks at the header that follows.
func (p *pngFile) header() error {
	b, err := p.r.Peek(13)
	if err != nil {
		return err
	}
	depth, colour := b[8], b[9]
	depths := map[byte][]byte{0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
	if !slices.Contains(depths[colour], depth) || b[10] != 0 || b[11] != 0 || b[12] > 1 {
		return ErrDamaged
	}
	width, height := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	p.colour = colour
	return p.size(int(min(width, 1<<31-1)), int(min(height, 1<<31-1)))
}
