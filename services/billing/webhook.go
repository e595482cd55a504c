package billing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	"golang.org/x/sync/errgroup"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/telemetry"
)

// How the worker works its tables.
const (
	workPoll   = time.Second // when nobody nudges
	workLease  = time.Minute // what was not settled by then is done again, by whoever comes
	workBatch  = 8
	workers    = 8                // so that a batch is done within the lease, however long one takes
	workTime   = 12 * time.Second // for one
	settleTime = 5 * time.Second  // also at a stop
	maxTries   = 25               // then it has failed, for staff to look at

	keepWebhooks = 90 * 24 * time.Hour
)

// Receive keeps what a shop tells, once; what follows from it is worked out afterwards, from what is kept. It fails with
// webhook_refused when it is not the shop's.
func (s *Service) Receive(ctx context.Context, source Source, header http.Header, body []byte) error {
	shop, err := s.shop(source)
	if err != nil {
		return err
	}
	told, err := shop.receive(ctx, header, body)
	if err != nil {
		return fmt.Errorf("webhook of %s: %w", source, err)
	}
	if err := insertWebhook(ctx, s.DB, source, told, s.Clock.Now()); err != nil {
		return err
	}
	s.work.ring(source)
	return nil
}

// alarms wake the workers, each shop's own: one that does not answer holds up no other.
type alarms map[Source]chan struct{}

func newAlarms() alarms {
	return alarms{Stripe: make(chan struct{}, 1), Apple: make(chan struct{}, 1), Google: make(chan struct{}, 1)}
}

func (a alarms) ring(source Source) {
	select {
	case a[source] <- struct{}{}:
	default: // it is awake already
	}
}

// ringAll is for what may be of any.
func (a alarms) ringAll() {
	for source := range a {
		a.ring(source)
	}
}

// workOff works off a shop's webhooks and errands until its context ends.
func (s *Service) workOff(ctx context.Context, source Source) {
	poll := time.NewTicker(workPoll)
	defer poll.Stop()
	for {
		full, err := s.workTurn(ctx, source)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "what the shops told waits", "error", err)
		}
		if full && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.work[source]:
		case <-poll.C:
		}
	}
}

// workTurn works off one batch of each and reports whether there may be more.
func (s *Service) workTurn(ctx context.Context, source Source) (full bool, err error) {
	webhooks, err := claimWebhooks(ctx, s.DB, source, s.Clock.Now())
	if err != nil {
		return false, err
	}
	errands, err := claimErrands(ctx, s.DB, source, s.Clock.Now())
	if err != nil || len(webhooks)+len(errands) == 0 {
		return false, err
	}
	terms, err := s.terms(ctx)
	if err != nil {
		return false, err
	}
	var group errgroup.Group
	group.SetLimit(workers)
	for _, w := range webhooks {
		group.Go(func() error { return s.workWebhook(ctx, w, terms) })
	}
	for _, e := range errands {
		group.Go(func() error { return s.workErrand(ctx, e) })
	}
	err = group.Wait()
	return len(webhooks) == workBatch || len(errands) == workBatch, err
}

// workWebhook does what follows from one webhook, and writes down what came of it. The error is one of writing it down.
func (s *Service) workWebhook(ctx context.Context, w webhook, terms terms) error {
	ctx, span := s.Tel.Tracer.Start(telemetry.Continue(ctx, w.Trace), "webhook "+string(w.Source)+" "+w.Type)
	defer span.End()
	working, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	var notices []events.Notice
	var state, outcome string
	err := contained(func() (err error) { notices, state, outcome, err = s.follow(working, w, terms); return err })
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		state, outcome = "pending", err.Error()
		if w.Tries+1 >= maxTries {
			state = "failed"
		}
		s.Log.ErrorContext(ctx, "webhook not applied", "source", w.Source, "type", w.Type, "webhook", w.ID, "tries", w.Tries+1, "state", state, "error", err)
	}
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := settleWebhook(settling, s.DB, w, state, outcome, notices, s.Clock.Now(), pause(w.Tries, err)); err != nil {
		return err
	}
	if len(notices) > 0 {
		s.Relay.Nudge()
	}
	return nil
}

// contained makes a panic an error of what has panicked. What a shop says is worked off on goroutines of their own, where a
// panic would end the process; and then again, since what has upset it is still there at the next start.
func contained(work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return work()
}

