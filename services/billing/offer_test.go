package billing_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/billing"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// fields are a body's members.
type fields map[string]any

// with is the same with some members changed; nil takes one out.
func (f fields) with(other fields) fields {
	out := maps.Clone(f)
	for name, value := range other {
		if out[name] = value; value == absent {
			delete(out, name)
		}
	}
	return out
}

// absent takes a member out.
const absent = "\x00absent"

var staff = uuid.MustParse("0192f000-0000-7000-8000-000000000001")

var (
	feature = fields{"staff_id": staff, "name": "Photos", "description": "Of all that you have", "icon": "photo", "free": "20", "pro": "Unlimited", "display_order": 3, "is_active": true}
	trigger = fields{"staff_id": staff, "title": "More photos", "message": "With Pro there is no limit.", "button_text": "See Pro", "is_active": true}
	product = fields{"staff_id": staff, "tier": "pro", "period": "year", "is_active": true}
	promo   = fields{"staff_id": staff, "key": "spring", "title": "Spring", "message": "Half the price", "share": 100, "is_active": true}
)

const admin = "/internal/admin/"

// warm answers what a path says at once. It is to say so without SQL from then on, when the relay has dropped it again too.
func warm(t *testing.T, app *testkit.Client, path string) string {
	t.Helper()
	first := app.Want(200, "GET", path, nil)
	var again testkit.Answer
	testkit.Eventually(t, path+" takes no SQL", func() bool {
		again = app.Want(200, "GET", path, nil)
		return strings.Contains(again.Header.Get("Server-Timing"), `db;desc="0"`)
	})
	if string(again.Body) != string(first.Body) {
		t.Errorf("%s, and then %s", first.Body, again.Body)
	}
	app.Want(304, "GET", path, nil, "If-None-Match", again.Header.Get("ETag"))
	return string(again.Body)
}

type staffChange struct {
	StaffID           uuid.UUID
	What, Key, Action string
	Before, After     map[string]any
}

