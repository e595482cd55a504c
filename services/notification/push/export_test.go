package push

import (
	"net/http"
	"time"
)

// PingEvery has APNs' connections looked after sooner than a test could wait for.
func PingEvery(p Pusher, d time.Duration) {
	transport := p.(*apns).production.client.HTTPClient.Transport.(watched).RoundTripper.(*http.Transport)
	transport.HTTP2.SendPingTimeout, transport.HTTP2.PingTimeout = d, d
}
