package notification

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
)

func (s *Service) listen() {
	on(s, events.UserRegistered, s.userRegistered)
	on(s, events.UserChanged, s.userChanged)
	on(s, events.UserDeleted, s.userDeleted)
	on(s, events.CodeIssued, s.codeIssued)
	on(s, events.PasswordChanged, s.passwordChanged)
	on(s, events.SessionsEnded, s.sessionsEnded)
	on(s, events.ResidenceCreated, s.residenceCreated)
	on(s, events.ResidenceChanged, s.residenceChanged)
	on(s, events.ResidenceDeleted, s.residenceDeleted)
	on(s, events.MembersChanged, s.membersChanged)
	on(s, events.Invited, s.invited)
	on(s, events.TaskCreated, s.taskChanged)
	on(s, events.TaskChanged, s.taskChanged)
	on(s, events.TaskDeleted, s.taskDeleted)
	on(s, events.TaskCompleted, s.taskCompleted)
	on(s, events.CompletionChanged, s.completionChanged)
	on(s, events.ReportRequested, s.reportRequested)
	on(s, events.DocumentChanged, s.documentChanged)
	on(s, events.BillingNotice, s.billingNotice)
}

// on handles an event, and then wakes who has to do with what it has written.
func on[P any](s *Service, e events.Event[P], handle func(context.Context, pgx.Tx, events.Received[P]) error) {
	events.On(s.Consumer, e, handle, func(context.Context, P) error {
		s.wake()
		return nil
	})
}

// wake wakes the relay, and the senders.
func (s *Service) wake() {
	s.Relay.Nudge()
	s.lanes.ring()
}
