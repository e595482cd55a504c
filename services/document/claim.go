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

// What was named is claimed: whether somebody may name an upload was asked when they did, and of a subject's versions the
// newest may be heard first, by somebody else than who sent the file. But what something claims already is claimed by
// others only where it is seen anyway, so that an id that got here otherwise opens nothing that somebody keeps.
const (
	lockClaimedSQL = `SELECT lock_uploads(@uploads::uuid[] || ARRAY(SELECT upload_id FROM claims WHERE kind = @kind::text AND subject_id = @subject::uuid))`
	unclaimSQL     = `DELETE FROM claims WHERE kind = @kind::text AND subject_id = @subject::uuid AND NOT upload_id = ANY(@uploads::uuid[])`
	claimSQL       = `
INSERT INTO claims (upload_id, kind, subject_id, residence_id, user_id, task_id)
SELECT u.id, @kind::text, @subject::uuid, coalesce(moved.residence_id, @residence::uuid), @user::uuid, @task::uuid
FROM uploads u LEFT JOIN subjects moved ON moved.id = @task::uuid AND moved.version > @task_at::int
WHERE u.id = ANY(@uploads::uuid[]) AND u.state = 'stored' AND (u.unclaimed_at IS NOT NULL OR u.owner_id = @actor::uuid
	OR EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id AND (c.residence_id = @residence::uuid OR c.user_id = @actor::uuid OR c.subject_id = @subject::uuid)))
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
		args["uploads"] = []uuid.UUID{}
	}
	news, _, err := pg.Scalar[bool](ctx, tx, newerSQL, args)
	if err != nil || !news {
		return wrapClaim(c, err)
	}
	for _, statement := range []string{lockClaimedSQL, unclaimSQL, claimSQL} {
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

// claimCompletion keeps a completion's photos. Most completions have none, and of one that is new there is nothing to let
// go.
func (s *Service) claimCompletion(ctx context.Context, tx pgx.Tx, e events.Received[events.Completion]) error {
	if len(e.Payload.UploadIDs) == 0 {
		return nil
	}
	return completionClaim(e.Payload).apply(ctx, tx)
}

// reclaimCompletion keeps the photos that a completion has now: none, if it was undone.
func (s *Service) reclaimCompletion(ctx context.Context, tx pgx.Tx, e events.Received[events.Completion]) error {
	return completionClaim(e.Payload).apply(ctx, tx)
}

func completionClaim(c events.Completion) claim {
	return claim{
		kind: "completion", subject: c.ID, version: c.Version, uploads: c.UploadIDs, residence: c.Task.ResidenceID,
		task: c.Task.ID, taskAt: c.Task.Version, actor: c.Task.ActorID,
	}
}

// hearContractor keeps a contractor's files, or makes documents let go of one that is deleted.
func (s *Service) hearContractor(ctx context.Context, tx pgx.Tx, e events.Received[events.Contractor]) error {
	k := e.Payload
	switch k.Change {
	case "deleted":
		if err := letGo(ctx, tx, k.ID, k.ActorID, s.Clock.Now()); err != nil {
			return err
		}
		return unclaim(ctx, tx, `subject_id = @id::uuid AND kind = 'contractor'`, k.ID)
	case "favorite", "created":
		if len(k.UploadIDs) == 0 {
			return nil
		}
	}
	c := claim{kind: "contractor", subject: k.ID, version: k.Version, uploads: k.UploadIDs, actor: k.ActorID}
	if k.ResidenceID != nil {
		c.residence = *k.ResidenceID
	} else {
		c.user = k.CreatedBy
	}
	return c.apply(ctx, tx)
}

// forgetTask makes documents let go of a task that is deleted, and lets go of the photos of its completions.
func (s *Service) forgetTask(ctx context.Context, tx pgx.Tx, e events.Received[events.TaskRef]) error {
	if err := letGo(ctx, tx, e.Payload.ID, e.Payload.ActorID, s.Clock.Now()); err != nil {
		return err
	}
	return unclaim(ctx, tx, `task_id = @id::uuid`, e.Payload.ID)
}

// followTask lets the photos of a task that has moved be seen where it is now, and makes the documents of where it was let
// go of it.
func (s *Service) followTask(ctx context.Context, tx pgx.Tx, e events.Received[events.TaskRef]) error {
	t := e.Payload
	if t.PreviousResidenceID == uuid.Nil {
		return nil
	}
	if err := letGoOfMoved(ctx, tx, t, s.Clock.Now()); err != nil {
		return err
	}
	_, err := pg.Exec(ctx, tx, followSQL, pgx.NamedArgs{"id": t.ID})
	if err != nil {
		return fmt.Errorf("photos of task %s: %w", t.ID, err)
	}
	return nil
}

// followSQL reads where the task is: of two moves the later one says so.
const followSQL = `
UPDATE claims c SET residence_id = t.residence_id FROM subjects t
WHERE c.task_id = @id::uuid AND t.id = @id::uuid AND t.residence_id IS NOT NULL AND c.residence_id <> t.residence_id`

func unclaim(ctx context.Context, tx pgx.Tx, which string, id uuid.UUID) error {
	if _, err := pg.Exec(ctx, tx, `DELETE FROM claims WHERE `+which, pgx.NamedArgs{"id": id}); err != nil {
		return fmt.Errorf("claims of %s: %w", id, err)
	}
	return nil
}
