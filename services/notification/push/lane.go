package push

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/sideshow/apns2"
)

// streams is how many pushes are under way at once in a lane. Apple allows 1000 streams on a connection; for more, net/http
// would open another one. (StrictMaxConcurrentRequests, by which it waits instead, stalls for ever in Go 1.26.)
const streams = 500

// lane is the way to one of Apple's environments.
type lane struct {
	client *apns2.Client
	slots  chan struct{}
	// Until a push has been answered on a connection, Apple allows a single stream: one goes alone, the others wait for it.
	alone chan struct{}
	known atomic.Bool
}

func newLane(host string, client *http.Client) *lane {
	return &lane{
		client: &apns2.Client{Host: host, HTTPClient: client},
		slots:  make(chan struct{}, streams), alone: make(chan struct{}, 1),
	}
}

// send asks Apple, when its turn has come.
func (l *lane) send(ctx context.Context, x *exchange, n *apns2.Notification) (*apns2.Response, error) {
	if err := enter(ctx, l.slots); err != nil {
		return nil, err
	}
	defer leave(l.slots)
	if !l.known.Load() {
		if err := enter(ctx, l.alone); err != nil {
			return nil, err
		}
		if l.known.Load() {
			leave(l.alone)
		} else {
			defer leave(l.alone)
		}
	}
	answer, err := l.client.PushWithContext(ctx, n)
	l.known.Store(x.status != 0)
	return answer, err
}

func enter(ctx context.Context, room chan<- struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func leave(room <-chan struct{}) { <-room }
