package reader

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"

	"hearth.internal/document/filetype"
)

// maxProfile is the largest colour profile that is carried over.
const maxProfile = 4 << 20

const jpegProfile = "ICC_PROFILE\x00"

// profile is the colour profile in a file; nil where there is none, or none that makes sense: the picture is then shown as
// if there were none.
func profile(body []byte, t filetype.Type) []byte {
	var p []byte
	switch t {
	case filetype.JPEG:
		p = profileOfJPEG(body)
	case filetype.PNG:
		p = profileOfPNG(body)
	case filetype.WebP:
		p = profileOfWebP(body)
	case filetype.HEIC, filetype.HEIF:
		p = profileOfHEIC(body)
	}
	if len(p) < 128 || len(p) > maxProfile || string(p[36:40]) != "acsp" {
		return nil
	}
	return p
}

func profileOfJPEG(body []byte) (p []byte) {
	for body = body[min(2, len(body)):]; len(body) > 4 && body[0] == 0xff && body[1] != 0xda; {
		n := int(binary.BigEndian.Uint16(body[2:])) + 2
		if n > len(body) {
			return nil
		}
		segment := body[4:n]
		if body[1] == 0xe2 && bytes.HasPrefix(segment, []byte(jpegProfile)) && len(segment) > 14 {
			p = append(p, segment[14:]...) // its parts are written in their order
		}
		body = body[n:]
	}
	return p
}

func profileOfPNG(body []byte) []byte {
	for body = body[min(8, len(body)):]; len(body) >= 12; {
		n := int64(binary.BigEndian.Uint32(body))
		if n+12 > int64(len(body)) || string(body[4:8]) == "IDAT" {
			return nil
		}
		if string(body[4:8]) == "iCCP" {
			_, packed, _ := bytes.Cut(body[8:8+n], []byte{0})
			if len(packed) == 0 {
				return nil
			}
			z, err := zlib.NewReader(bytes.NewReader(packed[1:]))
			if err != nil {
				return nil //nolint:nilerr // it is shown as if there were none
			}
			p, err := io.ReadAll(io.LimitReader(z, maxProfile+1))
			if err != nil {
				return nil //nolint:nilerr // as above
			}
			return p
		}
		body = body[n+12:]
	}
	return nil
}

func profileOfWebP(body []byte) []byte {
	for body = body[min(12, len(body)):]; len(body) >= 8; {
		n := int64(binary.LittleEndian.Uint32(body[4:]))
		if n+8 > int64(len(body)) {
			return nil
		}
		if string(body[:4]) == "ICCP" {
			return body[8 : 8+n]
		}
		body = body[min(n+8+n%2, int64(len(body))):]
	}
	return nil
}

// profileOfHEIC is the first one of its images': they share it.
func profileOfHEIC(body []byte) []byte {
	for _, kind := range []string{"colrprof", "colrrICC"} {
		at := bytes.Index(body, []byte(kind))
		if at < 4 {
			continue
		}
		if n := int64(binary.BigEndian.Uint32(body[at-4:])); n >= 12 && int64(at)-4+n <= int64(len(body)) {
			return body[at+8 : int64(at)-4+n]
		}
	}
	return nil
}

// withProfile puts the image's profile behind the head of what is written, if it is one of such colours as are written.
func withProfile(w io.Writer, m source, t filetype.Type) io.Writer {
	if m.profile == nil || string(m.profile[16:20]) != space(m.Image) {
		return w
	}
	if t == filetype.PNG {
		return &inserter{w: w, at: 8 + 12 + 13, insert: pngProfile(m.profile)}
	}
	return &inserter{w: w, at: 2, insert: jpegSegments(m.profile)}
}

// space is the name, in a profile, of the colours that our encoders write of the image.
func space(m image.Image) string {
	switch m.(type) {
	case *image.Gray, *image.Gray16:
		return "GRAY"
	case *image.CMYK:
		return "" // it becomes one of red, green and blue, without a profile's help
	}
	return "RGB "
}

func jpegSegments(p []byte) (out []byte) {
	const part = 65_533 - len(jpegProfile) - 2
	count := (len(p) + part - 1) / part
	for i := range count {
		data := p[i*part : min((i+1)*part, len(p))]
		n := 2 + len(jpegProfile) + 2 + len(data)
		out = binary.BigEndian.AppendUint16(append(out, 0xff, 0xe2), uint16(n)) //nolint:gosec // at most 65,535
		out = append(append(out, jpegProfile...), byte(i+1), byte(count))       //nolint:gosec // maxProfile has 65 parts
		out = append(out, data...)
	}
	return out
}

func pngProfile(p []byte) []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(p) // to memory
	_ = z.Close()
	data := append([]byte("iCCPICC\x00\x00"), packed.Bytes()...)
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)-4)) //nolint:gosec // at most maxProfile
	out = append(out, data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(data))
}

// inserter writes insert behind the first at bytes.
type inserter struct {
	w      io.Writer
	at     int
	insert []byte
}

func (i *inserter) Write(p []byte) (int, error) {
	if i.insert == nil || len(p) < i.at {
		n, err := i.w.Write(p)
		i.at -= n
		return n, err
	}
	head, err := i.w.Write(p[:i.at])
	if err == nil {
		_, err = i.w.Write(i.insert)
	}
	i.insert = nil
	if err != nil {
		return head, err
	}
	n, err := i.w.Write(p[head:])
	return head + n, err
}
