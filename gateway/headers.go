package gateway

import (
	"bytes"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

// cutLast splits a list at its last comma.
func cutLast(list string) (rest, last string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[:i], list[i+1:], true
	}
	return "", list, false
}

// parseForwarded reads an address of X-Forwarded-For; some proxies add the port.
func parseForwarded(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// ours are the beginnings of headers that only our own parts may set.
var ours = []string{"x-hearth-", "x-user-", "x-forwarded-", "x-original-", "x-envoy-"}

// notForwarded are headers of a request that end here: those of one hop (RFC 9110, section 7.6.1), those that say who
// is asking or from where, and those that the gateway sets itself. What the shops tell keeps its Authorization: see rewrite.
var notForwarded = map[string]bool{
	"connection": true, "proxy-connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true,
	"upgrade": true, "proxy-authenticate": true, "proxy-authorization": true, "expect": true,
	"authorization": true, "forwarded": true, "x-real-ip": true, "x-client-ip": true, "x-cluster-client-ip": true,
	"true-client-ip": true, "cf-connecting-ip": true, "x-rewrite-url": true, "x-http-method-override": true,
	"traceparent": true, "tracestate": true, "baggage": true, "x-request-id": true,
}

// strip removes from a request what a service must not see from a client. It fails on a name with a space in it, which
// servers read differently (RFC 9112, section 5.1).
func strip(h *fasthttp.RequestHeader) error {
	var doomed [16][]byte
	gone := doomed[:0]
	for _, line := range h.PeekAll(fiber.HeaderConnection) {
		for name := range strings.SplitSeq(string(line), ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, fiber.HeaderContentLength) {
				gone = append(gone, []byte(name))
			}
		}
	}
	for key := range h.All() {
		if bytes.IndexByte(key, ' ') >= 0 {
			return apperr.MalformedRequest.New("A header's name has a space in it.")
		}
		if endsHere(key) {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		h.DelBytes(key)
	}
	h.ResetConnectionClose()
	return nil
}

// endsHere looks at a header's name as a careless reader would: any case, underscores as dashes.
func endsHere(key []byte) bool {
	var buffer [64]byte
	name := buffer[:0]
	for _, c := range key {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '_':
			c = '-'
		}
		if len(name) == len(buffer) {
			break // longer than any of ours; the beginnings still count
		}
		name = append(name, c)
	}
	if notForwarded[string(name)] {
		return true
	}
	for _, prefix := range ours {
		if strings.HasPrefix(string(name), prefix) {
			return true
		}
	}
	return false
}

// notAnswered are headers of a service's answer that end here. Which pages may read an answer is decided here alone.
var notAnswered = map[string]bool{
	fiber.HeaderConnection: true, "Proxy-Connection": true, "Keep-Alive": true, fiber.HeaderTE: true, fiber.HeaderUpgrade: true,
	"Proxy-Authenticate": true, fiber.HeaderServer: true, "X-Powered-By": true, identity.Header: true, "Traceparent": true,
	"Tracestate": true, fiber.HeaderAccessControlAllowOrigin: true, fiber.HeaderAccessControlAllowCredentials: true,
	fiber.HeaderAccessControlExposeHeaders: true,
}

func stripAnswer(h *fasthttp.ResponseHeader) {
	var doomed [8][]byte
	gone := doomed[:0]
	for key := range h.All() {
		if notAnswered[string(key)] {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		h.DelBytes(key)
	}
	h.ResetConnectionClose()
}

// protect adds what a browser needs to know to handle the answer safely.
func (g *Gateway) protect(x *exchange, h *fasthttp.ResponseHeader) {
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	if x.secure {
		h.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000; includeSubDomains")
	}
	if len(h.Peek(fiber.HeaderCacheControl)) == 0 {
		if len(h.Peek(fiber.HeaderETag)) > 0 {
			h.Set(fiber.HeaderCacheControl, "private, no-cache")
		} else {
			h.Set(fiber.HeaderCacheControl, "no-store")
		}
	}
	// A phone that somebody else signs in on must not show what it keeps of another: a tag that is of a version is the same
	// for everybody.
	if bytes.HasPrefix(h.Peek(fiber.HeaderCacheControl), []byte("private")) {
		h.Add(fiber.HeaderVary, fiber.HeaderAuthorization)
	}
	if len(g.origins) > 0 {
		g.allowOrigin(x, h)
	}
}

// allowOrigin tells a web page of a listed origin that it may read the answer.
func (g *Gateway) allowOrigin(x *exchange, h *fasthttp.ResponseHeader) {
	h.Add(fiber.HeaderVary, fiber.HeaderOrigin)
	origin := x.c.Request().Header.Peek(fiber.HeaderOrigin)
	if !g.origins[string(origin)] {
		return
	}
	h.SetBytesV(fiber.HeaderAccessControlAllowOrigin, origin)
	h.Set(fiber.HeaderAccessControlExposeHeaders, "ETag, Retry-After, Server-Timing, Traceparent, X-Request-Id")
}

// answerOptions says what an address takes; to a page of a listed origin it is the permission to ask (CORS preflight).
func (g *Gateway) answerOptions(x *exchange, at *node) {
	x.pattern = "options"
	x.c.Status(http.StatusNoContent)
	x.c.Set(fiber.HeaderAllow, at.allow)
	header := &x.c.Request().Header
	if !g.origins[string(header.Peek(fiber.HeaderOrigin))] || len(header.Peek(fiber.HeaderAccessControlRequestMethod)) == 0 {
		return
	}
	x.c.Set(fiber.HeaderAccessControlAllowMethods, at.allow)
	x.c.Set(fiber.HeaderAccessControlAllowHeaders, "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, Traceparent, X-Request-Id, X-Timezone")
	x.c.Set(fiber.HeaderAccessControlMaxAge, "600")
}
