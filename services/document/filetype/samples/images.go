package samples

import (
	"bytes"
	_ "embed" // the photo
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
)

// Corners are red, green, blue and white: top left, top right, bottom left, bottom right.
func Corners(width, height int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetNRGBA(x, y, corner(2*x >= width, 2*y >= height))
		}
	}
	return m
}

func corner(right, bottom bool) color.NRGBA {
	c := color.NRGBA{A: 255}
	if !bottom && !right || bottom && right {
		c.R = 255
	}
	if right {
		c.G = 255
	}
	if bottom {
		c.B = 255
	}
	return c
}

// Photo is an image with as much in it as a camera's: it does not become small by being even.
func Photo(width, height int) image.Image {
	m := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range m.Y {
		m.Y[i] = byte(i>>4) + byte(random.UintN(24)) //nolint:gosec // less than 24
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = byte(i>>5), byte(i>>7)
	}
	return m
}

// JPEG is the image with more segments behind its beginning.
func JPEG(m image.Image, segments ...[]byte) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		panic(err) // it is written to memory
	}
	body := b.Bytes()
	return bytes.Join([][]byte{body[:2], bytes.Join(segments, nil), body[2:]}, nil)
}

// Segment is a segment of a JPEG.
func Segment(marker byte, data string) []byte {
	head := []byte{0xff, marker, 0, 0}
	binary.BigEndian.PutUint16(head[2:], uint16(len(data)+2)) //nolint:gosec // samples are short
	return append(head, data...)
}

// EXIF is the segment of a camera: how to turn the image, and where it was taken.
func EXIF(orientation byte) []byte {
	return Segment(0xe1, "Exif\x00\x00"+string(exifBlock(orientation)))
}

// Place is the latitude that EXIF tells, as it stands in the file.
const Place = "\x00\x00\x00\x34\x00\x00\x00\x01\x00\x00\x00\x1f\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x01"

func exifBlock(orientation byte) []byte {
	var b bytes.Buffer
	b.WriteString("MM\x00*\x00\x00\x00\x08")
	b.WriteString("\x00\x02")                                                                // two entries
	b.WriteString("\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00") // orientation
	b.WriteString("\x88\x25\x00\x04\x00\x00\x00\x01\x00\x00\x00\x26")                        // GPS at 38
	b.WriteString("\x00\x00\x00\x00")                                                        // no further directory
	b.WriteString("\x00\x02")                                                                // two entries
	b.WriteString("\x00\x01\x00\x02\x00\x00\x00\x02N\x00\x00\x00")                           // north
	b.WriteString("\x00\x02\x00\x05\x00\x00\x00\x03\x00\x00\x00\x44")                        // latitude at 68
	b.WriteString("\x00\x00\x00\x00" + Place)
	return b.Bytes()
}

// PNG is the image with more chunks behind its header.
func PNG(m image.Image, chunks ...[]byte) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // it is written to memory
	}
	const header = 8 + 12 + 13
	body := b.Bytes()
	return bytes.Join([][]byte{body[:header], bytes.Join(chunks, nil), body[header:]}, nil)
}

// Chunk is a chunk of a PNG.
func Chunk(kind, data string) []byte {
	var b []byte
	b = binary.BigEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // samples are short
	b = append(b, kind+data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// PNGHeader is the header of a PNG of that size, and nothing behind it.
func PNGHeader(width, height uint32) []byte {
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return append([]byte("\x89PNG\r\n\x1a\n"), Chunk("IHDR", string(size)+"\x08\x06\x00\x00\x00")...)
}

// WebP is Corners; transparent: with a hole where white is. More chunks stand behind the image.
func WebP(width, height int, transparent bool, chunks ...[]byte) []byte {
	b := &bits{}
	b.put(0x2f, 8)
	b.put(uint32(width-1), 14)  //nolint:gosec // samples are small
	b.put(uint32(height-1), 14) //nolint:gosec // samples are small
	b.put(1, 1)                 // alpha is used
	b.put(0, 3+1+1+1)           // version; no transform, no colour cache, no meta codes
	for range 4 {               // green, red, blue and alpha are 0 or 255, a bit each
		b.put(1|1<<1|1<<2, 3)
		b.put(0, 8)
		b.put(255, 8)
	}
	b.put(1, 1+1+1+1) // distances: one symbol of one bit, 0
	for y := range height {
		for x := range width {
			c := corner(2*x >= width, 2*y >= height)
			hole := transparent && c.R&c.G&c.B == 255
			for _, set := range []bool{c.G == 255, c.R == 255, c.B == 255, !hole} {
				b.flag(set)
			}
		}
	}
	return RIFF(append([][]byte{RIFFChunk("VP8L", string(b.bytes()))}, chunks...)...)
}

// RIFF is a WebP with the chunks.
func RIFF(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...) //nolint:gosec // samples are short
}

// RIFFChunk is a chunk of a WebP.
func RIFFChunk(kind, data string) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data))) //nolint:gosec // samples are short
	b = append(b, data...)
	if len(data)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// bits are put together from the lowest on.
type bits struct {
	out  []byte
	left uint64
	n    int
}

func (b *bits) put(value uint32, n int) {
	b.left |= uint64(value) << b.n
	b.n += n
	for b.n >= 8 {
		b.out = append(b.out, byte(b.left)) //nolint:gosec // the lowest eight
		b.left >>= 8
		b.n -= 8
	}
}

func (b *bits) flag(set bool) {
	if set {
		b.put(1, 1)
	} else {
		b.put(0, 1)
	}
}

func (b *bits) bytes() []byte {
	if b.n > 0 {
		b.put(0, 8-b.n)
	}
	return b.out
}

//go:embed heic/photo.heic
var photo []byte

// HEIC is a photo of a phone, 512 by 512 pixels.
func HEIC() []byte { return bytes.Clone(photo) }

// TurnedHEIC is the same photo, to be turned by 90 degrees counter-clockwise by its own property, not by EXIF.
func TurnedHEIC() []byte {
	// The property that tells the bits of a pixel, which every decoder finds out itself, gives its place.
	return bytes.Replace(photo, []byte("pixi\x00\x00\x00\x00\x03\x08\x08\x08"), []byte("irot\x01\x00\x00\x00\x00\x00\x00\x00"), 1)
}
