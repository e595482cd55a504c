package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

const (
	deviceColumns = `d.id, d.platform, d.token, d.environment, d.name, d.app_version, d.created_at, d.seen_at`

	// oneOfDevicesSQL lets the registrations of one person follow each other: each sees how many there are.
	oneOfDevicesSQL = `SELECT pg_advisory_xact_lock(hashtextextended(@user_id::uuid::text, 9))`

	// upsertDeviceSQL goes by the token: whoever had it, it is the person's now. A token that is not known may be the new one
	// of a device whose id is. It answers nothing when the id is another person's.
	upsertDeviceSQL = `
WITH there AS (SELECT id FROM devices WHERE id = @id::uuid),
known AS (SELECT id FROM devices WHERE token_hash = @hash::bytea),
renewed AS (
	UPDATE devices d SET session_id = @session_id::uuid, platform = @platform, environment = @environment, token = @token, token_hash = @hash::bytea,
		name = @name, app_version = @app_version, seen_at = @now::timestamptz, dead_at = NULL, dead_reason = NULL
	WHERE d.id = @id::uuid AND d.user_id = @user_id::uuid AND NOT EXISTS (SELECT FROM known) RETURNING ` + deviceColumns + `),
saved AS (
	INSERT INTO devices AS d (id, user_id, session_id, platform, environment, token, token_hash, name, app_version, created_at, seen_at)
	SELECT @id::uuid, @user_id::uuid, @session_id::uuid, @platform, @environment, @token, @hash::bytea, @name, @app_version, @now::timestamptz, @now::timestamptz
	WHERE EXISTS (SELECT FROM known) OR NOT EXISTS (SELECT FROM there)
	ON CONFLICT (token_hash) DO UPDATE SET user_id = excluded.user_id, session_id = excluded.session_id, environment = excluded.environment,
		name = excluded.name, app_version = excluded.app_version, seen_at = excluded.seen_at, dead_at = NULL, dead_reason = NULL,
		created_at = CASE WHEN d.user_id = excluded.user_id THEN d.created_at ELSE excluded.created_at END
	RETURNING ` + deviceColumns + `, d.xmax = 0 AS added)
SELECT *, false AS added FROM renewed UNION ALL SELECT * FROM saved`

	// retireDevicesSQL keeps the devices seen last. It passes over one that somebody is taking away just now.
	retireDevicesSQL = `
UPDATE devices SET dead_at = @now::timestamptz, dead_reason = 'too_many'
WHERE user_id = @user_id::uuid AND id IN (
	SELECT id FROM devices WHERE id IN (
		SELECT id FROM devices WHERE user_id = @user_id::uuid AND dead_at IS NULL ORDER BY seen_at DESC, id DESC OFFSET @most::int)
	FOR UPDATE SKIP LOCKED)`

	devicesSQL = `
SELECT ` + deviceColumns + ` FROM devices d
WHERE d.user_id = @user_id::uuid AND d.dead_at IS NULL AND (d.seen_at, d.id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY d.seen_at DESC, d.id DESC LIMIT @limit::int`

	deleteDeviceSQL = `
WITH gone AS (DELETE FROM devices d WHERE d.id = @id::uuid AND d.user_id = @user_id::uuid AND d.dead_at IS NULL RETURNING d.id),
stopped AS (
	UPDATE messages m SET state = 'suppressed', reason = 'no_device', settled_at = @now::timestamptz
	WHERE m.id IN (
		SELECT w.id FROM messages w WHERE w.user_id = @user_id::uuid AND w.channel = 'push' AND w.state = 'pending'
			AND w.device_id IN (SELECT id FROM gone) ORDER BY w.id FOR UPDATE))
SELECT EXISTS (SELECT FROM gone)`
)

// savedDevice is a device, and whether it is new.
type savedDevice struct {
	Device
	Added bool
}

func upsertDevice(ctx context.Context, q pg.Querier, actor identity.Actor, d NewDevice, now time.Time) (out savedDevice, found bool, err error) {
	id := d.ID
	if id == nil {
		id = new(uuid.Must(uuid.NewV7()))
	}
	args := pgx.NamedArgs{
		"id": *id, "user_id": actor.UserID, "session_id": orNone(actor.SessionID), "platform": d.Platform, "environment": d.Environment,
		"token": d.Token, "hash": tokenHash(d.Platform, d.Token), "name": d.Name, "app_version": d.AppVersion, "now": now, "most": maxDevices,
	}
	b := &pgx.Batch{}
	b.Queue(oneOfDevicesSQL, args)
	b.Queue(upsertDeviceSQL, args).Query(pg.Row(&out, &found))
	b.Queue(retireDevicesSQL, args)
	if err := pg.Send(ctx, q, b); err != nil {
		return out, false, fmt.Errorf("register device: %w", err)
	}
	return out, found, nil
}

func readDevices(ctx context.Context, q pg.Querier, user uuid.UUID, before *devicePlace, limit int) ([]Device, error) {
	args := pgx.NamedArgs{"user_id": user, "limit": limit, "before_at": "infinity", "before_id": uuid.Max}
	if before != nil {
		args["before_at"], args["before_id"] = before.At, before.ID
	}
	return pg.All[Device](ctx, q, devicesSQL, args)
}

func deleteDevice(ctx context.Context, q pg.Querier, user, id uuid.UUID, now time.Time) (bool, error) {
	found, _, err := pg.Scalar[bool](ctx, q, deleteDeviceSQL, pgx.NamedArgs{"id": id, "user_id": user, "now": now})
	if err != nil {
		return false, fmt.Errorf("remove device: %w", err)
	}
	return found, nil
}
