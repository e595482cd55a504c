package httpx

import (
	"net/http"
	"strconv"
	"strings"
)

// ETag is the entity tag of a resource at a version.
func ETag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// ETagMatches reports whether an If-None-Match header names the tag. Weak and strong compare alike there.
func ETagMatches(header, etag string) bool {
	if header == "" {
		return false
	}
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// IfMatch is embedded in the input of an operation that changes a resource.
type IfMatch struct {
	IfMatch string `header:"If-Match" maxLength:"64" doc:"The ETag that you read: the change is refused with 412 when the resource has moved on"`
}

// Version is the version that the client wants to change; nil when any will do. What follows a hyphen in a tag is what
// the answer depends on beside the version, and no matter here. A tag that is none of ours matches nothing: it is
// version 0, which no resource has. Nor is a number ours that is too large for a version.
func (m IfMatch) Version() *int {
	if m.IfMatch == "" || m.IfMatch == "*" {
		return nil
	}
	number, _, _ := strings.Cut(strings.Trim(m.IfMatch, `"`), "-")
	version, err := strconv.ParseInt(number, 10, 32)
	if err != nil || version < 0 {
		version = 0
	}
	return new(int(version))
}

// IfNoneMatch is embedded in the input of an operation that can tell without SQL that nothing has changed.
type IfNoneMatch struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"256" doc:"The ETag that you have: 304 when it is still the one"`
}

// Has reports whether the client has the answer of that tag.
func (m IfNoneMatch) Has(etag string) bool { return ETagMatches(m.IfNoneMatch, etag) }

// NotModified is returned by a handler, as its error, when the client has the answer already.
func NotModified(etag string) error { return &notModified{etag} }

type notModified struct{ etag string }

func (n *notModified) Error() string                { return "not modified" }
func (n *notModified) GetStatus() int               { return http.StatusNotModified }
func (n *notModified) GetHeaders() http.Header      { return http.Header{"Etag": {n.etag}} }
func (n *notModified) ContentType(ct string) string { return ct }
