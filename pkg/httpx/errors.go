package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// problem is apperr.Problem as huma's error type.
type problem struct {
	*apperr.Problem
	header http.Header
}

func (p *problem) Error() string                { return p.Problem.Code }
func (p *problem) GetStatus() int               { return p.Problem.Status }
func (p *problem) ContentType(string) string    { return problemType }
func (p *problem) GetHeaders() http.Header      { return p.header }
func (p *problem) MarshalJSON() ([]byte, error) { return p.Problem.MarshalJSON() }

// Schema keeps the header out of the API document.
func (p *problem) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(problemSchema, true, "Problem")
}

const problemType = "application/problem+json"

// setUpHuma makes huma's own refusals problem documents, and a member in another case an unknown one: huma would check one
// of title and Title, and the decoder take the other. These are package variables of huma: they are set once and the same
// for every server in the process.
var setUpHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		return fromHuma(status, detail, errs).humaError("")
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, detail string, errs ...error) huma.StatusError {
		return fromHuma(status, detail, errs).humaError(telemetry.RequestID(ctx.Context()))
	}
})

type refusal struct{ *apperr.Error }

func (r refusal) humaError(requestID string) *problem {
	p := &problem{Problem: r.Problem(requestID)}
	if r.RetryAfter > 0 {
		p.header = http.Header{"Retry-After": {retryAfter(r.Error)}}
	}
	return p
}

// retryAfter is in whole seconds, rounded up: RFC 9110 knows no fractions, and 0 would invite at once.
func retryAfter(e *apperr.Error) string {
	return strconv.Itoa(int((e.RetryAfter.Seconds()) + 0.999))
}

// fromHuma gives a refusal of huma's validation its code and its fields.
func fromHuma(status int, detail string, errs []error) refusal {
	code := apperr.ValidationFailed
	switch status {
	case http.StatusBadRequest:
		code = apperr.MalformedRequest
	case http.StatusRequestEntityTooLarge:
		code = apperr.BodyTooLarge
	case http.StatusUnsupportedMediaType:
		code = apperr.WrongContentType
	case http.StatusInternalServerError:
		code = apperr.InternalError
	}
	e := code.New("%s", sentence(detail))
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			f := d.ErrorDetail()
			if m, ok := asMisfit(f.Message); ok {
				e.Fields = append(e.Fields, apperr.Field{Location: m.location, Message: m.message})
				continue
			}
			e.Fields = append(e.Fields, fieldOf(f))
		} else if err != nil {
			e.Fields = append(e.Fields, apperr.Field{Location: "body", Message: err.Error()})
		}
	}
	return refusal{e}
}

// Of huma's messages: the missing member is named in the words alone, and the cause of a wrong id speaks of a Go library.
const (
	missingBefore, missingAfter = "expected required property ", " to be present"
	wrongID                     = "expected string to be RFC 4122 uuid"
)

// fieldOf names the field at fault, also when it is one that is not there.
func fieldOf(f *huma.ErrorDetail) apperr.Field {
	location, message := f.Location, f.Message
	if name, found := strings.CutPrefix(message, missingBefore); found {
		if name, found = strings.CutSuffix(name, missingAfter); found {
			return apperr.Field{Location: location + "." + name, Message: "is required"} // not with the value, which is what it misses in
		}
	}
	if strings.HasPrefix(message, wrongID) {
		message = "is not a UUID"
	}
	return apperr.Field{Location: location, Message: message, Value: showable(f)}
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// showable is the refused value where it is short, plain and no secret: a whole object could hold a password, and so
// could a body that is no JSON.
func showable(f *huma.ErrorDetail) any {
	if f.Location == "body" {
		return nil
	}
	for _, secret := range []string{"password", "token", "code", "secret", "path.key"} {
		if strings.Contains(strings.ToLower(f.Location), secret) {
			return nil
		}
	}
	switch v := f.Value.(type) {
	case string:
		if len(v) > 200 {
			return nil
		}
		return v
	case bool, int, int64, float64, json.Number:
		return v
	}
	return nil
}

// answerFor is what an operation's error becomes.
func (s *Server) answerFor(ctx context.Context, err error) error {
	if nm, ok := errors.AsType[*notModified](err); ok {
		return nm
	}
	if e, ok := errors.AsType[*apperr.Error](err); !ok && ctx.Err() != nil {
		err = apperr.DeadlineExceeded.Wrap(err, "It took too long; try again.")
	} else if ok {
		err = withWords(e, err)
	}
	e := apperr.Of(err)
	s.logFailure(ctx, e)
	return refusal{e}.humaError(telemetry.RequestID(ctx))
}

// withWords keeps what callers said around the error on its way up, for the log.
func withWords(e *apperr.Error, whole error) error {
	if e.Error() == whole.Error() {
		return e
	}
	copied := *e
	wrapped := copied.Code.Wrap(whole, "%s", e.Detail)
	wrapped.Fields, wrapped.RetryAfter, wrapped.Extra = e.Fields, e.RetryAfter, e.Extra
	return wrapped
}

// fromFiber gives the router's own refusals a code.
func fromFiber(fe *fiber.Error) error {
	switch fe.Code {
	case http.StatusNotFound:
		return apperr.RouteNotFound.New("There is nothing at this address.")
	case http.StatusMethodNotAllowed:
		return apperr.MethodNotAllowed.New("This address does not take that method.")
	case http.StatusRequestEntityTooLarge:
		return apperr.BodyTooLarge.New("The body may be %d bytes at most.", bodyLimit)
	case http.StatusRequestHeaderFieldsTooLarge, http.StatusBadRequest:
		return apperr.MalformedRequest.New("%s", sentence(fe.Message))
	case http.StatusRequestTimeout, http.StatusBadGateway: // a connection on which none came, or one broken off
		return apperr.MalformedRequest.New("The request did not arrive in time.")
	}
	return fe
}

// WriteProblem answers with the error's problem document.
func WriteProblem(c *fiber.Ctx, e *apperr.Error) error {
	p := e.Problem(telemetry.RequestID(c.UserContext()))
	if e.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, retryAfter(e))
	}
	if err := c.Status(p.Status).JSON(p); err != nil {
		return fmt.Errorf("write problem: %w", err)
	}
	c.Set(fiber.HeaderContentType, problemType)
	return nil
}

func panicked(r any) error {
	return fmt.Errorf("panic: %v\n%s", r, debug.Stack())
}
