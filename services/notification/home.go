package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

func (s *Service) residenceCreated(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	home := e.Payload
	if err := oneOfResidence(ctx, tx, home.ID); err != nil {
		return err
	}
	gone, err := belong(ctx, tx, belonging{residence: home.ID, owner: home.OwnerID, members: home.MemberIDs, role: access.Member, asOf: e.AsOf()})
	if err != nil || gone {
		return err
	}
	if err := nameHome(ctx, tx, home); err != nil {
		return err
	}
	return s.plan(ctx, tx, ofResidence(home.ID)) // what it holds may have been told of before
}

func (s *Service) residenceChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	return nameHome(ctx, tx, e.Payload)
}

// nameHome keeps what a residence is called. One that is not known yet is made known with its name: who belongs to it is
// told by other events.
func nameHome(ctx context.Context, tx pgx.Tx, home events.Home) error {
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO residences AS r (residence_id, owner_id, name, name_version, as_of) VALUES (@residence_id::uuid, @owner_id::uuid, @name, @version::int, '')
		ON CONFLICT (residence_id) DO UPDATE SET name = excluded.name, name_version = excluded.name_version
		WHERE r.name_version < excluded.name_version AND r.gone_at IS NULL`,
		pgx.NamedArgs{"residence_id": home.ID, "owner_id": home.OwnerID, "name": home.Name, "version": home.Version})
	if err != nil {
		return fmt.Errorf("name of residence %s: %w", home.ID, err)
	}
	return nil
}

// membersChanged keeps who belongs to a residence, reminds who has to do with it now, and tells of the change.
func (s *Service) membersChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.Membership]) error {
	m := e.Payload
	if err := oneOfResidence(ctx, tx, m.ResidenceID); err != nil {
		return err
	}
	gone, err := belong(ctx, tx, belonging{residence: m.ResidenceID, owner: m.OwnerID, members: []uuid.UUID{m.UserID}, role: m.Role, asOf: e.AsOf()})
	if err != nil || gone {
		return err
	}
	if err := s.plan(ctx, tx, ofResidence(m.ResidenceID)); err != nil {
		return err
	}
	if m.Role == "" {
		if err := s.forgetHome(ctx, tx, m.ResidenceID, m.UserID); err != nil {
			return err
		}
	}
	return s.tellMembership(ctx, tx, e.ID, m)
}

// forgetHome takes what is in a residence out of the inbox of somebody who does not belong to it any more.
func (s *Service) forgetHome(ctx context.Context, tx pgx.Tx, residence, user uuid.UUID) error {
	_, err := pg.Exec(ctx, tx, `
		WITH held AS (
			SELECT n.id FROM notifications n WHERE n.residence_id = @residence_id::uuid AND n.user_id = @user_id::uuid AND n.kind <> 'residence_shared'
				AND NOT EXISTS (SELECT FROM members m WHERE m.residence_id = n.residence_id AND m.user_id = n.user_id AND m.role IS NOT NULL)
			ORDER BY n.id FOR UPDATE OF n),
		gone AS (DELETE FROM notifications n WHERE n.id IN (SELECT id FROM held) RETURNING n.user_id),
		whose AS (SELECT to_jsonb(array_agg(DISTINCT user_id)) AS ids FROM gone HAVING count(*) > 0)
		`+events.ColumnsWith(`jsonb_build_object('user_ids', whose.ids)`)+` FROM whose`,
		events.NotificationsChanged.Args(ctx, events.Inboxes{}, pgx.NamedArgs{"residence_id": residence, "user_id": user}))
	if err != nil {
		return fmt.Errorf("inbox of a former member: %w", err)
	}
	return nil
}

// belonging is what one event says of who belongs to a residence.
type belonging struct {
	residence uuid.UUID
	owner     uuid.UUID
	members   []uuid.UUID // those whom it speaks of
	role      string      // theirs now; empty: they are gone
	asOf      string
}

// belong brings a residence and its members up to what is told, each row unless something later is known of it. The owner
// is the residence's to say, not the member's: a transfer tells of the new owner alone. Nobody belongs to a residence that
// is gone, which it reports, and no person who is gone belongs to any.
func belong(ctx context.Context, tx pgx.Tx, t belonging) (gone bool, err error) {
	known, _, err := pg.One[struct {
		OwnerID uuid.UUID
		Gone    bool
	}](ctx, tx, `
		INSERT INTO residences AS r (residence_id, owner_id, as_of) VALUES (@residence_id, @owner_id, @as_of)
		ON CONFLICT (residence_id) DO UPDATE SET
			owner_id = CASE WHEN excluded.as_of > r.as_of THEN excluded.owner_id ELSE r.owner_id END,
			as_of = greatest(excluded.as_of, r.as_of)
		RETURNING owner_id, gone_at IS NOT NULL AS gone`,
		pgx.NamedArgs{"residence_id": t.residence, "owner_id": t.owner, "as_of": t.asOf})
	if err != nil {
		return false, fmt.Errorf("residence %s: %w", t.residence, err)
	}
	if known.Gone {
		return true, nil
	}
	_, err = pg.Exec(ctx, tx, `
		INSERT INTO members AS m (residence_id, user_id, role, as_of)
		SELECT @residence_id::uuid, u.id, nullif(@role::text, ''), @as_of FROM unnest(@user_ids::uuid[]) AS u(id)
		WHERE NOT EXISTS (SELECT FROM gone_people g WHERE g.user_id = u.id)
		ON CONFLICT (residence_id, user_id) DO UPDATE SET role = excluded.role, as_of = excluded.as_of
		WHERE excluded.as_of > m.as_of`,
		pgx.NamedArgs{"residence_id": t.residence, "user_ids": t.members, "role": t.role, "as_of": t.asOf})
	if err != nil {
		return false, fmt.Errorf("members of %s: %w", t.residence, err)
	}
	_, err = pg.Exec(ctx, tx, `
		UPDATE members SET role = CASE WHEN user_id = @owner_id THEN 'owner' ELSE 'member' END
		WHERE residence_id = @residence_id AND (role = 'owner') <> (user_id = @owner_id)`,
		pgx.NamedArgs{"residence_id": t.residence, "owner_id": known.OwnerID})
	if err != nil {
		return false, fmt.Errorf("owner of %s: %w", t.residence, err)
	}
	return false, nil
}

func (s *Service) residenceDeleted(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	home := e.Payload
	if err := oneOfResidence(ctx, tx, home.ID); err != nil {
		return err
	}
	if err := forget(ctx, tx, home.ID, home.OwnerID, e.AsOf(), e.OccurredAt); err != nil {
		return fmt.Errorf("forget residence %s: %w", home.ID, err)
	}
	return nil
}

// forget leaves nothing of a residence but the mark that it is gone. Its members and reminders go before its notifications:
// who is writing one just now holds the members, or the reminder that it comes from.
func forget(ctx context.Context, tx pgx.Tx, residence, owner uuid.UUID, asOf string, at time.Time) error {
	for _, statement := range []string{
		`INSERT INTO residences AS r (residence_id, owner_id, gone_at, as_of) VALUES (@residence_id, @owner_id, @gone_at, @as_of)
		ON CONFLICT (residence_id) DO UPDATE SET gone_at = least(excluded.gone_at, r.gone_at), name = NULL`,
		`DELETE FROM members WHERE residence_id = @residence_id`,
		`DELETE FROM warranties WHERE residence_id = @residence_id`,
		`DELETE FROM tasks WHERE residence_id = @residence_id`,
		`DELETE FROM reminders WHERE (user_id, subject, subject_id) IN (
			SELECT user_id, subject, subject_id FROM reminders WHERE residence_id = @residence_id ORDER BY user_id, subject, subject_id FOR UPDATE)`,
		`DELETE FROM notifications WHERE id IN (SELECT id FROM notifications WHERE residence_id = @residence_id ORDER BY id FOR UPDATE)`,
	} {
		if _, err := pg.Exec(ctx, tx, statement, pgx.NamedArgs{"residence_id": residence, "owner_id": owner, "gone_at": at, "as_of": asOf}); err != nil {
			return err // named by the caller
		}
	}
	return nil
}
