package task

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/owners"
	"hearth.internal/pkg/pg"
)

// Somebody may be assigned to a task just as they leave: who sees what is cached for five minutes at the most. Equipment
// may be named just as it is deleted.
const assignedLate = 10 * time.Minute

const forgetMembersSQL = `DELETE FROM gone_members WHERE gone_at <= @since::timestamptz`

// A task that somebody is just adding while its residence is being deleted can commit after everything was erased. Who
// sees what is cached for five minutes at the most, so looking again for a day is more than enough.
const (
	goneEvery = time.Minute
	goneFor   = 24 * time.Hour
)

const (
	residenceGoneSQL    = `INSERT INTO gone_residences (residence_id, gone_at) VALUES (@id::uuid, @now::timestamptz) ON CONFLICT DO NOTHING`
	eraseTasksSQL       = `DELETE FROM tasks WHERE residence_id = @id::uuid`
	eraseContractorsSQL = `
WITH contractors_gone AS (DELETE FROM contractors WHERE residence_id = @id::uuid RETURNING id, name)` + keepNames

	eraseLateSQL = `
WITH gone AS (SELECT residence_id FROM gone_residences WHERE gone_at > @since::timestamptz),
forgotten AS (DELETE FROM gone_residences WHERE gone_at <= @since::timestamptz),
contractors_gone AS (DELETE FROM contractors WHERE residence_id IN (SELECT residence_id FROM gone) RETURNING id, name),
tasks_gone AS (DELETE FROM tasks WHERE residence_id IN (SELECT residence_id FROM gone))` + keepNames + `
	AND c.residence_id NOT IN (SELECT residence_id FROM gone)`

	// keepNames leaves the names of contractors_gone in the log of other residences, where they worked before they moved.
	keepNames = `
UPDATE completions c SET contractor_id = NULL, contractor_name = g.name, version = c.version + 1
FROM contractors_gone g WHERE c.contractor_id = g.id`
)

// eraseResidence removes all that the residence held; completions go with their tasks.
func (s *Service) eraseResidence(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	if err := owners.Forget(ctx, tx, e); err != nil {
		return err
	}
	args := pgx.NamedArgs{"id": e.Payload.ID, "now": s.Clock.Now()}
	for _, statement := range []string{residenceGoneSQL, eraseTasksSQL, eraseContractorsSQL} {
		if _, err := pg.Exec(ctx, tx, statement, args); err != nil {
			return fmt.Errorf("erase residence %s: %w", e.Payload.ID, err)
		}
	}
	return nil
}

// eraseLate removes what was added to a residence while it was being erased.
func eraseLate(ctx context.Context, d *boot.Deps) {
	d.Every(ctx, goneEvery, "what came too late for a deleted residence stays until the next look", func(ctx context.Context) error {
		return eraseLateOnce(ctx, d)
	})
}

func eraseLateOnce(ctx context.Context, d *boot.Deps) error {
	now := d.Clock.Now()
	if _, err := pg.Exec(ctx, d.DB, eraseLateSQL, pgx.NamedArgs{"since": now.Add(-goneFor)}); err != nil {
		return fmt.Errorf("erase what came late: %w", err)
	}
	since := now.Add(-assignedLate)
	if _, err := pg.Exec(ctx, d.DB, forgetMembersSQL, pgx.NamedArgs{"since": since}); err != nil {
		return fmt.Errorf("forget who left long ago: %w", err)
	}
	if err := handBack(ctx, d.DB, goneMembers{since: since, now: now}); err != nil {
		return fmt.Errorf("unassign who left meanwhile: %w", err)
	}
	return letGoLate(ctx, d, since, now)
}

// letGoLate lets go of equipment that was named while it was being deleted.
func letGoLate(ctx context.Context, d *boot.Deps, since, now time.Time) error {
	if _, err := pg.Exec(ctx, d.DB, forgetEquipmentSQL, pgx.NamedArgs{"since": since}); err != nil {
		return fmt.Errorf("forget equipment that is gone for long: %w", err)
	}
	changed, err := letGoOfEquipment(ctx, d.DB, goneEquipment{since: since, now: now})
	if err != nil || len(changed) == 0 {
		return err
	}
	keys := make([]string, len(changed))
	for i, in := range changed {
		keys[i] = cache.RevisionKey(in.ResidenceID)
	}
	d.Relay.Nudge()
	return d.Cache.DropForSure(ctx, keys...)
}
