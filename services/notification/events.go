package notification

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/people"
)

func (s *Service) listen() {
	events.On(s.Consumer, events.UserRegistered, s.userRegistered)
	events.On(s.Consumer, events.UserChanged, s.userChanged)
	events.On(s.Consumer, events.CodeIssued, s.codeIssued, s.nudge)
	events.On(s.Consumer, events.ResidenceCreated, s.residenceCreated)
	events.On(s.Consumer, events.MembersChanged, s.membersChanged)
	events.On(s.Consumer, events.ResidenceDeleted, s.residenceDeleted)
	events.On(s.Consumer, events.TaskCompleted, s.taskCompleted)
	events.On(s.Consumer, events.ReportRequested, s.reportRequested)
	events.On(s.Consumer, events.BillingNotice, s.billingNotice)
	events.On(s.Consumer, events.DocumentChanged, s.documentChanged)
}

func (s *Service) userRegistered(ctx context.Context, tx pgx.Tx, e events.Received[events.User]) error {
	if err := people.Save(ctx, tx, e.Payload); err != nil {
		return err // names the person
	}
	return insertPreferences(ctx, tx, e.Payload.ID)
}

func (s *Service) userChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.UserChange]) error {
	return people.Save(ctx, tx, e.Payload.User) // names the person
}