// follow does what follows from a webhook, and answers who is to be told what, and what came of it.
func (s *Service) follow(ctx context.Context, w webhook, terms terms) (notices []events.Notice, state, outcome string, err error) {
	shop, err := s.shop(w.Source)
	if err != nil {
		return nil, "", "", err
	}
	read, err := shop.read(ctx, w, terms)
	switch {
	case err != nil:
		return nil, "", "", fmt.Errorf("read: %w", err)
	case read.Ignored != "":
		return nil, "ignored", read.Ignored, nil
	}
	cause := Cause{Actor: string(w.Source), Reason: w.Type, WebhookID: w.ID}
	for _, o := range read.Observations {
		account, err := s.take(ctx, w.Source, o, cause, terms)
		if errors.Is(err, errUnclaimed) {
			return nil, "unclaimed", "nobody has claimed the purchase yet", nameSubject(ctx, s.DB, w, o.ExternalID)
		}
		if errors.Is(err, errNoSuchPurchase) {
			return nil, "ignored", "the shop knows the purchase no more", nil
		}
		if err == nil {
			err = s.afterwards(ctx, w.Source, account, o)
		}
		if err != nil {
			return nil, "", "", err
		}
	}
	for _, n := range read.Notices {
		account, err := loadAccount(ctx, s.DB, whose{Source: w.Source, External: n.External, Customer: n.Customer})
		if err != nil {
			return nil, "", "", err
		}
		p := account.Purchase(w.Source, n.External)
		if account.UserID == uuid.Nil || account.Gone || len(n.While) > 0 && (p == nil || !slices.Contains(n.While, p.State)) {
			continue // nobody to tell, or it is not true any more
		}
		n.Notice.UserID, n.Notice.Source = account.UserID, string(w.Source)
		if p != nil {
			n.Notice.Tier = p.Tier
		}
		notices = append(notices, n.Notice)
	}
	return notices, "done", "", nil
}

// afterwards sees to what follows from a purchase that was told of: what had been told of it before anybody had claimed
// it counts now, and what somebody has bought who was deleted meanwhile is not to cost them anything.
func (s *Service) afterwards(ctx context.Context, source Source, account Account, o Observation) error {
	if account.Gone && source != Apple && !o.RefundOnly && o.State != Expired && o.State != Revoked {
		return s.order(ctx, errand{UserID: account.UserID, Source: source, Kind: cancelNow, ExternalID: o.ExternalID, ProductID: o.ProductID})
	}
	if p := account.Purchase(source, o.ExternalID); p != nil && p.Version == 1 {
		return reviveWebhooks(ctx, s.DB, source, []string{o.ExternalID}, s.Clock.Now())
	}
	return nil
}

// take lets an account know what a shop says of one of its purchases. Where that is in doubt the shop is asked.
func (s *Service) take(ctx context.Context, source Source, o Observation, cause Cause, terms terms) (Account, error) {
	who := whose{User: o.UserID, Source: source, External: o.ExternalID, Customer: o.Customer}
	for range 2 {
		took, known := stale, time.Time{}
		account, err := s.revise(ctx, who, cause, func(a *Account) error {
			if o.Customer != "" && a.Customer == nil {
				a.Customer = &o.Customer
			}
			if p := a.Purchase(source, o.ExternalID); p != nil {
				known = p.ObservedAt
			}
			took = a.observe(source, o, s.Clock.Now())
			return nil
		})
		if err != nil || took != doubted {
			return account, err
		}
		shop, err := s.shop(source)
		if err != nil {
			return account, err
		}
		refunded := o.RefundedUntil
		if o, err = shop.ask(ctx, o.ExternalID, terms); err != nil {
			return account, fmt.Errorf("ask: %w", err)
		}
		if o.At.Before(known) { // the shop's clocks differ: what was known before it was asked is no newer than its answer
			o.At = known
		}
		if refunded != nil && (o.RefundedUntil == nil || o.RefundedUntil.Before(*refunded)) {
			o.RefundedUntil = refunded
		}
	}
	return Account{}, errors.New("the shop's answer is in doubt as well")
}

// pause is how long to wait before the next try: longer when the shop has said so.
func pause(tries int, failure error) time.Duration {
	wait := backOff(tries)
	if e, ok := errors.AsType[*apperr.Error](failure); ok {
		wait = max(wait, e.RetryAfter)
	}
	return wait
}

// backOff waits 2 s, 4 s, 8 s ... and an hour at most.
func backOff(tries int) time.Duration { return min(2*time.Second<<min(tries, 12), time.Hour) }
