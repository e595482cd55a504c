package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/pg"
)

// scope is which reminders are planned: those of one task or warranty, of one residence, or of one person.
type scope struct {
	name    string
	id      uuid.UUID
	person  bool
	task    string // true of a task t,
	paper   string // of a warranty w,
	planned string // and of a reminder r, within the scope
}

func (c scope) String() string { return c.name + " " + c.id.String() }

func ofSubject(id uuid.UUID) scope {
	return scope{"subject", id, false, `t.task_id = @id::uuid`, `w.document_id = @id::uuid`, `r.subject_id = @id::uuid`}
}

func ofResidence(id uuid.UUID) scope {
	return scope{"residence", id, false, `t.residence_id = @id::uuid`, `w.residence_id = @id::uuid`, `r.residence_id = @id::uuid`}
}

func ofPerson(id uuid.UUID) scope {
	return scope{"person", id, true, `m.user_id = @id::uuid`, `m.user_id = @id::uuid`, `r.user_id = @id::uuid`}
}

// reminder is what a person is to be reminded of next.
type reminder struct {
	UserID      uuid.UUID
	Subject     string
	SubjectID   uuid.UUID
	ResidenceID *uuid.UUID
	OnDate      *day.Day
	Step        int
	FireAt      *time.Time
}

var (
	// hoursColumns are the hours of a person p with settings g, of whom either may not be known.
	hoursColumns = `coalesce(p.timezone, 'UTC') AS timezone, ` + minutes(`g.reminder_time`, `540`) + ` AS reminder, ` +
		minutes(`g.digest_time`, `480`) + ` AS digest, coalesce(g.due_soon_days, 1) AS lead`

	// reminded is true of a member m who is to be reminded of tasks and warranties: whoever may do something about them.
	reminded = `m.role IN ('owner', 'member')`

	// doing is true of a member m who has a task t to do: all of them, unless it is somebody's who is still here.
	doing = `(t.assigned_to IS NULL OR t.assigned_to = m.user_id OR NOT EXISTS (
		SELECT FROM members a WHERE a.residence_id = t.residence_id AND a.user_id = t.assigned_to AND a.role IN ('owner', 'member')))`

	ofWhom = ` LEFT JOIN people p ON p.user_id = m.user_id LEFT JOIN settings g ON g.user_id = m.user_id `
)

func minutes(column, otherwise string) string {
	return `coalesce((extract(hour FROM ` + column + `) * 60 + extract(minute FROM ` + column + `))::int, ` + otherwise + `)`
}

// queuePlanned reads what is to be planned. It takes turns with whoever plans for the same persons, or changes their hours, and
// then locks what is planned: an hour that is changed, a task that is added, or a reminder that fires at the same time is seen
// by this one or sees it.
func queuePlanned(b *pgx.Batch, within scope, rows *[]planned) {
	args := pgx.NamedArgs{"id": within.id}
	tasks := `FROM tasks t JOIN members m ON m.residence_id = t.residence_id AND ` + reminded
	papers := `FROM warranties w JOIN members m ON m.residence_id = w.residence_id AND ` + reminded
	wantedTasks := ` WHERE ` + within.task + ` AND t.open AND t.deleted_at IS NULL AND t.due_date IS NOT NULL AND ` + doing
	wantedPapers := ` WHERE ` + within.paper + ` AND w.end_date IS NOT NULL AND w.is_active AND NOT w.deleted`
	if within.person {
		b.Queue(oneOfPersonSQL, args)
	} else {
		b.Queue(`SELECT pg_advisory_xact_lock_shared(hashtextextended(p.user_id::text, 10)) FROM (
			SELECT m.user_id FROM tasks t JOIN members m ON m.residence_id = t.residence_id WHERE `+within.task+`
			UNION SELECT m.user_id FROM warranties w JOIN members m ON m.residence_id = w.residence_id WHERE `+within.paper+`
			ORDER BY user_id) p`, args)
	}
	b.Queue(`SELECT r.user_id FROM reminders r WHERE `+within.planned+` ORDER BY r.user_id, r.subject, r.subject_id FOR UPDATE`, args)
	b.Queue(`
		SELECT 'task' AS subject, t.task_id AS subject_id, t.residence_id, t.due_date AS on_date, m.user_id, `+hoursColumns+`, r.on_date AS had_date, r.step AS had_step
		`+tasks+ofWhom+`LEFT JOIN reminders r ON r.user_id = m.user_id AND r.subject = 'task' AND r.subject_id = t.task_id`+wantedTasks+`
		UNION ALL
		SELECT 'warranty', w.document_id, w.residence_id, w.end_date, m.user_id, `+hoursColumns+`, r.on_date, r.step
		`+papers+ofWhom+`LEFT JOIN reminders r ON r.user_id = m.user_id AND r.subject = 'warranty' AND r.subject_id = w.document_id`+wantedPapers,
		args).Query(pg.Rows(rows))
}

