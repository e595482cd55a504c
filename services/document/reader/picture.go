package reader

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"hearth.internal/document/filetype"
)

// Qualities of JPEGs: of what is kept instead of what was sent, and of small versions.
const (
	keptQuality  = 92
	smallQuality = 80
)

// smallProfile is the largest colour profile that a small version carries: a larger one would outweigh it.
const smallProfile = 32 << 10

// decoders are what decodes; those that must be compiled are made ready when they are first needed.
type decoders struct {
	dir  string
	heic *heic
	pdfs *pdfs
}

// prepare makes ready what the question needs: it takes seconds where nothing was compiled before.
func (d *decoders) prepare(q question) (err error) {
	switch {
	case q.Op == opPDF && d.pdfs == nil:
		d.pdfs, err = newPDFs(d.dir)
	case (q.Type == filetype.HEIC || q.Type == filetype.HEIF) && d.heic == nil:
		d.heic, err = newHEIC(context.Background(), d.dir)
	}
	return err
}

// source is an image that was decoded.
type source struct {
	image.Image
	profile []byte // of its colours; nil: sRGB, or what everybody takes it for
}

// decode reads an image. What its decoder refuses is damaged: the decoders are strict about the image's data, so a photo
// whose structure is whole and whose data is not is found here.
func (d *decoders) decode(path string, t filetype.Type) (source, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return source{}, fmt.Errorf("read the file: %w", err)
	}
	var m image.Image
	switch t {
	case filetype.JPEG:
		m, err = bounded(body, jpeg.DecodeConfig, jpeg.Decode)
	case filetype.PNG:
		m, err = bounded(body, png.DecodeConfig, png.Decode)
	case filetype.WebP:
		m, err = bounded(body, webp.DecodeConfig, webp.Decode)
	case filetype.HEIC, filetype.HEIF:
		m, err = d.decodeHEIC(body)
	default:
		return source{}, fmt.Errorf("%s is no image", t.MIME)
	}
	if err != nil {
		return source{}, err
	}
	return source{m, profile(body, t)}, nil
}

// bounded looks at the size before it decodes.
func bounded(body []byte, config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error)) (image.Image, error) {
	c, err := config(bytes.NewReader(body))
	if err == nil {
		err = filetype.Pixels(c.Width, c.Height)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	m, err := decode(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, nil
}

func (d *decoders) upright(q question) (answer, error) {
	m, err := d.decode(q.In, q.Type)
	if err != nil {
		return answer{}, err
	}
	o := q.Orientation
	t := filetype.JPEG
	switch q.Type {
	case filetype.HEIC, filetype.HEIF:
		o = 1 // its decoder has turned it: the file's own properties count, EXIF only repeats them
	case filetype.PNG:
		t = filetype.PNG
	case filetype.WebP:
		if !opaque(m.Image) {
			t = filetype.PNG
		}
	}
	m.Image = turned(m.Image, o)
	p, err := write(q.Out, m, t, keptQuality)
	return answer{Picture: p}, err
}

func opaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

func (d *decoders) thumbnails(q question) (answer, error) {
	m, err := d.decode(q.In, q.Type)
	if err != nil {
		return answer{}, err
	}
	p, err := small(m, q.Out, q.Preview)
	return answer{Pages: Pages{Pictures: p}}, err
}

// small writes the small versions: the thumbnail is made of the preview.
func small(m source, thumb, preview string) (p Pictures, err error) {
	if len(m.profile) > smallProfile {
		m.profile = nil
	}
	m.Image = shrunk(m.Image, PreviewSize)
	if p.Preview, err = write(preview, m, filetype.JPEG, smallQuality); err != nil {
		return p, err
	}
	m.Image = shrunk(m.Image, ThumbSize)
	p.Thumb, err = write(thumb, m, filetype.JPEG, smallQuality)
	return p, err
}

// write encodes the image and its colours' profile.
func write(path string, m source, t filetype.Type, quality int) (p Picture, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return p, fmt.Errorf("write the picture: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("write the picture: %w", closeErr)
		}
	}()
	w := bufio.NewWriter(f)
	out := withProfile(w, m, t)
	if t == filetype.PNG {
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(out, m.Image)
	} else {
		err = jpeg.Encode(out, m.Image, &jpeg.Options{Quality: quality})
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		return p, fmt.Errorf("write the picture: %w", err)
	}
	return Picture{Type: t, Width: m.Bounds().Dx(), Height: m.Bounds().Dy()}, nil
}

// shrunk is the image with at most side pixels on its longer side, on white where it is transparent.
func shrunk(m image.Image, side int) *image.RGBA {
	b := m.Bounds()
	longer := max(b.Dx(), b.Dy())
	if already, ok := m.(*image.RGBA); ok && longer <= side && already.Opaque() {
		return already
	}
	// Averaging whole pixels is quick and takes no memory; the last step, to less than half, is what the eye sees.
	coarse := averaged(m, max(1, longer/side))
	c := coarse.Bounds()
	if max(c.Dx(), c.Dy()) <= side {
		return coarse
	}
	fine := image.NewRGBA(image.Rect(0, 0, scaled(b.Dx(), side, longer), scaled(b.Dy(), side, longer)))
	draw.CatmullRom.Scale(fine, fine.Bounds(), coarse, c, draw.Src, nil)
	return fine
}

func scaled(length, side, longer int) int { return max(1, (length*side+longer/2)/longer) }

// averaged makes one pixel of every n by n, reading the image in bands of n rows. What is left at the edges is averaged
// among itself.
func averaged(m image.Image, n int) *image.RGBA {
	b := m.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, (b.Dx()+n-1)/n, (b.Dy()+n-1)/n))
	band := image.NewRGBA(image.Rect(0, 0, b.Dx(), n))
	for y := range out.Rect.Dy() {
		rows := band.SubImage(image.Rect(0, 0, b.Dx(), min(n, b.Dy()-y*n))).(*image.RGBA) //nolint:errcheck // it is what it was
		from := image.Pt(b.Min.X, b.Min.Y+y*n)
		if opaque(m) {
			draw.Draw(rows, rows.Rect, m, from, draw.Src)
		} else {
			draw.Draw(rows, rows.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
			draw.Draw(rows, rows.Rect, m, from, draw.Over)
		}
		average(out.Pix[y*out.Stride:][:out.Stride], rows, n)
	}
	return out
}

func average(out []byte, band *image.RGBA, n int) {
	width, height := band.Rect.Dx(), band.Rect.Dy()
	for x := range len(out) / 4 {
		var r, g, b uint32
		left, right := x*n, min((x+1)*n, width)
		for y := range height {
			row := band.Pix[y*band.Stride:]
			for p := row[4*left : 4*right]; len(p) >= 4; p = p[4:] {
				r, g, b = r+uint32(p[0]), g+uint32(p[1]), b+uint32(p[2])
			}
		}
		count := uint32((right - left) * height) //nolint:gosec // at most a band's
		half := count / 2
		o := out[4*x:][:4]
		o[0], o[1], o[2], o[3] = byte((r+half)/count), byte((g+half)/count), byte((b+half)/count), 255 //nolint:gosec // an average of bytes
	}
}
