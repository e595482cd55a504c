// Package apperr is how an error says what it means to a client: a kind (which decides the HTTP status), a stable
// code, a sentence, and the fields at fault. Kind and code survive the hop from one service to another.
package apperr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind groups codes that share an HTTP status.
type Kind int

// The kinds, and in status() the one table from kind to HTTP status.
const (
	Internal Kind = iota
	Malformed
	Unauthenticated
	Forbidden
	NotFound
	NotAllowed
	Conflict
	Gone
	Stale
	TooLarge
	UnsupportedMedia
	Invalid
	TooMany
	RangeNotSatisfiable
	Unavailable
	Timeout
)

var statuses = map[Kind]int{
	Internal:            http.StatusInternalServerError,
	Malformed:           http.StatusBadRequest,
	Unauthenticated:     http.StatusUnauthorized,
	Forbidden:           http.StatusForbidden,
	NotFound:            http.StatusNotFound,
	NotAllowed:          http.StatusMethodNotAllowed,
	Conflict:            http.StatusConflict,
	Gone:                http.StatusGone,
	Stale:               http.StatusPreconditionFailed,
	TooLarge:            http.StatusRequestEntityTooLarge,
	UnsupportedMedia:    http.StatusUnsupportedMediaType,
	Invalid:             http.StatusUnprocessableEntity,
	TooMany:             http.StatusTooManyRequests,
	RangeNotSatisfiable: http.StatusRequestedRangeNotSatisfiable,
	Unavailable:         http.StatusServiceUnavailable,
	Timeout:             http.StatusGatewayTimeout,
}

// Status is the HTTP status of a kind.
func (k Kind) Status() int { return statuses[k] }

// Field names one part of the input that was refused.
type Field struct {
	Location string `json:"location" doc:"Where in the request: body.due_date, path.id, query.limit"`
	Message  string `json:"message" doc:"What is wrong with it"`
	Value    any    `json:"value,omitempty" doc:"What was sent, where that is safe to repeat"`
}

// Error is a refusal or a failure that a client can act on. Detail is safe to show; the wrapped cause is not, and is
// only logged.
type Error struct {
	Code       Code
	Detail     string
	Fields     []Field
	RetryAfter time.Duration
	// Extra are members of the problem document beyond the common ones, such as limit and used of limit_reached.
	Extra map[string]any
	cause error
}

// Error answers the code, the detail and the cause.
func (e *Error) Error() string {
	text := e.Code.Name
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap answers the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, apperr.CodeX.New("")) compare codes.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code.Name == e.Code.Name
}

// With adds a member to the problem document.
func (e *Error) With(key string, value any) *Error {
	if e.Extra == nil {
		e.Extra = map[string]any{}
	}
	e.Extra[key] = value
	return e
}

// After says when it is worth trying again.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// At names the part of the input at fault, such as "body.due_date".
func (e *Error) At(location, message string) *Error {
	e.Fields = append(e.Fields, Field{Location: location, Message: message})
	return e
}

// New is an error of this code; the detail is shown to the client.
func (c Code) New(format string, args ...any) *Error {
	return &Error{Code: c, Detail: fmt.Sprintf(format, args...)}
}

// Wrap is an error of this code with a cause that is logged but never shown.
func (c Code) Wrap(cause error, format string, args ...any) *Error {
	return &Error{Code: c, Detail: fmt.Sprintf(format, args...), cause: cause}
}

// Has reports whether err is, or wraps, an error of this code.
func (c Code) Has(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code.Name == c.Name
}

// InvalidField is the common case of one refused field of the body.
func InvalidField(location, format string, args ...any) *Error {
	return ValidationFailed.New("The request has a field that is not valid.").At(location, fmt.Sprintf(format, args...))
}

// Of finds the error's meaning; anything that has none is internal_error with err as its cause.
func Of(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return InternalError.Wrap(err, "Something went wrong on our side.")
}

// Problem is the document of RFC 9457 that every error answers with.
type Problem struct {
	_ struct{} `json:"-" additionalProperties:"true"` // the extra ones

	Type      string  `json:"type" doc:"A URI reference of the kind of problem" example:"/problems/not_found"`
	Title     string  `json:"title" doc:"The kind of problem in words" example:"Not found"`
	Status    int     `json:"status" doc:"The HTTP status" example:"404"`
	Detail    string  `json:"detail,omitempty" doc:"What happened, for a person" example:"There is no such task."`
	Code      string  `json:"code" doc:"Stable and machine readable" example:"not_found"`
	RequestID string  `json:"request_id,omitempty" doc:"Quote it when you ask for help"`
	Errors    []Field `json:"errors,omitempty" doc:"The parts of the input at fault"`

	Extra map[string]any `json:"-"`
}

// Problem is the document for the client: without the cause.
func (e *Error) Problem(requestID string) *Problem {
	return &Problem{
		Type: "/problems/" + e.Code.Name, Title: e.Code.Title, Status: e.Code.Kind.Status(),
		Detail: e.Detail, Code: e.Code.Name, RequestID: requestID, Errors: e.Fields, Extra: e.Extra,
	}
}

// MarshalJSON puts the extra members beside the common ones.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	common, err := json.Marshal((*plain)(p))
	if err != nil || len(p.Extra) == 0 {
		return common, err
	}
	extra, err := json.Marshal(p.Extra)
	if err != nil {
		return nil, fmt.Errorf("problem members: %w", err)
	}
	return append(append(common[:len(common)-1], ','), extra[1:]...), nil
}

// Parse reads the error out of another service's problem document. An answer that is none (a proxy's page, half a
// body) is unavailable: the service did not answer as a service does.
func Parse(status int, body []byte) *Error {
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		return ServiceUnavailable.Wrap(fmt.Errorf("answer %d without a problem document", status), "A part of the system is not answering.")
	}
	code, known := ByName(p.Code)
	if !known {
		code = Code{Name: p.Code, Kind: kindOf(status), Title: p.Title}
	}
	e := &Error{Code: code, Detail: p.Detail, Fields: p.Errors}
	var members map[string]any
	if json.Unmarshal(body, &members) == nil {
		for _, common := range []string{"type", "title", "status", "detail", "code", "request_id", "errors"} {
			delete(members, common)
		}
		e.Extra = members
	}
	return e
}

func kindOf(status int) Kind {
	for kind, s := range statuses {
		if s == status {
			return kind
		}
	}
	return Internal
}
