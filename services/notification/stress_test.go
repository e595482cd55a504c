package notification_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/notification/push/pushtest"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// world is what a crowd does to some residences at once, and what is so at the end of it.
type world struct {
	t       *testing.T
	s       *testkit.Service
	mu      sync.Mutex
	people  []events.User
	homes   []events.Home
	tasks   []events.TaskRef
	members map[[2]uuid.UUID]string
	at      time.Time // events occur one after another
	gone    map[uuid.UUID]bool
}

func (w *world) next() testkit.Delivery {
	w.at = w.at.Add(time.Millisecond)
	return testkit.Delivery{At: w.at}
}

func pick[T any](r *rand.Rand, from []T) *T { return &from[r.IntN(len(from))] }

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland"}

// happen makes one random thing happen to the world, and answers how it is done.
func (w *world) happen(r *rand.Rand) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.next()
	switch n := r.IntN(20); {
	case n < 8:
		task := pick(r, w.tasks)
		task.Version++
		task.PreviousResidenceID = uuid.Nil
		switch r.IntN(6) {
		case 0:
			task.Open = !task.Open
		case 1:
			task.AssignedToID = pick(r, w.people).ID
		case 2:
			task.AssignedToID = uuid.Nil
		case 3:
			task.PreviousResidenceID = task.ResidenceID
			task.ResidenceID = pick(r, w.homes).ID
		default:
			task.NextDueDate = fmt.Sprintf("2026-03-%02d", 8+r.IntN(12))
		}
		task.ActorID = pick(r, w.people).ID
		told := *task
		if r.IntN(4) == 0 {
			done := events.Completion{ID: uuid.Must(uuid.NewV7()), Task: told, CompletedBy: told.ActorID, Version: 1}
			return func() { testkit.Enqueue(w.t, w.s, events.TaskCompleted, done, d) }
		}
		return func() { testkit.Enqueue(w.t, w.s, events.TaskChanged, told, d) }
	case n < 12:
		home, person := pick(r, w.homes), pick(r, w.people)
		key := [2]uuid.UUID{home.ID, person.ID}
		if w.gone[home.ID] || w.gone[person.ID] {
			return func() {}
		}
		m := events.Membership{ResidenceID: home.ID, OwnerID: home.OwnerID, UserID: person.ID, ActorID: home.OwnerID}
		switch {
		case person.ID == home.OwnerID:
			heir := pick(r, w.people)
			if heir.ID == person.ID || w.members[[2]uuid.UUID{home.ID, heir.ID}] == "" {
				return func() {}
			}
			home.OwnerID = heir.ID
			w.members[key], w.members[[2]uuid.UUID{home.ID, heir.ID}] = "member", "owner"
			m.OwnerID, m.UserID, m.Change, m.Role = heir.ID, heir.ID, "transferred", "owner"
		case w.members[key] == "":
			m.Change, m.Role = "joined", "member"
			w.members[key] = "member"
		case r.IntN(2) == 0:
			m.Change = "removed"
			delete(w.members, key)
		default:
			m.Change, m.Role = "role", []string{"viewer", "member"}[r.IntN(2)]
			w.members[key] = m.Role
		}
		return func() { testkit.Enqueue(w.t, w.s, events.MembersChanged, m, d) }
	case n < 14:
		person := pick(r, w.people)
		person.Version++
		person.Timezone = *pick(r, zones)
		told := *person
		return func() { testkit.Enqueue(w.t, w.s, events.UserChanged, events.UserChange{User: told}, d) }
	case n < 16:
		user, patch := pick(r, w.people).ID, fmt.Sprintf(`{"reminder_time":"%02d:00","due_soon_days":%d,"digest_time":"%02d:30"}`, r.IntN(24), 1+r.IntN(3), r.IntN(24))
		return func() {
			if a := w.s.As(w.t, user).Call("PATCH", "/api/notifications/preferences/", patch); a.Status >= 500 {
				w.t.Errorf("preferences: %d %s", a.Status, a.Body)
			}
		}
	default:
		user, do := pick(r, w.people).ID, r.IntN(6)
		pickOne := r.IntN(1 << 30)
		return func() {
			c := w.s.As(w.t, user)
			var list struct{ Items []struct{ ID uuid.UUID } }
			a := c.Call("GET", "/api/notifications/?limit=20", nil)
			list = testkit.JSON[struct{ Items []struct{ ID uuid.UUID } }](w.t, a)
			path := "/api/notifications/mark-all-read/"
			switch {
			case do == 0:
			case do == 1:
				path = "/api/notifications/clear/"
			case len(list.Items) > 0 && do < 5:
				path = "/api/notifications/" + list.Items[pickOne%len(list.Items)].ID.String() + "/snooze/"
			case len(list.Items) > 0:
				path = "/api/notifications/" + list.Items[pickOne%len(list.Items)].ID.String() + "/"
				if a := c.Call("DELETE", path, nil); a.Status >= 500 {
					w.t.Errorf("%s: %d %s", path, a.Status, a.Body)
				}
				return
			}
			if a := c.Call("POST", path, nil); a.Status >= 500 {
				w.t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
		}
	}
}