func staffChanges(t *testing.T, s *testkit.Service) []staffChange {
	t.Helper()
	rows, err := pg.All[staffChange](t.Context(), s.DB, `SELECT staff_id, what, key, action, before, after FROM staff_changes ORDER BY at, id`, nil)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestWhatStaffEditIsSeenAtOnce: added, replaced, hidden and removed, and each is written down.
func TestWhatStaffEditIsSeenAtOnce(t *testing.T) {
	s := run(t)
	part, app := s.AsPart(t, "admin"), s.As(t, uuid.New())
	for _, c := range []struct {
		table, admin, public string
		body, other          fields
		key, seen, otherSeen string
	}{
		{"features", "features/photos", "features/", feature, fields{"name": "Pictures"}, "photos", `"name":"Photos"`, `"name":"Pictures"`},
		{"upgrade_triggers", "upgrade-triggers/add_photo", "upgrade-triggers/", trigger, fields{"title": "Pictures"}, "add_photo", `"title":"More photos"`, `"title":"Pictures"`},
		{"promotions", "promotions/" + staff.String(), "promotions/?platform=web", promo, fields{"title": "Easter"}, staff.String(), `"title":"Spring"`, `"title":"Easter"`},
		{"products", "products/google/pro:yearly", "products/?platform=android", product, fields{"period": "month"}, "google/pro:yearly", `"period":"year"`, `"period":"month"`},
	} {
		t.Run(c.table, func(t *testing.T) {
			part, app := part.For(t), app.For(t)
			before := len(staffChanges(t, s))
			path, public := admin+c.admin, "/api/subscription/"+c.public
			collection := path[:strings.Index(path, strings.TrimPrefix(c.admin, strings.Split(c.admin, "/")[0]))]
			shows := func(what, text string, wanted bool) {
				t.Helper()
				if got := warm(t, app, public); strings.Contains(got, text) != wanted {
					t.Errorf("%s: %s", what, got)
				}
			}
			shows("before", c.seen, false)
			part.Refused(404, "not_found", "GET", path, nil)
			if a := part.Want(201, "PUT", path, c.body); a.Header.Get("ETag") != `"1"` {
				t.Errorf("added: %v", a.Header)
			}
			shows("added", c.seen, true)
			if a := part.Want(200, "PUT", path, c.body.with(c.other), "If-Match", `"1"`); a.Header.Get("ETag") != `"2"` {
				t.Errorf("replaced: %v", a.Header)
			}
			shows("replaced", c.otherSeen, true)
			part.Refused(412, "version_conflict", "PUT", path, c.body, "If-Match", `"1"`)
			part.Refused(412, "version_conflict", "PUT", path, c.body, "If-None-Match", "*")
			part.Refused(412, "version_conflict", "DELETE", path+"?staff_id="+staff.String(), nil, "If-Match", `"1"`)
			part.Want(200, "PUT", path, c.body.with(c.other).with(fields{"is_active": false})) // whatever its version
			shows("hidden", c.otherSeen, false)
			for _, p := range []string{path, collection} {
				if a := part.Want(200, "GET", p, nil); !strings.Contains(string(a.Body), c.otherSeen) || !strings.Contains(string(a.Body), `"version":3`) {
					t.Errorf("staff see at %s: %s", p, a.Body)
				}
			}
			part.Want(200, "PUT", path, c.body)
			shows("shown", c.seen, true)
			part.Want(204, "DELETE", path+"?staff_id="+staff.String(), nil, "If-Match", `"4"`)
			shows("removed", c.seen, false)
			part.Refused(404, "not_found", "DELETE", path+"?staff_id="+staff.String(), nil)
			part.Refused(412, "version_conflict", "PUT", path, c.body, "If-Match", `"4"`)

			log := staffChanges(t, s)[before:]
			var did []string
			for _, l := range log {
				if l.StaffID != staff || l.What != c.table || l.Key != c.key || (l.Before == nil) != (l.Action == "added") || (l.After == nil) != (l.Action == "removed") {
					t.Errorf("log %+v", l)
				}
				did = append(did, l.Action)
			}
			if got := fmt.Sprint(did); got != "[added changed changed changed removed]" || log[1].Before["version"] != 1. || log[1].After["version"] != 2. {
				t.Errorf("log %s", got)
			}
		})
	}
	var told events.Terms
	all := s.Outbox(t, "billing.offers_changed")
	if len(all) != 20 || json.Unmarshal(all[0], &told) != nil || told != (events.Terms{What: "features", ActorID: staff}) {
		t.Errorf("told %s", all)
	}
	seen := testkit.JSON[struct{ Items []billing.StaffChange }](t, part.Want(200, "GET", admin+"changes?what=products&limit=2", nil))
	if len(seen.Items) != 2 || seen.Items[0].Action != "removed" || seen.Items[1].What != "products" || seen.Items[0].After != nil {
		t.Errorf("changes %+v", seen)
	}
}

func TestOffersAsTheyAreShown(t *testing.T) {
	s := run(t)
	app, part := s.As(t, uuid.New()), s.AsPart(t, "admin")
	list := testkit.JSON[[]billing.Feature](t, app.Want(200, "GET", "/api/subscription/features/", nil))
	if len(list) != 7 || list[0].Key != "residences" || list[4].Key != "equipment" || list[4].Free != "10" || list[4].Pro != "Unlimited" {
		t.Errorf("features %+v", list)
	}
	part.Want(200, "PUT", admin+"features/reports", feature.with(fields{"display_order": -1}))
	if list := testkit.JSON[[]billing.Feature](t, app.Want(200, "GET", "/api/subscription/features/", nil)); list[0].Key != "reports" || list[0].Name != "Photos" {
		t.Errorf("in order %+v", list)
	}
	one := testkit.JSON[billing.UpgradeTrigger](t, app.Want(200, "GET", "/api/subscription/upgrade-trigger/add_task/", nil))
	if one.Key != "add_task" || one.ButtonText != "See Pro" {
		t.Errorf("trigger %+v", one)
	}
	part.Want(200, "PUT", admin+"upgrade-triggers/add_task", trigger.with(fields{"is_active": false}))
	for _, key := range []string{"add_task", "add_boat", "ADD-TASK", "%20"} {
		app.Refused(404, "not_found", "GET", "/api/subscription/upgrade-trigger/"+key+"/", nil)
	}
	for _, p := range []string{"stripe/price_1", "apple/com.hearth.pro.monthly", "google/pro"} {
		part.Want(201, "PUT", admin+"products/"+p, product)
	}
	for platform, wanted := range map[string]string{"web": "[stripe]", "ios": "[apple]", "android": "[google]", "": "[apple google stripe]"} {
		path := "/api/subscription/products/"
		if platform != "" {
			path += "?platform=" + platform
		}
		var sources []billing.Source
		for _, p := range testkit.JSON[[]billing.ForSale](t, app.Want(200, "GET", path, nil)) {
			sources = append(sources, p.Source)
		}
		if fmt.Sprint(sources) != wanted {
			t.Errorf("on %q: %v", platform, sources)
		}
	}
	app.Refused(422, "validation_failed", "GET", "/api/subscription/products/?platform=windows", nil)
	s.AsNobody(t).Refused(401, "authentication_required", "GET", "/api/subscription/features/", nil)
}

// TestOfTwoEditsOfAVersionOneIsRefused: also of two who add the same.
func TestOfTwoEditsOfAVersionOneIsRefused(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	part.Want(201, "PUT", admin+"features/photos", feature)
	for _, c := range []struct {
		name, method, path string
		body               any
		header             [2]string
		won                int
	}{
		{"features", "PUT", "features/photos", feature, [2]string{"If-Match", `"1"`}, 200},
		{"adding", "PUT", "promotions/" + staff.String(), promo, [2]string{"If-None-Match", "*"}, 201},
		{"plans", "PUT", "plans/free", plans(3), [2]string{"If-Match", `"1"`}, 200},
		{"settings", "PATCH", "settings", fields{"staff_id": staff, "grace_days": 3}, [2]string{"If-Match", `"1"`}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			part := part.For(t)
			var won, lost atomic.Int32
			var group sync.WaitGroup
			for range 6 {
				group.Go(func() {
					switch a := part.Call(c.method, admin+c.path, c.body, c.header[0], c.header[1]); {
					case a.Status == c.won:
						won.Add(1)
					case a.Status == http.StatusPreconditionFailed && a.Code() == "version_conflict":
						lost.Add(1)
					default:
						t.Errorf("%d %s", a.Status, a.Body)
					}
				})
			}
			group.Wait()
			if won.Load() != 1 || lost.Load() != 5 {
				t.Errorf("%d won, %d lost", won.Load(), lost.Load())
			}
		})
	}
	if log := staffChanges(t, s); len(log) != 5 {
		t.Errorf("log %+v", log)
	}
}

