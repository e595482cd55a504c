package notification

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"golang.org/x/sync/errgroup"

	"hearth.internal/notification/delivery"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// lane is the way to one provider, with a sender of its own: a provider that is away holds up no other.
type lane struct {
	name    string
	width   int           // how many are handed over at a time
	limit   time.Duration // for one
	deliver func(context.Context, parcel) delivery.Result
	rung    chan struct{}

	mu        sync.Mutex
	throttled int       // messages that the provider wants later, in a row
	failures  int       // of the provider, in a row
	rests     time.Time // until then nothing is taken
}

// lanes are those that are open, by name.
type lanes map[string]*lane

// open opens a lane. Messages of lanes that are not open wait, until their time is over.
func (l lanes) open(name string, width int, limit time.Duration, deliver func(context.Context, parcel) delivery.Result) {
	l[name] = &lane{name: name, width: width, limit: limit, deliver: deliver, rung: make(chan struct{}, 1)}
}

// lease is for how long messages are taken: what was not settled by then is sent again, by whoever comes. What is begun within
// the limit may take as long again, and then has to be written down.
func (l *lane) lease() time.Duration { return 2*l.limit + settleTime }

// ring wakes the senders.
func (l lanes) ring() {
	for _, lane := range l {
		select {
		case lane.rung <- struct{}{}:
		default: // it is awake already
		}
	}
}

// allowed is how many messages may be taken now: none while the provider rests, one to try it afterwards.
func (l *lane) allowed(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case now.Before(l.rests):
		return 0
	case l.failures > 0:
		return 1
	}
	return sendBatch
}

// rest answers until when the lane rests; zero: it does not.
func (l *lane) rest(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.rests) {
		return l.rests
	}
	return time.Time{}
}

// throttledInARow is how many messages a provider may want later before it is not they that are too many, but all of them.
const throttledInARow = 5

// learn takes from an answer how the provider is. An answer about a message says that the provider is well.
func (l *lane) learn(r *delivery.Result, began, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Outcome == delivery.Later && r.After > 0 && !r.Provider {
		l.throttled++
		r.Provider = l.throttled >= throttledInARow
	} else if r.Outcome == delivery.Sent {
		l.throttled = 0
	}
	if !r.Provider {
		if r.Outcome != delivery.Later {
			l.failures = 0
		}
		return
	}
	if !began.Before(l.rests) { // those that were on their way fail together, and count once
		l.rests = now.Add(max(r.After, laneBackoff(l.failures)))
		l.failures++
	}
	r.After = max(l.rests.Sub(now), 0)
}

// work sends what is due in the lane, until ctx ends.
func (s *Service) work(ctx context.Context, l *lane) {
	poll := time.NewTicker(sendPoll)
	defer poll.Stop()
	for {
		full, err := s.sendTurn(ctx, l)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "messages wait", "lane", l.name, "error", err)
		}
		if full && err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-l.rung:
		case <-poll.C:
		}
	}
}

// sendTurn sends one batch, and reports whether there may be more.
func (s *Service) sendTurn(ctx context.Context, l *lane) (full bool, err error) {
	now := s.Clock.Now()
	batch := l.allowed(now)
	if batch == 0 {
		return false, nil
	}
	// A lease is told apart from any other by its instant; the database keeps microseconds.
	lease, taken := now.Add(l.lease()).Truncate(time.Microsecond), time.Now()
	messages, err := claimMessages(ctx, s.DB, l.name, batch, now, lease)
	if err != nil || len(messages) == 0 {
		return false, err
	}
	parcels, settled := pack(messages, now)
	answers := make(chan []verdict, len(messages)+1)
	settling := make(chan error, 1)
	go func() { settling <- s.settleAll(ctx, answers, lease) }()
	if len(settled) > 0 {
		answers <- settled
	}
	var group errgroup.Group
	group.SetLimit(l.width)
	for _, p := range parcels {
		group.Go(func() error {
			began := s.Clock.Now()
			if until := l.rest(began); stopping(ctx) || !until.IsZero() || time.Since(taken) > l.limit {
				answers <- p.putOff(until, began) // a stop, a provider that is away, or a lease that would not last: it was not tried
				return nil
			}
			result := s.hand(ctx, l, p)
			l.learn(&result, began, s.Clock.Now())
			s.sent.WithLabelValues(l.name, label(result.Outcome)).Add(float64(len(p.messages)))
			answers <- p.verdicts(result, s.Clock.Now())
			return s.bury(ctx, p, result)
		})
	}
	failure := group.Wait()
	close(answers)
	// Where one is to try the provider, and nothing of it was to be sent any more, the next one is to.
	full = batch > 1 && len(messages) >= batch || batch == 1 && (len(parcels) == 0 || l.allowed(s.Clock.Now()) > 1)
	return full, errors.Join(failure, <-settling)
}

