// Package reader decodes files: pictures, PDFs, the text of documents. All of it happens in a child process, this same
// program started with the argument read-files: what it takes of memory comes back, a decoder that crashes or never ends
// takes nobody with it, and the service stays small.
//
// A main that opens a Reader begins with
//
//	if reader.Asked(os.Args[1:]) {
//		if err := reader.Serve(os.Stdin, os.Stdout); err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(1)
//		}
//		return
//	}
package reader

import (
	"context"
	"errors"
	"time"

	"hearth.internal/document/filetype"
)

// What a decoder can say. Anything else is our own fault, or the machine's: worth another try.
var (
	ErrDamaged = errors.New("the file cannot be decoded")
	ErrTooHard = errors.New("the file takes too much time or memory to decode")
)

// ErrClosed is of a Reader that was closed.
var ErrClosed = errors.New("the reader of files is closed")

// Options are how a Reader works. The zero value of each is good.
type Options struct {
	Program string        // to start with read-files; default: this one
	Dir     string        // keeps what is compiled once, so that children start fast; made when it is missing; default: nothing is kept
	Timeout time.Duration // for one file; default 30 s
	Idle    time.Duration // after which a child is ended; default 2 min
	Files   int           // after which a child is ended; default 50
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

// Pages is what is in a PDF. Of one that asks for a password nothing is known: no pages, no text, no pictures, no error.
type Pages struct {
	Count    int
	Text     string // at most TextSize bytes of the first pages
	Pictures Pictures
}

// TextSize is how many bytes of a file's text are read at most.
const TextSize = 200 << 10

// Reader decodes files, one at a time in each of its two children: one for requests (Upright), one for what is done in the
// background (the others), which gives way to everything else on the machine. They are started when there is something to
// read. When a method fails, what it has written so far is worth nothing.
type Reader struct {
	requests, background *lane
}

// New is a Reader with no child yet.
func New(o Options) *Reader {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Idle == 0 {
		o.Idle = 2 * time.Minute
	}
	if o.Files == 0 {
		o.Files = 50
	}
	return &Reader{requests: newLane(o, argument), background: newLane(o, argument, backgroundArgument)}
}

// Close waits for what is being read just now, a file's timeout at most, and ends the children.
func (r *Reader) Close() error {
	r.requests.close()
	r.background.close()
	return nil
}

// Upright writes the image at the path in to the path out, turned so that it needs no orientation any more: a HEIC and a
// JPEG as JPEG, a PNG as PNG, a WebP as JPEG, or as PNG when some of it is transparent. For requests.
//
// A HEIC turns itself: its orientation is not applied a second time.
func (r *Reader) Upright(ctx context.Context, in, out string, t filetype.Type, orientation int) (Picture, error) {
	a, err := r.requests.ask(ctx, question{Op: opUpright, In: in, Out: out, Type: t, Orientation: orientation})
	return a.Picture, err
}

// Thumbnails writes small JPEGs of an upright image; what is transparent becomes white. For background work.
func (r *Reader) Thumbnails(ctx context.Context, in string, t filetype.Type, thumb, preview string) (Pictures, error) {
	a, err := r.background.ask(ctx, question{Op: opThumbnails, In: in, Type: t, Out: thumb, Preview: preview})
	return a.Pages.Pictures, err
}

// PDF reads a PDF and writes small JPEGs of its first page (none of one without pages). For background work.
func (r *Reader) PDF(ctx context.Context, in, thumb, preview string) (Pages, error) {
	a, err := r.background.ask(ctx, question{Op: opPDF, In: in, Type: filetype.PDFFile, Out: thumb, Preview: preview})
	return a.Pages, err
}

// Text is the beginning of a plain text's, a docx's or an odt's words; of other types it is empty. For background work.
func (r *Reader) Text(ctx context.Context, in string, t filetype.Type) (string, error) {
	a, err := r.background.ask(ctx, question{Op: opText, In: in, Type: t})
	return a.Pages.Text, err
}
