package notification

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// The kinds of things that a person may hear of.
const (
	TaskDueSoon      = "task_due_soon"
	TaskOverdue      = "task_overdue"
	TaskCompleted    = "task_completed"
	TaskAssigned     = "task_assigned"
	ResidenceShared  = "residence_shared"
	WarrantyExpiring = "warranty_expiring"
	Digest           = "digest"
)

// Kinds are all of them.
func Kinds() []string {
	return []string{TaskDueSoon, TaskOverdue, TaskCompleted, TaskAssigned, ResidenceShared, WarrantyExpiring, Digest}
}

// insertPreferences gives a person a row for every kind, all on, and the usual hours.
func insertPreferences(ctx context.Context, q pg.Querier, user uuid.UUID) error {
	_, err := pg.Exec(ctx, q, `
		WITH own AS (INSERT INTO settings (user_id) VALUES (@user_id::uuid) ON CONFLICT (user_id) DO NOTHING)
		INSERT INTO preferences (user_id, kind) SELECT @user_id::uuid, unnest(@kinds::text[])
		ON CONFLICT (user_id, kind) DO NOTHING`,
		pgx.NamedArgs{"user_id": user, "kinds": Kinds()})
	if err != nil {
		return fmt.Errorf("preferences of %s: %w", user, err)
	}
	return nil
}