func stopping(ctx context.Context) bool { return ctx.Err() != nil }

// settleAll writes down what came of messages as their answers come: those that came while others were written are written
// together. A stop does not end it, since what was sent is not to be sent again.
func (s *Service) settleAll(ctx context.Context, answers <-chan []verdict, lease time.Time) error {
	var failures []error
	for first := range answers {
		batch := first
		for more := true; more; {
			select {
			case next, open := <-answers:
				batch, more = append(batch, next...), open
			default:
				more = false
			}
		}
		settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		err := settleMessages(settling, s.DB, batch, s.Clock.Now(), lease)
		for more := 1; more < tries && apperr.ServiceUnavailable.Has(err); more++ { // a connection that was lost, most of all
			err = settleMessages(settling, s.DB, batch, s.Clock.Now(), lease)
		}
		failures = append(failures, err)
		cancel()
	}
	return errors.Join(failures...)
}

// label names an outcome in measures and logs.
func label(o delivery.Outcome) string {
	switch o {
	case delivery.Sent:
		return "sent"
	case delivery.Dead:
		return "dead"
	case delivery.Refused:
		return "refused"
	case delivery.Later:
	}
	return "later"
}

// hand hands a parcel to the provider. A panic on the way is about this parcel, and must neither end the process nor come
// again for ever.
func (s *Service) hand(ctx context.Context, l *lane, p parcel) (result delivery.Result) {
	m := p.messages[0]
	ctx, span := s.Tel.Tracer.Start(telemetry.Continue(ctx, m.Trace), "send "+m.Purpose)
	span.SetAttributes(attribute.String("hearth.lane", l.name), attribute.Int("hearth.messages", len(p.messages)))
	defer span.End()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.limit) // a stop lets what has begun end
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			s.Log.ErrorContext(ctx, "message not sent", "lane", l.name, "message", m.ID, "purpose", m.Purpose, "error", fmt.Sprintf("panic: %v\n%s", r, debug.Stack()))
			result = delivery.Result{Outcome: delivery.Refused, Reason: "it could not be put into words"}
		}
	}()
	result = l.deliver(ctx, p)
	if result.Outcome != delivery.Sent {
		span.SetStatus(codes.Error, result.Reason)
		s.Log.WarnContext(ctx, "message not sent", "lane", l.name, "message", m.ID, "purpose", m.Purpose, "tries", m.Tries+1,
			"outcome", label(result.Outcome), "provider", result.Provider, "reason", result.Reason)
	}
	return result
}

// bury remembers that an address is none.
func (s *Service) bury(ctx context.Context, p parcel, r delivery.Result) error {
	if r.Outcome != delivery.Dead {
		return nil
	}
	m := p.messages[0]
	if m.DeviceID != nil && m.Token != nil {
		return buryDevice(ctx, s.DB, *m.DeviceID, *m.Token, r.Reason, r.Since, s.Clock.Now())
	}
	return bounce(ctx, s.DB, m.UserID, m.Email)
}
