package httpx

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"hearth.internal/pkg/apperr"
)

const (
	// silence is how long a client may send nothing of a file.
	silence = 30 * time.Second
	// What a form may have beside its file.
	formParts     = 10
	formFieldSize = 1 << 10
	formRest      = 64 << 10 // all of it, with the headers of the parts, which are held in memory
)

const formType = "multipart/form-data"

// holdBody reads a body whole and puts it in the place of the stream, unless it is a form: that is left to the operation.
func holdBody(c *fiber.Ctx) error {
	stream := c.Request().BodyStream()
	switch {
	case stream == nil:
		return c.Next()
	case strings.HasPrefix(strings.ToLower(c.Get(fiber.HeaderContentType)), "multipart/"):
		return leaveForm(c, stream)
	}
	var body []byte
	var err error
	if c.Request().Header.ContentLength() <= bodyLimit {
		if body, err = io.ReadAll(io.LimitReader(stream, bodyLimit+1)); err != nil {
			c.Response().SetConnectionClose()
			return apperr.MalformedRequest.Wrap(err, "The body could not be read to its end.")
		}
	}
	if len(body) > bodyLimit || c.Request().Header.ContentLength() > bodyLimit {
		closeUnread(c)
		return apperr.BodyTooLarge.New("The body may be %d bytes at most.", bodyLimit)
	}
	c.Request().SetBodyStream(bytes.NewReader(body), len(body))
	c.Locals(heldBody{}, body)
	return c.Next()
}

// heldBody is the key of a body that was read, formBody{} that of one that is not.
type heldBody struct{}

// bodyOf is the whole body of a request; of a form it is none.
func bodyOf(c *fiber.Ctx) []byte {
	if c.App().Server().StreamRequestBody {
		held, _ := c.Locals(heldBody{}).([]byte)
		return held
	}
	return c.Body()
}

// closeUnread ends the connection after the answer: what is left of the body would be taken for a request.
func closeUnread(c *fiber.Ctx) {
	c.Response().SetConnectionClose()
	if conn, ok := c.Context().Conn().(*connection); ok {
		conn.unread.Store(true)
	}
}

func leaveForm(c *fiber.Ctx, stream io.Reader) error {
	body := &formBody{from: stream, conn: c.Context().Conn()}
	c.Locals(formKey{}, body)
	err := c.Next()
	if !body.ended {
		closeUnread(c)
	}
	return err
}

type formKey struct{}

// formBody is a form on its way in.
type formBody struct {
	from  io.Reader
	conn  net.Conn
	until time.Time
	ended bool
}

// Read waits for the client as long as it may be silent, and not beyond the request's deadline.
func (b *formBody) Read(p []byte) (int, error) {
	next := time.Now().Add(silence)
	if next.After(b.until) {
		next = b.until
	}
	_ = b.conn.SetReadDeadline(next) // a closed connection shows in the read
	n, err := b.from.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err // a reader hands on what it gets
}

// Form is embedded in the input of an operation that takes a file, as multipart/form-data.
type Form struct {
	body     *formBody
	boundary string
}

// Resolve finds the form in the request; that there is none shows when it is read.
func (f *Form) Resolve(ctx huma.Context) []error {
	kind, params, err := mime.ParseMediaType(ctx.Header("Content-Type"))
	body, found := humafiber.Unwrap(ctx).Locals(formKey{}).(*formBody)
	if err == nil && kind == formType && found {
		body.until, _ = ctx.Context().Deadline() // every request has one
		f.body, f.boundary = body, params["boundary"]
	}
	return nil
}

// Read reads the form to its end. It calls file with the one file, as it comes, and the name that it was sent with, and
// answers the fields beside it.
func (f *Form) Read(file func(filename string, from io.Reader) error) (map[string]string, error) {
	if f.boundary == "" {
		return nil, apperr.WrongContentType.New("Send the file as %s, in the field file.", formType)
	}
	rest := &restOf{from: f.body, left: formRest}
	parts := multipart.NewReader(rest, f.boundary)
	fields, files := map[string]string{}, 0
	for range formParts {
		part, err := parts.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && files == 0:
			return nil, apperr.InvalidField("body.file", "is required")
		case errors.Is(err, io.EOF):
			return fields, f.end()
		case err != nil:
			return nil, unreadable(err)
		case part.FormName() == "file":
			if files++; files > 1 {
				return nil, apperr.InvalidField("body.file", "is there twice")
			}
			rest.file = true
			if err := file(filename(part), part); err != nil {
				return nil, err
			}
			rest.file = false
			continue
		}
		if err := takeField(fields, part); err != nil {
			return nil, err
		}
	}
	return nil, apperr.InvalidField("body", "has too many parts")
}

// takeField reads a part that is no file.
func takeField(fields map[string]string, part *multipart.Part) error {
	name := part.FormName()
	value, err := io.ReadAll(io.LimitReader(part, formFieldSize+1))
	switch {
	case err != nil:
		return unreadable(err)
	case name == "" || !clean([]byte(name)):
		return apperr.InvalidField("body", "has a part without a name")
	case len(value) > formFieldSize:
		return apperr.InvalidField("body."+name, "is too long")
	case !clean(value):
		return badText("body." + name)
	}
	if _, there := fields[name]; there {
		return apperr.InvalidField("body."+name, "is there twice")
	}
	fields[name] = string(value)
	return nil
}

// end reads what may follow the last part, so that the connection is good for another request.
func (f *Form) end() error {
	if _, err := io.Copy(io.Discard, io.LimitReader(f.body, formFieldSize)); err != nil {
		return unreadable(err)
	}
	return nil
}

// filename is the name as it was sent, path and all.
func filename(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return params["filename"]
}

// restOf is a form of which everything beside the file is bounded.
type restOf struct {
	from io.Reader
	left int
	file bool // that is what is being read
}

var errTooMuch = errors.New("there is too much beside the file")

// Read fails with errTooMuch.
func (r *restOf) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if !r.file {
		r.left -= n
	}
	if r.left < 0 {
		return 0, errTooMuch
	}
	return n, err // a reader hands on what it gets
}

func unreadable(err error) error {
	if errors.Is(err, errTooMuch) {
		return apperr.InvalidField("body", "has too much beside its file")
	}
	return apperr.MalformedRequest.Wrap(err, "The form could not be read to its end.")
}

// TakesFile documents an operation that reads a Form, with the fields that may stand beside the file.
func TakesFile(fields map[string]*huma.Schema) Option {
	return func(op *huma.Operation) {
		properties := map[string]*huma.Schema{"file": {Type: huma.TypeString, Format: "binary", Description: "The file"}}
		maps.Copy(properties, fields)
		op.Metadata = map[string]any{formBodyOf: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			formType: {Schema: &huma.Schema{Type: huma.TypeObject, Properties: properties, Required: []string{"file"}}},
		}}}
	}
}

// formBodyOf is where an operation keeps its form's document until it is registered: huma reads the body of an operation
// that has one from the beginning, whole.
const formBodyOf = "form"

// documentForm adds the form to the operation's document.
func (s *Server) documentForm(op huma.Operation) {
	if body, ok := op.Metadata[formBodyOf].(*huma.RequestBody); ok {
		s.API.OpenAPI().Paths[op.Path].Post.RequestBody = body
	}
}