func TestWhateverHappensAtOnceEveryReminderIsAsItShouldBe(t *testing.T) {
	cfg, to := provided(t)
	s := run(t, cfg)
	second := run(t, cfg)
	to.APNs.UseClock(s.Clock)
	w := &world{t: t, s: s, members: map[[2]uuid.UUID]string{}, at: testkit.Start, gone: map[uuid.UUID]bool{}}
	var first []func()
	for i := range 8 {
		u := events.User{ID: uuid.Must(uuid.NewV7()), Email: fmt.Sprintf("p%d@example.org", i), FirstName: fmt.Sprint("P", i), Username: fmt.Sprint("p", i), Timezone: zones[i%len(zones)],
			Locale: "en", EmailVerified: new(true), Version: 1}
		w.people = append(w.people, u)
		d := w.next()
		first = append(first, func() { testkit.Enqueue(t, s, events.UserRegistered, u, d) })
	}
	for i := range 4 {
		h := events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: w.people[i].ID, Name: fmt.Sprint("Home ", i), Version: 1}
		for j := range 4 {
			id := w.people[(i+j)%8].ID
			h.MemberIDs = append(h.MemberIDs, id)
			w.members[[2]uuid.UUID{h.ID, id}] = "member"
		}
		w.members[[2]uuid.UUID{h.ID, h.OwnerID}] = "owner"
		w.homes = append(w.homes, h)
		d := w.next()
		first = append(first, func() { testkit.Enqueue(t, s, events.ResidenceCreated, h, d) })
		for j := range 12 {
			task := events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: h.ID, Title: fmt.Sprint("Task ", i, "/", j), NextDueDate: fmt.Sprintf("2026-03-%02d", 8+j), Open: true, ActorID: h.OwnerID, Version: 1}
			w.tasks = append(w.tasks, task)
			d := w.next()
			first = append(first, func() { testkit.Enqueue(t, s, events.TaskCreated, task, d) })
		}
	}
	rand.Shuffle(len(first), func(i, j int) { first[i], first[j] = first[j], first[i] })
	for _, f := range first {
		f()
	}
	for _, p := range w.people {
		s.As(t, p.ID).Want(201, "POST", "/api/notifications/devices/", map[string]any{"platform": "ios", "token": pushtest.NewToken(), "name": "P", "app_version": "1"})
	}
	var all sync.WaitGroup
	const threads, each = 8, 60
	for i := range threads {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), uint64(time.Now().UnixNano())))
			for k := range each {
				w.happen(r)()
				if i == 0 && k%3 == 0 {
					s.Clock.Advance(151 * time.Minute)
					second.Clock.Set(s.Clock.Now())
				}
				if i == 1 && k == each/2 || i == 2 && k == each*2/3 { // somebody goes, and their home
					w.goes(i)
				}
			}
		})
	}
	all.Wait()
	h := &household{Service: s, t: t}
	testkit.Eventually(t, "all events are done", func() bool {
		n, err := s.Queue.LLen(t.Context(), "asynq:{notification}:pending").Result()
		m, err2 := s.Queue.LLen(t.Context(), "asynq:{notification}:active").Result()
		o, err3 := s.Queue.ZCard(t.Context(), "asynq:{notification}:retry").Result()
		return err == nil && err2 == nil && err3 == nil && n+m+o == 0
	})
	h.calm()
	w.check()
}

// goes lets a person go who owns a residence, and the residence with them.
func (w *world) goes(i int) {
	w.mu.Lock()
	var person uuid.UUID
	var home *events.Home
	for k := range w.homes {
		if h := &w.homes[(k+i)%len(w.homes)]; !w.gone[h.ID] && !w.gone[h.OwnerID] {
			home, person = h, h.OwnerID
			break
		}
	}
	w.gone[person], w.gone[home.ID] = true, true
	var sends []func()
	d := w.next()
	told := *home
	sends = append(sends, func() { testkit.Enqueue(w.t, w.s, events.ResidenceDeleted, told, d) })
	for k := range w.homes {
		h := &w.homes[k]
		if h.ID == home.ID {
			continue
		}
		if h.OwnerID == person {
			for _, p := range w.people {
				if w.members[[2]uuid.UUID{h.ID, p.ID}] != "" && !w.gone[p.ID] {
					h.OwnerID = p.ID
					w.members[[2]uuid.UUID{h.ID, p.ID}] = "owner"
					d, m := w.next(), events.Membership{ResidenceID: h.ID, OwnerID: p.ID, UserID: p.ID, Change: "transferred", Role: "owner", ActorID: person}
					sends = append(sends, func() { testkit.Enqueue(w.t, w.s, events.MembersChanged, m, d) })
					break
				}
			}
		}
		if w.members[[2]uuid.UUID{h.ID, person}] != "" {
			delete(w.members, [2]uuid.UUID{h.ID, person})
			d, m := w.next(), events.Membership{ResidenceID: h.ID, OwnerID: h.OwnerID, UserID: person, Change: "left", ActorID: person}
			sends = append(sends, func() { testkit.Enqueue(w.t, w.s, events.MembersChanged, m, d) })
		}
	}
	d2 := w.next()
	sends = append(sends, func() { testkit.Enqueue(w.t, w.s, events.UserDeleted, events.Person{ID: person}, d2) })
	w.mu.Unlock()
	rand.Shuffle(len(sends), func(i, j int) { sends[i], sends[j] = sends[j], sends[i] })
	for _, f := range sends {
		f()
	}
}

