package push

import (
	"time"

	"golang.org/x/net/http2"
)

// PingEvery has APNs' connections looked after sooner than a test could wait for.
func PingEvery(p Pusher, d time.Duration) {
	transport := p.(*apns).production.HTTPClient.Transport.(watched).RoundTripper.(*http2.Transport)
	transport.ReadIdleTimeout, transport.PingTimeout = d, d
}
