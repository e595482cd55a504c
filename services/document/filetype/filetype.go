// Package filetype says what a file is, by its content alone, and makes of it what may be kept: no place and no camera in
// a photo, nothing behind its end, no more pixels than can be shown, nothing that a browser would run.
//
// All of it happens while the bytes go by, in a few KiB of memory, and decodes no picture: that is package reader's part.
package filetype

import (
	"errors"
	"io"
)

// Kind is what can be done with a file.
type Kind string

// The kinds.
const (
	Image  Kind = "image"  // shown, with thumbnails
	PDF    Kind = "pdf"    // shown, with a picture of its first page
	Text   Kind = "text"   // handed out as an attachment
	Office Kind = "office" // handed out as an attachment
)

// Type is a type of file that is taken. The zero Type is none.
type Type struct {
	MIME string `json:"mime"`
	Ext  string `json:"ext"` // with its dot
	Kind Kind   `json:"kind"`
}

// Inline says whether a browser may show it; anything else is an attachment.
func (t Type) Inline() bool { return t.Kind == Image || t.Kind == PDF }

// The types that are taken.
var (
	JPEG      = Type{"image/jpeg", ".jpg", Image}
	PNG       = Type{"image/png", ".png", Image}
	WebP      = Type{"image/webp", ".webp", Image}
	HEIC      = Type{"image/heic", ".heic", Image} // never kept: package reader makes a JPEG of it
	HEIF      = Type{"image/heif", ".heif", Image} // likewise
	PDFFile   = Type{"application/pdf", ".pdf", PDF}
	PlainText = Type{"text/plain; charset=utf-8", ".txt", Text}
	DOCX      = Type{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx", Office}
	XLSX      = Type{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx", Office}
	PPTX      = Type{"application/vnd.openxmlformats-officedocument.presentationml.presentation", ".pptx", Office}
	ODT       = Type{"application/vnd.oasis.opendocument.text", ".odt", Office}
	ODS       = Type{"application/vnd.oasis.opendocument.spreadsheet", ".ods", Office}
	ODP       = Type{"application/vnd.oasis.opendocument.presentation", ".odp", Office}
	DOC       = Type{"application/msword", ".doc", Office}
	XLS       = Type{"application/vnd.ms-excel", ".xls", Office}
	PPT       = Type{"application/vnd.ms-powerpoint", ".ppt", Office}
)

// What is wrong with a file. Errors of reading and writing come as they are.
var (
	ErrEmpty         = errors.New("the file is empty")
	ErrNotAllowed    = errors.New("files of that type are not taken")
	ErrDamaged       = errors.New("the file is damaged")
	ErrTooManyPixels = errors.New("the image has too many pixels")
)

// File is where the clean file goes: an *os.File opened for reading and writing, empty, at its beginning, not O_APPEND.
// What is only known at the end (a WebP's size, what is in an Office file) is corrected and checked there.
type File interface {
	io.Writer
	io.WriterAt
	io.ReaderAt
}

// Info is what is known of a file that was cleaned.
type Info struct {
	Type        Type
	Size        int64 // of what was written: less than was read where something was dropped
	Width       int   // of an image, as its pixels are stored: before Orientation is applied
	Height      int
	Orientation int // EXIF's 1..8 of an image, 1 upright; what is written no longer tells it
}

// Rework says whether the image must go through reader.Upright before it is kept: one that is not upright, and a HEIC.
func (i Info) Rework() bool {
	return i.Type == HEIC || i.Type == HEIF || i.Orientation > 1
}
