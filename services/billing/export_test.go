package billing

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/boot"
)

// Best, Observe and Until are the rules by themselves.
func Best(purchases []Purchase, isFree bool, now time.Time) Entitlement {
	return best(purchases, isFree, now)
}

func (p *Purchase) Observe(o Observation) (doubt bool) { return p.observe(o) == doubted }

// Probe reaches what no route does.
type Probe struct{ s *Service }

// NewWithProbe is New, with a way in.
func NewWithProbe(cfg Config) (boot.Service, *Probe) {
	s := newService()
	return s.boot(cfg), &Probe{s}
}

// Take lets an account know what a shop says.
func (p *Probe) Take(ctx context.Context, source Source, o Observation) (Account, error) {
	return p.s.take(ctx, source, o, Cause{Actor: string(source), Reason: "test"}, terms{})
}

// Flip writes down what has ended by itself.
func (p *Probe) Flip(ctx context.Context) error { return p.s.flipAll(ctx) }

// Account reads one.
func (p *Probe) Account(ctx context.Context, user uuid.UUID) (Account, error) {
	return loadAccount(ctx, p.s.DB, whose{User: user, Certain: true})
}

// Receive keeps what a shop tells, as its route does.
func (p *Probe) Receive(ctx context.Context, source Source, header http.Header, body []byte) error {
	return p.s.Receive(ctx, source, header, body)
}

// Work works off what waits, by one turn after the other.
func (p *Probe) Work(ctx context.Context) error {
	for {
		full, err := p.s.workTurn(ctx, Stripe)
		if err != nil || !full {
			return err
		}
	}
}
