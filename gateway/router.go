package gateway

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// router finds a path's line of the table: a tree of segments, where a fixed segment wins over a parameter.
type router struct{ root node }

type node struct {
	fixed   map[string]*node
	param   *node
	methods map[string]*Route
	allow   string // for 405 and OPTIONS
}

// newRouter refuses a table that names an operation twice.
func newRouter(table []Route) (*router, error) {
	r := &router{}
	for i := range table {
		route := &table[i]
		at := &r.root
		for segment := range strings.SplitSeq(strings.Trim(route.Path, "/"), "/") {
			at = at.child(segment)
		}
		if at.methods == nil {
			at.methods = map[string]*Route{}
		}
		if at.methods[route.Method] != nil {
			return nil, fmt.Errorf("routes: %s %s is there twice", route.Method, route.Path)
		}
		at.methods[route.Method] = route
		at.allow = allowed(at.methods)
	}
	return r, nil
}

func (n *node) child(segment string) *node {
	if strings.HasPrefix(segment, "{") {
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.fixed == nil {
		n.fixed = map[string]*node{}
	}
	if n.fixed[segment] == nil {
		n.fixed[segment] = &node{}
	}
	return n.fixed[segment]
}

func allowed(methods map[string]*Route) string {
	var names []string
	for _, m := range []string{get, http.MethodHead, post, put, patch, del} {
		if methods[m] != nil || m == http.MethodHead && methods[get] != nil {
			names = append(names, m)
		}
	}
	return strings.Join(append(names, http.MethodOptions), ", ")
}

// find answers the node of a path as the client wrote it, or nil. A path that is not written plainly is none of ours:
// a service that decodes and tidies paths must never understand another one than was looked up here.
func (r *router) find(path []byte) *node {
	if len(path) < 2 || path[0] != '/' || !plain(path) {
		return nil
	}
	path = path[1:]
	if path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	if found := r.root.find(path); found != nil && found.methods != nil {
		return found
	}
	return nil
}

func (n *node) find(path []byte) *node {
	segment, rest, more := bytes.Cut(path, slash)
	for _, next := range [2]*node{n.fixed[string(segment)], n.param} {
		if next == nil {
			continue
		}
		if !more {
			if next.methods != nil {
				return next
			}
			continue
		}
		if found := next.find(rest); found != nil {
			return found
		}
	}
	return nil
}

var slash = []byte("/")

// plain reports whether a path says the same before and after decoding and tidying: no empty, "." or ".." segments, no
// backslashes, no encoded slashes, backslashes or dots, nothing that belongs encoded.
func plain(path []byte) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			if dotted(path[i+1:]) || i+1 < len(path) && path[i+1] == '/' {
				return false
			}
		case c == '%':
			if i+2 >= len(path) {
				return false
			}
			high, low := unhex(path[i+1]), unhex(path[i+2])
			if high < 0 || low < 0 {
				return false
			}
			switch high<<4 | low {
			case '/', '\\', '.':
				return false
			}
			i += 2
		case !pathByte[c]:
			return false
		}
	}
	return true
}

// dotted reports whether the path begins with a segment "." or "..".
func dotted(path []byte) bool {
	segment, _, _ := bytes.Cut(path, slash)
	return len(segment) == 1 && segment[0] == '.' || len(segment) == 2 && segment[0] == '.' && segment[1] == '.'
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// pathByte are the characters that a segment may hold as they are (RFC 3986, section 3.3), without the semicolon, which
// some servers cut a segment at.
var pathByte = func() (allowed [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,=:@") {
		allowed[c] = true
	}
	return allowed
}()

// plainQuery reports whether a query can be forwarded as it is: printable ASCII.
func plainQuery(query []byte) bool {
	for _, c := range query {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
