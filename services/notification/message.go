package notification

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/telemetry"
)

// How the worker works its table.
const (
	messagePoll  = 2 * time.Second // when nobody nudges
	messageLease = time.Minute     // what was not sent by then is tried again, by whoever comes
	messageBatch = 20
	settleTime   = 5 * time.Second // also at a stop: what was sent is not to be sent again

	// keepMessages is how long it stays known that a message was sent: longer than its event can come again.
	keepMessages = 30 * 24 * time.Hour
	forgetEvery  = 10 * time.Minute
)

// Message is a code on its way to a person.
type Message struct {
	ID        uuid.UUID
	Purpose   string
	Email     string
	Sealed    []byte
	Trace     string
	ExpiresAt time.Time
}

// nudge wakes the worker.
func (s *Service) nudge(context.Context, events.Code) error {
	select {
	case s.nudged <- struct{}{}:
	default: // it is awake already
	}
	return nil
}

// sendMessages sends what waits, until its context ends.
func (s *Service) sendMessages(ctx context.Context) {
	poll := time.NewTicker(messagePoll)
	defer poll.Stop()
	for {
		full, err := s.messageTurn(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "messages wait", "error", err)
		}
		if full && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.nudged:
		case <-poll.C:
		}
	}
}

// messageTurn sends one batch and reports whether there may be more.
func (s *Service) messageTurn(ctx context.Context) (full bool, err error) {
	if err := expireMessages(ctx, s.DB, s.Clock.Now()); err != nil {
		return false, err
	}
	if s.terminal == nil {
		return false, nil
	}
	messages, err := claimMessages(ctx, s.DB, s.Clock.Now())
	if err != nil {
		return false, err
	}
	var sent []uuid.UUID
	var failed []error
	for _, m := range messages {
		if err := s.send(ctx, m); err != nil {
			failed = append(failed, fmt.Errorf("message %s: %w", m.ID, err))
			continue
		}
		sent = append(sent, m.ID)
	}
	if len(sent) > 0 {
		settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		failed = append(failed, settleMessages(settling, s.DB, sent, s.Clock.Now()))
	}
	return len(messages) == messageBatch, errors.Join(failed...)
}

// send opens the box and hands the message to the transport.
func (s *Service) send(ctx context.Context, m Message) error {
	_, span := s.Tel.Tracer.Start(telemetry.Continue(ctx, m.Trace), "send "+m.Purpose)
	defer span.End()
	code, err := s.unseal(m)
	if err == nil {
		_, err = io.WriteString(s.terminal, terminalLine(m, code))
	}
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		return fmt.Errorf("send %s: %w", m.Purpose, err)
	}
	return nil
}

func (s *Service) unseal(m Message) (string, error) {
	plain, err := seal.Open(s.key, m.Sealed)
	if err != nil {
		return "", err // says what it is
	}
	var box events.CodeBox
	if json.Unmarshal(plain, &box) != nil || box.Code == "" {
		return "", errors.New("the box holds no code") // the decoder's own words could repeat what it holds
	}
	return box.Code, nil
}

// terminalLine is what a developer reads instead of an e-mail.
func terminalLine(m Message, code string) string {
	line := fmt.Sprintf("[dev mail] to %s %s: %s (until %s UTC)", m.Email, subject(m.Purpose), code, m.ExpiresAt.UTC().Format("Mon 15:04"))
	return strings.Map(func(r rune) rune { // an address must not steer the terminal
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, line) + "\n"
}

func subject(purpose string) string {
	switch purpose {
	case "verify_email":
		return "verify your e-mail"
	case "reset_password":
		return "reset your password"
	default:
		return purpose
	}
}
