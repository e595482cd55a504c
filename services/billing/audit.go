package billing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/page"
)

// EntitlementChange is one change of what a person has.
type EntitlementChange struct {
	ID        uuid.UUID   `json:"id" format:"uuid"`
	At        time.Time   `json:"at"`
	Actor     string      `json:"actor" enum:"person,staff,stripe,apple,google,time,system"`
	ActorID   *uuid.UUID  `json:"actor_id" doc:"Of a person or a member of staff"`
	Action    string      `json:"action" doc:"What staff did; empty: the reason says it"`
	Reason    string      `json:"reason" doc:"Why: staff's words, or what the shop told"`
	WebhookID *uuid.UUID  `json:"webhook_id"`
	Before    Entitlement `json:"before"`
	After     Entitlement `json:"after"`
}

// StaffChange is one change by staff of what concerns everybody, or of work that waits.
type StaffChange struct {
	ID      uuid.UUID `json:"id" format:"uuid"`
	At      time.Time `json:"at"`
	StaffID uuid.UUID `json:"staff_id" format:"uuid"`
	What    string    `json:"what" doc:"The table"`
	Key     string    `json:"key" doc:"Of its row"`
	Action  string    `json:"action" enum:"added,changed,removed,replayed,retried"`
	Before  any       `json:"before" doc:"The row; null: there was none"`
	After   any       `json:"after" doc:"The row; null: there is none any more"`
}

// ChangesOf lists who changed what a person has, the latest first.
func (s *Service) ChangesOf(ctx context.Context, user uuid.UUID, q page.Query) (page.List[EntitlementChange], error) {
	after, err := page.After[place](q)
	if err != nil {
		return page.List[EntitlementChange]{}, err
	}
	rows, err := readEntitlementChanges(ctx, s.DB, user, after, q.Limit+1)
	if err != nil {
		return page.List[EntitlementChange]{}, err
	}
	return page.Cut(rows, q.Limit, func(c EntitlementChange) place { return place{c.At, c.ID} })
}

// StaffChanges lists what staff changed, the latest first; an empty what leaves out nothing.
func (s *Service) StaffChanges(ctx context.Context, what string, q page.Query) (page.List[StaffChange], error) {
	after, err := page.After[place](q)
	if err != nil {
		return page.List[StaffChange]{}, err
	}
	rows, err := readStaffChanges(ctx, s.DB, what, after, q.Limit+1)
	if err != nil {
		return page.List[StaffChange]{}, err
	}
	return page.Cut(rows, q.Limit, func(c StaffChange) place { return place{c.At, c.ID} })
}