func (w *world) check() {
	t, s := w.t, w.s
	dead, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`, nil)
	if err != nil || dead != 0 {
		t.Errorf("%d deadlocks, %v", dead, err)
	}
	for k, role := range w.members {
		if w.gone[k[0]] || w.gone[k[1]] {
			continue
		}
		got, _, _ := pg.Scalar[string](t.Context(), s.DB, `SELECT role FROM members WHERE residence_id = @r AND user_id = @u AND role IS NOT NULL`, map[string]any{"r": k[0], "u": k[1]})
		if got != role {
			t.Errorf("%v is %q, wanted %q", k, got, role)
		}
	}
	var gone []uuid.UUID
	for id := range w.gone {
		gone = append(gone, id)
	}
	for name, sql := range map[string]string{
		"reminders that are missing, or of another date": `
			SELECT count(*)::int FROM tasks t JOIN members m ON m.residence_id = t.residence_id AND m.role IN ('owner', 'member')
			WHERE t.open AND t.deleted_at IS NULL AND (t.assigned_to IS NULL OR t.assigned_to = m.user_id OR NOT EXISTS (
				SELECT FROM members a WHERE a.residence_id = t.residence_id AND a.user_id = t.assigned_to AND a.role IN ('owner', 'member')))
			AND NOT EXISTS (SELECT FROM reminders r WHERE r.user_id = m.user_id AND r.subject = 'task' AND r.subject_id = t.task_id AND r.on_date = t.due_date AND r.residence_id = t.residence_id)`,
		"reminders that should not be": `
			SELECT count(*)::int FROM reminders r WHERE r.subject = 'task' AND NOT EXISTS (
				SELECT FROM tasks t JOIN members m ON m.residence_id = t.residence_id AND m.role IN ('owner', 'member')
				WHERE t.task_id = r.subject_id AND m.user_id = r.user_id AND t.open AND t.deleted_at IS NULL AND (t.assigned_to IS NULL OR t.assigned_to = m.user_id OR NOT EXISTS (
				SELECT FROM members a WHERE a.residence_id = t.residence_id AND a.user_id = t.assigned_to AND a.role IN ('owner', 'member'))))`,
		"reminders at another hour": `
			SELECT count(*)::int FROM reminders r JOIN people p USING (user_id) LEFT JOIN settings g USING (user_id)
			WHERE r.subject = 'task' AND r.fire_at IS DISTINCT FROM ((r.on_date + (ARRAY[-coalesce(g.due_soon_days, 1), 0, 1, 3, 7, 14, 30, 60, 90])[r.step + 1]
				+ coalesce(g.reminder_time, '09:00')) AT TIME ZONE p.timezone)`,
		"people without a digest": `SELECT count(*)::int FROM people p WHERE NOT EXISTS (SELECT FROM reminders r WHERE r.user_id = p.user_id AND r.subject = 'digest' AND r.fire_at IS NOT NULL)`,
		"what is left of people": `SELECT (SELECT count(*) FROM people WHERE user_id = ANY(@gone)) + (SELECT count(*) FROM members WHERE user_id = ANY(@gone)) + (SELECT count(*) FROM reminders WHERE user_id = ANY(@gone))
			+ (SELECT count(*) FROM notifications WHERE user_id = ANY(@gone)) + (SELECT count(*) FROM messages WHERE user_id = ANY(@gone) AND purpose <> 'account_deleted')
			+ (SELECT count(*) FROM preferences WHERE user_id = ANY(@gone)) + (SELECT count(*) FROM settings WHERE user_id = ANY(@gone)) + (SELECT count(*) FROM devices WHERE user_id = ANY(@gone))::int`,
		"what is left of homes": `SELECT (SELECT count(*) FROM members WHERE residence_id = ANY(@gone)) + (SELECT count(*) FROM reminders WHERE residence_id = ANY(@gone))
			+ (SELECT count(*) FROM notifications WHERE residence_id = ANY(@gone)) + (SELECT count(*) FROM tasks WHERE residence_id = ANY(@gone) AND deleted_at IS NULL)`,
	} {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, sql, map[string]any{"gone": gone})
		if err != nil || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	for _, task := range w.tasks {
		if w.gone[task.ResidenceID] {
			continue
		}
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*)::int FROM tasks WHERE task_id = @id AND version = @v AND residence_id = @r`, map[string]any{"id": task.ID, "v": task.Version, "r": task.ResidenceID})
		if err != nil || n != 1 {
			t.Errorf("task %+v is another, %v", task, err)
		}
	}
}