// TestEditsAtOnceWithoutAVersionAllApply: one after the other.
func TestEditsAtOnceWithoutAVersionAllApply(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			if a := part.Call("PUT", admin+"upgrade-triggers/add_photo", trigger); a.Status != 200 && a.Status != 201 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			if a := part.Call("PATCH", admin+"settings", fields{"staff_id": staff, "trial_days": 7}); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	group.Wait()
	n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT t.version * 100 + s.version FROM upgrade_triggers t, settings s WHERE t.key = 'add_photo'`, nil)
	if err != nil || n != 607 {
		t.Errorf("versions %d, %v", n, err)
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	photos, spring := "features/photos", "promotions/"+uuid.Must(uuid.NewV7()).String()
	for _, c := range []struct {
		name, path string
		body       fields
		at         string
	}{
		{"nobody of the staff", photos, feature.with(fields{"staff_id": absent}), "body.staff_id"},
		{"the zero staff", photos, feature.with(fields{"staff_id": uuid.Nil}), "body.staff_id"},
		{"a blank name", photos, feature.with(fields{"name": "  "}), "body.name"},
		{"a long name", photos, feature.with(fields{"name": strings.Repeat("x", 101)}), "body.name"},
		{"not said whether shown", photos, feature.with(fields{"is_active": absent}), "body.is_active"},
		{"an unknown member", photos, feature.with(fields{"colour": "red"}), "body.colour"},
		{"a key that is none", "features/Photos", feature, "path.key"},
		{"no title", "upgrade-triggers/add_photo", trigger.with(fields{"title": absent}), "body.title"},
		{"a key with a blank", spring, promo.with(fields{"key": "spring sale"}), "body.key"},
		{"a tier that is none", spring, promo.with(fields{"tiers": []string{"gold"}}), "body.tiers[0]"},
		{"a platform twice", spring, promo.with(fields{"platforms": []string{"ios", "ios"}}), "body.platforms"},
		{"a platform that is none", spring, promo.with(fields{"platforms": []string{"windows"}}), "body.platforms[0]"},
		{"over before it begins", spring, promo.with(fields{"starts_at": "2026-04-01T00:00:00Z", "ends_at": "2026-04-01T00:00:00Z"}), "body.ends_at"},
		{"a year that is none", spring, promo.with(fields{"starts_at": "0000-01-01T00:00:00Z"}), "body.starts_at"},
		{"more than all", spring, promo.with(fields{"share": 101}), "body.share"},
		{"no share", spring, promo.with(fields{"share": absent}), "body.share"},
		{"an open link", spring, promo.with(fields{"link": "http://example.com"}), "body.link"},
		{"a script", spring, promo.with(fields{"link": "javascript:alert(1)"}), "body.link"},
		{"a link to nowhere", spring, promo.with(fields{"link": "https:///sale"}), "body.link"},
		{"a link with a name in front", spring, promo.with(fields{"link": "https://hearth.example@evil.example/"}), "body.link"},
		{"a coupon with blanks", spring, promo.with(fields{"coupon": "half price"}), "body.coupon"},
		{"the zero promotion", "promotions/" + uuid.Nil.String(), promo, "path.id"},
		{"a promotion without id", "promotions/spring", promo, "path.id"},
		{"a product of the free tier", "products/stripe/price_1", product.with(fields{"tier": "free"}), "body.tier"},
		{"a week", "products/stripe/price_1", product.with(fields{"period": "week"}), "body.period"},
		{"a shop that is none", "products/grant/x", product, "path.source"},
		{"a product with a blank", "products/stripe/price%201", product, "path.product_id"},
		{"a tier that is not sold", "plans/gold", plans(1), "path.tier"},
		{"a limit below none", "plans/free", plans(1).with(fields{"tasks": -1}), "body.tasks"},
		{"a limit that is not said", "plans/free", plans(1).with(fields{"tasks": absent}), "body.tasks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := part.For(t).Refused(422, "validation_failed", "PUT", admin+c.path, c.body)
			if !strings.Contains(string(a.Body), `"location":"`+c.at+`"`) {
				t.Errorf("not at %s: %s", c.at, a.Body)
			}
		})
	}
	part.Refused(422, "validation_failed", "DELETE", admin+"features/tasks", nil)
	part.Refused(422, "validation_failed", "PATCH", admin+"settings", fields{"staff_id": staff, "grace_days": 61})
	part.Refused(422, "validation_failed", "PATCH", admin+"settings", fields{"staff_id": staff, "trial_days": nil})
	part.Want(201, "PUT", admin+spring, promo)
	part.Refused(409, "key_taken", "PUT", admin+"promotions/"+staff.String(), promo)
	if log := staffChanges(t, s); len(log) != 1 {
		t.Errorf("log %+v", log)
	}
}

// TestAProductThatWasBoughtStays: it is taken off sale instead.
func TestAProductThatWasBoughtStays(t *testing.T) {
	s, p := probe(t)
	part := s.AsPart(t, "admin")
	path := admin + "products/stripe/monthly"
	part.Want(201, "PUT", path, product)
	if _, err := p.Take(t.Context(), billing.Stripe, bought(uuid.New(), "sub_1", day)); err != nil {
		t.Fatal(err)
	}
	part.Refused(412, "version_conflict", "DELETE", path+"?staff_id="+staff.String(), nil, "If-Match", `"7"`)
	part.Refused(409, "product_in_use", "DELETE", path+"?staff_id="+staff.String(), nil)
	part.Want(200, "PUT", path, product.with(fields{"is_active": false}))
	if n := len(testkit.JSON[[]billing.ForSale](t, s.As(t, uuid.New()).Want(200, "GET", "/api/subscription/products/", nil))); n != 0 {
		t.Errorf("%d are for sale", n)
	}
}

// TestEditsWithoutPreparedStatements: behind a PgBouncer that knows none.
func TestEditsWithoutPreparedStatements(t *testing.T) {
	cfg := billing.Config{Service: testkit.Config(t, "billing")}
	cfg.DatabasePrepare = false
	s := testkit.Run(t, cfg.Service, billing.New(cfg))
	part := s.AsPart(t, "admin")
	path := admin + "promotions/" + staff.String()
	part.Want(201, "PUT", path, promo.with(fields{"tiers": []string{"free"}, "platforms": []string{"ios", "web"}, "ends_at": "2026-04-01T00:00:00+02:00"}))
	got := testkit.JSON[[]billing.Promotion](t, s.As(t, uuid.New()).Want(200, "GET", "/api/subscription/promotions/?platform=ios", nil))
	if len(got) != 1 || got[0].EndsAt.Format("2006-01-02T15:04Z07:00") != "2026-03-31T22:00Z" {
		t.Errorf("%+v", got)
	}
	part.Want(200, "PUT", admin+"plans/free", plans(2), "If-Match", `"1"`)
	part.Want(200, "PATCH", admin+"settings", fields{"staff_id": staff, "limitations_enabled": true})
	part.Want(204, "DELETE", path+"?staff_id="+staff.String(), nil)
	person := registered(t, s)
	part.Want(201, "POST", admin+"people/"+person.String()+"/grant", fields{"staff_id": staff, "reason": "test", "tier": "pro", "until": nil})
	for _, list := range []string{"people/" + person.String() + "/changes", "changes", "webhooks?state=failed&source=apple", "errands?state=failed"} {
		part.Want(200, "GET", admin+list, nil)
	}
	part.Refused(404, "not_found", "POST", admin+"webhooks/"+staff.String()+"/replay", fields{"staff_id": staff})
	part.Refused(404, "not_found", "POST", admin+"errands/"+staff.String()+"/retry", fields{"staff_id": staff})
}

func registered(t *testing.T, s *testkit.Service) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: id, Version: 1})
	return id
}

// plans are a tier's limits, all of them n.
func plans(n int) fields {
	return fields{"staff_id": staff, "properties": n, "tasks": n, "contractors": n, "documents": n, "equipment": n}
}

func exec(t *testing.T, s *testkit.Service, sql string, args pgx.NamedArgs) {
	t.Helper()
	if _, err := pg.Exec(t.Context(), s.DB, sql, args); err != nil {
		t.Fatal(err)
	}
}
