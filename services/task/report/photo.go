package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // the photos may be
	"io"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/draw"
)

// Bounds on photos: of a report, of the file that is read and of the picture in it.
const (
	maxPhotos      = 600
	maxPhotoBytes  = 32 << 20
	maxPhotoPixels = 30_000_000
)

// A thumbnail's place, in points, and how fine it is.
const (
	photoWide   = 64.0
	photoHigh   = 48.0
	photoGap    = 6.0
	photoPixels = 5 // a point, in each direction
	photoGrade  = 78
)

// shownPhotos are those of a completion that the report shows, and the number of the others.
func shownPhotos(all []Photo) ([]Photo, int) {
	n := min(len(all), PhotosEach)
	return all[:n], len(all) - n
}

// photos draws thumbnails in a row whose top is at y.
func (s *sheet) photos(photos []Photo, more int, x, y float64) {
	for _, photo := range photos {
		s.photo(photo, x, y)
		x += photoWide + photoGap
	}
	if more > 0 {
		s.draw("+"+s.number(more), x, y+photoHigh/2+3, small)
		s.photosOut += more
	}
}

// photo draws one thumbnail whole, in the middle of its place. What cannot be read costs its own place and nothing else.
func (s *sheet) photo(photo Photo, x, y float64) {
	s.rounded(x, y, photoWide, photoHigh, 3, ground)
	if s.ctx.Err() != nil {
		return
	}
	if s.photosLeft == 0 {
		s.photosOut++
		s.centre("In Hearth", x+photoWide/2, y+photoHigh/2+3, small)
		return
	}
	s.photosLeft--
	thumb, err := thumbnail(photo)
	if err != nil {
		s.centre("Photo", x+photoWide/2, y+photoHigh/2-2, small)
		s.centre("not readable", x+photoWide/2, y+photoHigh/2+8, small)
		return
	}
	sum := sha256.Sum256(thumb.jpeg)
	name := hex.EncodeToString(sum[:]) // fpdf knows pictures by what they are: the same one under two names would be there twice
	options := fpdf.ImageOptions{ImageType: "jpg"}
	s.pdf.RegisterImageOptionsReader(name, options, bytes.NewReader(thumb.jpeg))
	scale := min(photoWide/float64(thumb.wide), photoHigh/float64(thumb.high))
	w, h := float64(thumb.wide)*scale, float64(thumb.high)*scale
	s.pdf.ImageOptions(name, x+(photoWide-w)/2, y+(photoHigh-h)/2, w, h, false, options, 0, "")
}

type thumb struct {
	jpeg       []byte
	wide, high int
}

// thumbnail makes a small JPEG of a photo. It is encoded anew, so that nothing of the original's bytes reaches the report.
func thumbnail(photo Photo) (t thumb, err error) {
	defer func() {
		if r := recover(); r != nil { // a decoder that a broken file has upset
			err = fmt.Errorf("photo: %v", r)
		}
	}()
	raw, err := read(photo)
	if err != nil {
		return thumb{}, err
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return thumb{}, fmt.Errorf("photo: %w", err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxPhotoPixels/size.Height {
		return thumb{}, fmt.Errorf("photo of %d by %d", size.Width, size.Height)
	}
	whole, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return thumb{}, fmt.Errorf("photo: %w", err)
	}
	scale := min(1, photoWide*photoPixels/float64(size.Width), photoHigh*photoPixels/float64(size.Height))
	t.wide, t.high = max(1, int(float64(size.Width)*scale)), max(1, int(float64(size.Height)*scale))
	little := whole
	if _, opaque := whole.(*image.YCbCr); scale < 1 || !opaque {
		little = shrunk(whole, t.wide, t.high)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, little, &jpeg.Options{Quality: photoGrade}); err != nil {
		return thumb{}, fmt.Errorf("thumbnail: %w", err)
	}
	t.jpeg = out.Bytes()
	return t, nil
}

// shrunk is the picture in that size, on white where it is transparent.
func shrunk(whole image.Image, wide, high int) image.Image {
	little := image.NewRGBA(image.Rect(0, 0, wide, high))
	draw.Draw(little, little.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(little, little.Bounds(), whole, whole.Bounds(), draw.Over, nil)
	return little
}

func read(photo Photo) ([]byte, error) {
	from, err := photo()
	if err != nil {
		return nil, fmt.Errorf("photo: %w", err)
	}
	defer func() { _ = from.Close() }()
	raw, err := io.ReadAll(io.LimitReader(from, maxPhotoBytes))
	if err != nil {
		return nil, fmt.Errorf("photo: %w", err)
	}
	return raw, nil
}
