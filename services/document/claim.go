package document

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// claim is what something of another service keeps: all of it, so that what is not in it is let go.
type claim struct {
	kind      string // completion, contractor, avatar
	subject   uuid.UUID
	version   int // of the subject: what comes late changes nothing
	uploads   []uuid.UUID
	residence uuid.UUID // whose members see it; none: user does
	user      uuid.UUID
	task      uuid.UUID // of a completion
	taskAt    int       // that task's version: it may have moved since
	actor     uuid.UUID // who has named the uploads
}

// newer notes the subject's version and answers whether it is news. Things that are gone never are.
const newerSQL = `
INSERT INTO subjects AS s (id, version) SELECT @subject::uuid, @version::int
WHERE NOT EXISTS (SELECT FROM gone_things g WHERE g.id IN (@subject::uuid, @task::uuid))
	AND NOT EXISTS (SELECT FROM gone_residences g WHERE g.residence_id = @residence::uuid)
ON CONFLICT (id) DO UPDATE SET version = excluded.version WHERE s.version < excluded.version
RETURNING true`

// What was named is claimed as it was: whether somebody may name an upload was asked when they did. But only their own, or
// what is seen in that residence anyway; an id that got here otherwise keeps nothing and shows nothing.
const (
	unclaimSQL = `DELETE FROM claims WHERE kind = @kind::text AND subject_id = @subject::uuid AND NOT upload_id = ANY(@uploads::uuid[])`
	claimSQL   = `
INSERT INTO claims (upload_id, kind, subject_id, residence_id, user_id, task_id)
SELECT u.id, @kind::text, @subject::uuid, coalesce(moved.residence_id, @residence::uuid), @user::uuid, @task::uuid
FROM uploads u LEFT JOIN subjects moved ON moved.id = @task::uuid AND moved.version > @task_at::int
WHERE u.id = ANY(@uploads::uuid[]) AND u.state = 'stored' AND (u.owner_id = @actor::uuid
	OR EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id AND (c.residence_id = @residence::uuid OR c.user_id = @actor::uuid)))
ON CONFLICT (upload_id, kind, subject_id) DO UPDATE
SET residence_id = excluded.residence_id, user_id = excluded.user_id, task_id = excluded.task_id`
)

// apply makes the subject's claims what they are now.
func (c claim) apply(ctx context.Context, tx pgx.Tx) error {
	args := pgx.NamedArgs{
		"kind": c.kind, "subject": c.subject, "version": c.version, "uploads": c.uploads, "residence": orNull(c.residence),
		"user": orNull(c.user), "task": orNull(c.task), "task_at": c.taskAt, "actor": c.actor,
	}
	if c.uploads == nil {
		if c.version == 1 {
			return nil // most things have no files, and this is the first that could be heard of it
		}
		args["uploads"] = []uuid.UUID{}
	}
	news, _, err := pg.Scalar[bool](ctx, tx, newerSQL, args)
	if err != nil || !news {
		return wrapClaim(c, err)
	}
	for _, statement := range []string{unclaimSQL, claimSQL} {
		if _, err := pg.Exec(ctx, tx, statement, args); err != nil {
			return wrapClaim(c, err)
		}
	}
	return nil
}

func wrapClaim(c claim, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("claims of %s %s: %w", c.kind, c.subject, err)
}

// orNull is the id, or nothing.
func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// claimAvatar keeps somebody's picture.
func (s *Service) claimAvatar(ctx context.Context, tx pgx.Tx, e events.Received[events.UserChange]) error {
	u := e.Payload.User
	c := claim{kind: "avatar", subject: u.ID, version: u.Version, user: u.ID, actor: u.ID}
	if u.AvatarID != uuid.Nil {
		c.uploads = []uuid.UUID{u.AvatarID}
	}
	return c.apply(ctx, tx)
}