// writePlanned writes the reminders of the scope that are to be, and forgets the others.
func writePlanned(ctx context.Context, tx pgx.Tx, within scope, next []reminder) error {
	args := reminderArgs(next)
	args["id"] = within.id
	var b pgx.Batch
	b.Queue(`
		DELETE FROM reminders r WHERE `+within.planned+` AND r.subject IN ('task', 'warranty') AND NOT EXISTS (
			SELECT FROM unnest(@users::uuid[], @subjects::text[], @subject_ids::uuid[]) AS n(u, s, i)
			WHERE n.u = r.user_id AND n.s = r.subject AND n.i = r.subject_id)`, args)
	if len(next) > 0 {
		b.Queue(`
			INSERT INTO reminders AS r (user_id, subject, subject_id, residence_id, on_date, step, fire_at)
			SELECT * FROM `+reminderRows+`
			ORDER BY 1, 2, 3
			ON CONFLICT (user_id, subject, subject_id) DO UPDATE SET residence_id = excluded.residence_id, on_date = excluded.on_date,
				step = excluded.step, fire_at = excluded.fire_at
			WHERE (r.residence_id, r.on_date, r.step, r.fire_at) IS DISTINCT FROM (excluded.residence_id, excluded.on_date, excluded.step, excluded.fire_at)`, args)
	}
	if err := pg.Send(ctx, tx, &b); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// reminderRows are the rows of reminderArgs. Days and instants travel as text: without prepared statements nobody knows how
// to write an array of them.
const reminderRows = `unnest(@users::uuid[], @subjects::text[], @subject_ids::uuid[], @residences::text[]::uuid[], @dates::text[]::date[], @steps::int[], @fire_ats::text[]::timestamptz[])`

func reminderArgs(rows []reminder) pgx.NamedArgs {
	n := len(rows)
	users, ids, subjects, steps := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n), make([]int, n)
	homes, dates, fires := make([]*string, n), make([]*string, n), make([]*string, n)
	for i, r := range rows {
		users[i], ids[i], subjects[i], steps[i] = r.UserID, r.SubjectID, r.Subject, r.Step
		if r.ResidenceID != nil {
			homes[i] = new(r.ResidenceID.String())
		}
		if r.OnDate != nil {
			dates[i] = new(r.OnDate.String())
		}
		if r.FireAt != nil {
			fires[i] = new(r.FireAt.Format(time.RFC3339Nano))
		}
	}
	return pgx.NamedArgs{"users": users, "subjects": subjects, "subject_ids": ids, "residences": homes, "dates": dates, "steps": steps, "fire_ats": fires}
}

// readDigest answers a person's hours and the day that was told of last, which it locks. Whoever calls it has the turn at the
// person.
func readDigest(ctx context.Context, tx pgx.Tx, user uuid.UUID) (hours, day.Day, error) {
	args := pgx.NamedArgs{"user_id": user}
	var row struct {
		hours
		Told *day.Day
	}
	var found bool
	var b pgx.Batch
	b.Queue(`SELECT user_id FROM reminders WHERE user_id = @user_id::uuid AND subject = 'digest' FOR UPDATE`, args)
	b.Queue(`
		SELECT `+hoursColumns+`, r.on_date AS told FROM (SELECT @user_id::uuid AS user_id) m`+ofWhom+`
		LEFT JOIN reminders r ON r.user_id = m.user_id AND r.subject = 'digest'`, args).Query(pg.Row(&row, &found))
	if err := pg.Send(ctx, tx, &b); err != nil {
		return hours{}, day.Day{}, fmt.Errorf("read: %w", err)
	}
	if row.Told == nil {
		return row.hours, day.Day{}, nil
	}
	return row.hours, *row.Told, nil
}

func writeDigest(ctx context.Context, tx pgx.Tx, user uuid.UUID, at time.Time) error {
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO reminders (user_id, subject, subject_id, step, fire_at) VALUES (@user_id::uuid, 'digest', @user_id::uuid, 0, @at::timestamptz)
		ON CONFLICT (user_id, subject, subject_id) DO UPDATE SET step = 0, fire_at = excluded.fire_at`,
		pgx.NamedArgs{"user_id": user, "at": at})
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
