package httpx

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/valyala/fasthttp"

	"hearth.internal/pkg/apperr"
)

// Within gives an operation another bound than the usual one: a file takes as long as the client's line does.
func Within(limit time.Duration) Option {
	return func(op *huma.Operation) {
		op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
			longer, cancel := context.WithTimeout(context.WithoutCancel(ctx.Context()), limit)
			defer cancel()
			next(huma.WithContext(ctx, longer))
		})
	}
}

// Flow is the body of an answer that is sent as it is read: Size bytes, or to its end when that is below 0. The server
// closes From.
type Flow struct {
	Status int
	Header map[string]string
	From   io.ReadCloser
	Size   int64
}

// Send is the Body of an operation's output. Produces says what it is.
func (f Flow) Send(ctx huma.Context) {
	ctx.SetStatus(f.Status)
	for name, value := range f.Header {
		ctx.SetHeader(name, value)
	}
	if f.From != nil {
		humafiber.Unwrap(ctx).Context().SetBodyStream(f.From, int(f.Size))
	}
}

// Range is embedded in the input of an operation that can answer a part of a file.
type Range struct {
	Range   string `header:"Range" maxLength:"200" doc:"One part of the file: bytes=0-1023, bytes=1024- or bytes=-500; several at once are answered with the whole"`
	IfRange string `header:"If-Range" maxLength:"200" doc:"The ETag of the file that the part is wanted of; when it is another one, the whole is answered"`
}

var oneRange = regexp.MustCompile(`^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$`)

// Of is the part that is wanted of a file of so many bytes with that strong ETag (RFC 9110, section 14). It fails with
// range_not_satisfiable; what is no range is no wish.
func (r Range) Of(size int64, etag string) (from, length int64, ranged bool, err error) {
	if !oneRange.MatchString(r.Range) || r.IfRange != "" && r.IfRange != etag {
		return 0, size, false, nil
	}
	first, last, err := fasthttp.ParseByteRange([]byte(r.Range), int(size))
	if err != nil || first > last {
		return 0, 0, false, apperr.RangeNotSatisfied.New("The file has %d bytes.", size)
	}
	return int64(first), int64(last-first) + 1, true, nil
}

// ContentRange is the header of a 206.
func ContentRange(from, length, size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", from, from+length-1, size)
}
