package reader

import (
	"image"

	"golang.org/x/image/draw"
)

// turned is the image as EXIF's orientation (1 to 8) says that it is to be looked at. What a JPEG holds stays as it is
// held: brightness and colours are turned by themselves.
func turned(m image.Image, orientation int) image.Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	switch m := m.(type) {
	case *image.YCbCr:
		if r, ok := turnedRatio(m.SubsampleRatio, orientation); ok {
			return turnYCbCr(m, r, orientation)
		}
	case *image.Gray:
		out := image.NewGray(turnedRect(m.Rect, orientation))
		plane{m.Pix, m.Stride, m.Rect.Dx(), m.Rect.Dy(), 1}.turn(out.Pix, out.Stride, orientation)
		return out
	}
	b := m.Bounds()
	if opaque(m) { // the encoder of JPEGs is quick with these
		from := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(from, from.Rect, m, b.Min, draw.Src)
		out := image.NewRGBA(turnedRect(from.Rect, orientation))
		plane{from.Pix, from.Stride, b.Dx(), b.Dy(), 4}.turn(out.Pix, out.Stride, orientation)
		return out
	}
	from, ok := m.(*image.NRGBA)
	if !ok {
		from = image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(from, from.Rect, m, b.Min, draw.Src)
	}
	out := image.NewNRGBA(turnedRect(from.Rect, orientation))
	plane{from.Pix, from.Stride, b.Dx(), b.Dy(), 4}.turn(out.Pix, out.Stride, orientation)
	return out
}

// onItsSide says whether width becomes height.
func onItsSide(orientation int) bool { return orientation >= 5 }

func turnedRect(r image.Rectangle, orientation int) image.Rectangle {
	if onItsSide(orientation) {
		return image.Rect(0, 0, r.Dy(), r.Dx())
	}
	return image.Rect(0, 0, r.Dx(), r.Dy())
}

func turnedRatio(r image.YCbCrSubsampleRatio, orientation int) (image.YCbCrSubsampleRatio, bool) {
	switch {
	case r == image.YCbCrSubsampleRatio444, r == image.YCbCrSubsampleRatio420:
		return r, true
	case r == image.YCbCrSubsampleRatio422 && onItsSide(orientation):
		return image.YCbCrSubsampleRatio440, true
	case r == image.YCbCrSubsampleRatio440 && onItsSide(orientation):
		return image.YCbCrSubsampleRatio422, true
	}
	return r, !onItsSide(orientation)
}

func turnYCbCr(m *image.YCbCr, ratio image.YCbCrSubsampleRatio, orientation int) image.Image {
	out := image.NewYCbCr(turnedRect(m.Rect, orientation), ratio)
	plane{m.Y, m.YStride, m.Rect.Dx(), m.Rect.Dy(), 1}.turn(out.Y, out.YStride, orientation)
	width, height := chroma(out)
	if onItsSide(orientation) {
		width, height = height, width
	}
	plane{m.Cb, m.CStride, width, height, 1}.turn(out.Cb, out.CStride, orientation)
	plane{m.Cr, m.CStride, width, height, 1}.turn(out.Cr, out.CStride, orientation)
	return out
}

// chroma is the size of an image's colour planes.
func chroma(m *image.YCbCr) (width, height int) { return m.CStride, len(m.Cb) / max(1, m.CStride) }

// plane is a part of an image: rows of pixels of so many bytes.
type plane struct {
	pix           []byte
	stride        int
	width, height int
	bytes         int
}

// turn writes the plane turned.
func (p plane) turn(out []byte, stride, orientation int) {
	at, right, down := p.walk(orientation)
	width, height := p.width, p.height
	if onItsSide(orientation) {
		width, height = height, width
	}
	for y := range height {
		from, row := at+y*down, out[y*stride:]
		if p.bytes == 1 {
			for x := range width {
				row[x] = p.pix[from]
				from += right
			}
			continue
		}
		for x := range width {
			copy(row[x*p.bytes:][:p.bytes], p.pix[from:])
			from += right
		}
	}
}

// walk says where in the plane the first pixel of the turned one is, and where its next to the right and below are.
func (p plane) walk(orientation int) (at, right, down int) {
	lastColumn, lastRow := (p.width-1)*p.bytes, (p.height-1)*p.stride
	switch orientation {
	case 2:
		return lastColumn, -p.bytes, p.stride
	case 3:
		return lastRow + lastColumn, -p.bytes, -p.stride
	case 4:
		return lastRow, p.bytes, -p.stride
	case 5:
		return 0, p.stride, p.bytes
	case 6:
		return lastRow, -p.stride, p.bytes
	case 7:
		return lastRow + lastColumn, -p.stride, -p.bytes
	case 8:
		return lastColumn, p.stride, -p.bytes
	}
	return 0, p.bytes, p.stride
}
