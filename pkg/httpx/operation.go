package httpx

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

var problemSchema = reflect.TypeFor[apperr.Problem]()

// Handler is one operation: bind, call one domain method, answer.
type Handler[I, O any] func(context.Context, *I) (*O, error)

// Option changes an operation's document or status.
type Option func(*huma.Operation)

// Status is what the operation answers when all is well.
func Status(code int) Option { return func(op *huma.Operation) { op.DefaultStatus = code } }

// Describe adds a longer description to the operation's document.
func Describe(text string) Option { return func(op *huma.Operation) { op.Description = text } }

// Refuses names further errors that the operation answers.
func Refuses(codes ...int) Option {
	return func(op *huma.Operation) { op.Errors = append(op.Errors, codes...) }
}

// Produces says that the operation answers something else than JSON.
func Produces(contentType string) Option {
	return func(op *huma.Operation) {
		content := map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
		op.Responses["200"] = &huma.Response{Description: "OK", Content: content}
	}
}

// Unread hands the body to the operation as it came, also where it is JSON.
func Unread(op *huma.Operation) { op.SkipValidateBody = true }

// Get registers an operation that reads.
func Get[I, O any](s *Server, path string, g identity.Guard, h Handler[I, O], summary string, o ...Option) {
	register(s, http.MethodGet, path, g, h, summary, o)
}

// Post registers an operation that adds or does something.
func Post[I, O any](s *Server, path string, g identity.Guard, h Handler[I, O], summary string, o ...Option) {
	register(s, http.MethodPost, path, g, h, summary, o)
}

// Put registers an operation that replaces.
func Put[I, O any](s *Server, path string, g identity.Guard, h Handler[I, O], summary string, o ...Option) {
	register(s, http.MethodPut, path, g, h, summary, o)
}

// Patch registers an operation that merges (RFC 7396).
func Patch[I, O any](s *Server, path string, g identity.Guard, h Handler[I, O], summary string, o ...Option) {
	register(s, http.MethodPatch, path, g, h, summary, o)
}

// Delete registers an operation that removes.
func Delete[I, O any](s *Server, path string, g identity.Guard, h Handler[I, O], summary string, o ...Option) {
	register(s, http.MethodDelete, path, g, h, summary, o)
}

func register[I, O any](s *Server, method, path string, g identity.Guard, h Handler[I, O], summary string, options []Option) {
	op := huma.Operation{
		OperationID: operationID(method, path), Method: method, Path: path, Summary: summary, Tags: []string{tag(path)},
		Hidden: strings.HasPrefix(path, "/internal"), MaxBodyBytes: bodyLimit,
		Middlewares: huma.Middlewares{s.admit(g), refuseZeroID}, Errors: failures(method, path, g, reflect.TypeFor[I]()),
		Responses: map[string]*huma.Response{},
	}
	out := reflect.TypeFor[O]()
	if method == http.MethodGet && has(out, "ETag") {
		op.Responses["304"] = &huma.Response{Description: "You have it already: If-None-Match names its ETag"}
	}
	if g.Name == identity.User.Name {
		op.Security = []map[string][]string{{"token": {}}}
	}
	for _, option := range options {
		option(&op)
	}
	huma.Register(s.API, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, s.answerFor(ctx, err)
		}
		return out, nil
	})
	if op.DefaultStatus == http.StatusCreated && has(out, "Status") {
		again := *op.Responses["201"]
		again.Description = "It was there already: nothing was added"
		op.Responses["200"] = &again
	}
	s.documentForm(op)
}

// has reports whether an input or an output has the field, be it by embedding.
func has(t reflect.Type, field string) bool {
	_, found := t.FieldByName(field)
	return found
}

// admit runs the guard before the input is even read: who may not call learns nothing of what is valid.
func (s *Server) admit(g identity.Guard) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if err := g.Admit(identity.From(ctx.Context())); err != nil {
			refuse(ctx, apperr.Of(err))
			return
		}
		next(ctx)
	}
}

// failures are the errors that the API document names for an operation, beside 500: those that its kind can answer. Any
// request can carry a time zone that is none.
func failures(method, path string, g identity.Guard, in reflect.Type) []int {
	codes := []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	user, body, one := g.Name == identity.User.Name, has(in, "Body") || has(in, "RawBody"), strings.Contains(path, "{")
	if user {
		codes = append(codes, http.StatusUnauthorized)
	}
	if one || user && (body || has(in, "ResidenceID")) { // a body names what it belongs to
		codes = append(codes, http.StatusNotFound)
	}
	if body {
		codes = append(codes, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if user && method != http.MethodGet && (one || body) {
		codes = append(codes, http.StatusForbidden, http.StatusConflict)
	}
	if has(in, "IfMatch") {
		codes = append(codes, http.StatusPreconditionFailed)
	}
	return codes
}

// operationID is stable and readable: POST /api/tasks/{id}/quick-complete/ is post-tasks-id-quick-complete.
func operationID(method, path string) string {
	path = strings.NewReplacer("{", "", "}", "", "_", "-").Replace(strings.Trim(strings.TrimPrefix(path, "/api"), "/"))
	return strings.ToLower(method) + "-" + strings.ReplaceAll(path, "/", "-")
}

func tag(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 2 {
		return parts[0]
	}
	return parts[1]
}
