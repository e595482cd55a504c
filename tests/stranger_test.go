package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/document/filetype/samples"
	"hearth.internal/pkg/testkit"
)

// document is as much of OpenAPI as the walk needs.
type document struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	OperationID string                `json:"operationId"`
	Security    []map[string][]string `json:"security"`
	RequestBody *struct {
		Content map[string]struct{ Schema schema } `json:"content"`
	} `json:"requestBody"`
	Responses map[string]any `json:"responses"`
}

// documented complains of an answer that the operation's document does not name.
func (op operation) documented(t *testing.T, method, path string, a answer) {
	t.Helper()
	if op.Responses[strconv.Itoa(a.Status)] == nil {
		t.Errorf("%s %s answers %d, and its document does not say so: %s", method, path, a.Status, a.Body)
	}
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       any               `json:"type"`
	Format     string            `json:"format"`
	Enum       []any             `json:"enum"`
	Examples   []any             `json:"examples"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Items      *schema           `json:"items"`
	MinLength  int               `json:"minLength"`
	Minimum    *float64          `json:"minimum"`
}

var methods = []string{"get", "post", "put", "patch", "delete"}

func (w *world) document(t *testing.T) document {
	t.Helper()
	nobody := &person{t: t, base: w.URL}
	var d document
	if err := json.Unmarshal(nobody.want(200, "GET", "/api/openapi.json", nil).Body, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Paths) < 50 {
		t.Fatalf("the API document has only %d paths", len(d.Paths))
	}
	return d
}

// things are one of everything that the owner has, by the parameter that names it.
type things map[string]string

// idFor is the owner's id that belongs at the place of a path parameter.
func (o things) idFor(path, parameter string) string {
	for _, known := range []struct{ prefix, parameter, thing string }{
		{"/api/auth/sessions/", "id", "session"},
		{"/api/residences/", "id", "residence"}, {"/api/residences/", "user_id", "user"},
		{"/api/tasks/templates/by-category/", "id", "category"}, {"/api/tasks/templates/", "id", "template"},
		{"/api/tasks/by-residence/", "residence_id", "residence"}, {"/api/tasks/", "id", "task"},
		{"/api/tasks/", "item_id", "item"}, {"/api/tasks/", "skip_id", "skip"},
		{"/api/task-completions/", "id", "completion"}, {"/api/calendar/", "key", "calendar"},
		{"/api/contractors/by-residence/", "residence_id", "residence"}, {"/api/contractors/", "id", "contractor"},
		{"/api/equipment/", "id", "equipment"}, {"/api/uploads/", "id", "upload"}, {"/api/media/", "upload_id", "upload"},
		{"/api/documents/", "id", "document"}, {"/api/documents/", "image_id", "image"},
		{"/api/subscription/upgrade-trigger/", "key", "trigger"},
		{"/api/notifications/devices/", "id", "device"}, {"/api/notifications/unsubscribe/", "token", "link"}, {"/api/notifications/", "id", "notification"},
	} {
		if strings.HasPrefix(path, known.prefix) && parameter == known.parameter {
			return o[known.thing]
		}
	}
	return ""
}

// everybodys adds what belongs to nobody in particular.
func (o things) everybodys(anybody *person) {
	first := anybody.want(200, "GET", "/api/tasks/templates/", nil)
	o["template"], o["category"] = first.text("items.0.id"), first.text("items.0.category_id")
	o["trigger"] = "add_task"
}

// fill puts the owner's ids into a path; false when it has parameters that this test does not know.
func (o things) fill(path string) (string, bool) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if !strings.HasPrefix(part, "{") {
			continue
		}
		parts[i] = o.idFor(path, strings.Trim(part, "{}"))
		if parts[i] == "" {
			return path, false
		}
	}
	return strings.Join(parts, "/"), true
}

// body makes a body that passes validation and names the owner's things wherever an id is asked for.
func (d document) body(o things, s schema, name string) any {
	if s.Ref != "" {
		return d.body(o, d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], name)
	}
	if thing, ok := map[string]string{"residence_id": "residence", "task_id": "task", "contractor_id": "contractor", "equipment_id": "equipment", "user_id": "user"}[name]; ok {
		return o[thing]
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.Examples) > 0:
		return s.Examples[0]
	}
	kind := fmt.Sprint(s.Type)
	switch {
	case strings.Contains(kind, "object"):
		object := map[string]any{}
		for property, p := range s.Properties {
			if slices.Contains(s.Required, property) || strings.HasSuffix(property, "residence_id") || property == "equipment_id" {
				object[property] = d.body(o, p, property)
			}
		}
		for _, property := range []string{"title", "name", "notes", "role"} { // a merge patch needs nothing, and would change nothing
			if p, has := s.Properties[property]; has && len(object) == 0 {
				object[property] = d.body(o, p, property)
			}
		}
		return object
	case strings.Contains(kind, "array"):
		if s.Items == nil {
			return []any{}
		}
		return []any{d.body(o, *s.Items, name)}
	case strings.Contains(kind, "integer"), strings.Contains(kind, "number"):
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 1
	case strings.Contains(kind, "boolean"):
		return true
	case s.Format == "uuid":
		return uuid.Must(uuid.NewV7()).String()
	case s.Format == "date":
		return "2026-04-01"
	case s.Format == "date-time":
		return "2026-01-01T00:00:00Z"
	case s.Format == "email":
		return "somebody@example.org"
	}
	return strings.Repeat("a", max(s.MinLength, 1))
}

// chore adds a task that comes back, with a checklist of one item and an occurrence that was skipped.
func (p *person) chore(house string) (task, item, skip string) {
	p.t.Helper()
	a := p.want(201, "POST", "/api/tasks/", map[string]any{
		"residence_id": house, "title": "Sweep", "rrule": "FREQ=WEEKLY", "due_date": "2026-01-01", "checklist": []any{map[string]any{"title": "Ashes"}},
	})
	task = a.text("id")
	return task, a.text("checklist.0.id"), p.want(201, "POST", "/api/tasks/"+task+"/skip/", nil).text("id")
}

const completedInbox = "/api/notifications/?kind=task_completed"

// told is the notification that somebody gets when another member has done a task of theirs.
func (p *person) told(w *world, house string) string {
	p.t.Helper()
	friend := w.join(p.t, "Friend")
	p.invite(friend, house)
	friend.want(201, "POST", "/api/tasks/"+p.task(house, "Rake", nil)+"/quick-complete/", map[string]any{})
	var inbox answer
	testkit.Eventually(p.t, "the inbox has it", func() bool {
		inbox = p.want(200, "GET", completedInbox, nil)
		return len(inbox.list("items")) > 0
	})
	return inbox.text("items.0.id")
}

// device has a phone pushed to.
func (p *person) device(token string) string {
	p.t.Helper()
	return p.want(201, "POST", "/api/notifications/devices/", map[string]any{"platform": "ios", "token": token}).text("id")
}

// awaitNames waits until every service has heard who the people are: a name that comes late is a change, but nobody's doing.
func awaitNames(t *testing.T, owner *person, owned things) {
	t.Helper()
	testkit.Eventually(t, "everybody is known by name everywhere", func() bool {
		done := owner.want(200, "GET", "/api/task-completions/"+owned["completion"]+"/", nil)
		members := owner.want(200, "GET", "/api/residences/"+owned["residence"]+"/users/", nil)
		nameless := slices.ContainsFunc(members.list("items"), func(m any) bool {
			member, ok := m.(map[string]any)
			return !ok || member["username"] == ""
		})
		return done.value("completed_by_name") == "Owner Tester" && !nameless
	})
}

// TestStranger walks every operation there is with another person's ids: each must answer as if they did not exist, and
// none may answer anything without a token.
func TestStranger(t *testing.T) {
	w := start(t)
	d := w.document(t)
	owner, stranger := w.join(t, "Owner"), w.join(t, "Stranger")
	house := owner.home("Maple Street")
	task, item, skip := owner.chore(house)
	photo := owner.upload("roof.jpg", samples.Allowed()[0].Body)
	owned := things{
		"residence": house, "task": task, "item": item, "skip": skip, "user": owner.ID,
		"completion": owner.want(201, "POST", "/api/task-completions/", map[string]any{"task_id": owner.task(house, "Done", nil)}).text("id"),
		"contractor": owner.want(201, "POST", "/api/contractors/", map[string]any{"name": "Rosa"}).text("id"),
		"document":   owner.paper(house, map[string]any{"upload_id": photo, "image_ids": []string{photo}}), "image": photo, "upload": photo,
		"equipment": owner.equipment(house, "Furnace"),
		"calendar":  owner.want(201, "POST", "/api/calendar/", nil).text("key"),
		"session":   owner.want(200, "GET", "/api/auth/sessions/", nil).text("items.0.id"),
		"device":    owner.device(strings.Repeat("0a", 32)), "link": "none", "notification": owner.told(w, house),
	}
	owned.everybodys(owner)
	awaitNames(t, owner, owned)
	before := snapshot(owner, owned)
	walked := 0
	for path, operations := range d.Paths {
		for _, method := range methods {
			op, ok := operations[method]
			if !ok {
				continue
			}
			t.Run(method+" "+path, func(t *testing.T) {
				walked++
				d.visit(t, w, stranger, owned, strings.ToUpper(method), path, op)
			})
		}
	}
	t.Logf("%d operations walked", walked)
	if after := snapshot(owner, owned); after != before {
		t.Errorf("the owner's things have changed:\n%s\n%s", before, after)
	}
}

func (d document) visit(t *testing.T, w *world, stranger *person, owned things, method, path string, op operation) {
	t.Helper()
	var body any
	if op.RequestBody != nil {
		body = d.body(owned, op.RequestBody.Content["application/json"].Schema, "")
	}
	filled, known := owned.fill(path)
	if !known {
		t.Fatalf("this test does not know what to put into %s: teach it", path)
	}
	if len(op.Security) == 0 {
		return // open to everybody; what it says is tested where it is written
	}
	nobody := &person{t: t, base: w.URL}
	if a := nobody.call(method, filled, body); a.Status != 401 {
		t.Errorf("without a token: %d %s", a.Status, a.Body)
	}
	mine := *stranger
	mine.t = t
	namesAThing := filled != path || mentions(body, owned)
	if !namesAThing {
		return
	}
	if filled != path && (strings.HasPrefix(path, "/api/tasks/templates/") || strings.HasPrefix(path, "/api/subscription/")) { // nobody's in particular
		mine.want(200, method, filled, body)
		return
	}
	if a := mine.call(method, filled, body); a.Status != 404 && (filled != path || a.Status != 422) {
		t.Errorf("with another person's ids: %d %s (sent %v)", a.Status, a.Body, body)
	}
	missing := things{}
	for k := range owned {
		missing[k] = uuid.Must(uuid.NewV7()).String()
	}
	if nowhere, _ := missing.fill(path); nowhere != path {
		a, b := mine.call(method, filled, body), mine.call(method, nowhere, body)
		if withoutID(a) != withoutID(b) {
			t.Errorf("theirs and missing are told apart:\n%s\n%s", a.Body, b.Body)
		}
	}
}

func mentions(body any, owned things) bool {
	raw, _ := json.Marshal(body)
	for _, id := range owned {
		if strings.Contains(string(raw), id) {
			return true
		}
	}
	return false
}

func withoutID(a answer) string {
	return fmt.Sprint(a.Status, a.value("code"), a.value("detail"))
}

// snapshot is everything that the owner sees of theirs.
func snapshot(owner *person, owned things) string {
	var b strings.Builder
	for _, path := range []string{
		"/api/residences/" + owned["residence"] + "/", "/api/residences/" + owned["residence"] + "/users/",
		"/api/tasks/" + owned["task"] + "/", "/api/task-completions/" + owned["completion"] + "/",
		"/api/contractors/" + owned["contractor"] + "/", "/api/equipment/" + owned["equipment"] + "/",
		"/api/documents/" + owned["document"] + "/", "/api/media/" + owned["upload"] + "/",
		completedInbox, "/api/notifications/devices/", "/api/notifications/preferences/",
	} {
		b.Write(owner.want(200, "GET", path, nil).Body)
	}
	return b.String()
}

// TestViewerChangesNothing: who may only look is refused every change, and sees everything.
func TestViewerChangesNothing(t *testing.T) {
	w := start(t)
	d := w.document(t)
	owner, viewer := w.join(t, "Owner"), w.join(t, "Viewer")
	house := owner.home("Birch Lane")
	owner.invite(viewer, house)
	owner.want(200, "PATCH", "/api/residences/"+house+"/users/"+viewer.ID+"/", map[string]any{"role": "viewer"})
	task, item, skip := owner.chore(house)
	photo := owner.upload("roof.jpg", samples.Allowed()[0].Body)
	owned := things{
		"residence": house, "task": task, "item": item, "skip": skip, "user": owner.ID, "session": uuid.NewString(),
		"completion": owner.want(201, "POST", "/api/task-completions/", map[string]any{"task_id": owner.task(house, "Done", nil)}).text("id"),
		"contractor": owner.want(201, "POST", "/api/contractors/", map[string]any{"name": "Rosa", "residence_id": house}).text("id"),
		"document":   owner.paper(house, map[string]any{"upload_id": photo, "image_ids": []string{photo}}), "image": photo, "upload": photo,
		"equipment": owner.equipment(house, "Furnace"),
		"calendar":  owner.want(201, "POST", "/api/calendar/", nil).text("key"),
	}
	owned.everybodys(owner)
	awaitNames(t, owner, owned)
	before := snapshot(owner, owned)
	for path, operations := range d.Paths {
		for _, method := range methods {
			op, ok := operations[method]
			filled, known := owned.fill(path)
			if ok && method == "get" && known {
				op.documented(t, method, path, viewer.call("GET", filled, nil))
				op.documented(t, method, path, viewer.call("GET", filled, nil, "X-Timezone", "Mars/Phobos"))
			}
			if !ok || !known || filled == path || strings.HasPrefix(path, "/api/auth/") {
				continue
			}
			var body any
			if op.RequestBody != nil {
				body = d.body(owned, op.RequestBody.Content["application/json"].Schema, "")
			}
			a := viewer.call(strings.ToUpper(method), filled, body)
			op.documented(t, method, path, a)
			personal := strings.HasSuffix(path, "/toggle-favorite/") || strings.HasSuffix(path, "/share-code/") || // one's own, or not there
				strings.HasPrefix(path, "/api/uploads/{id}/") && method != "get"
			report := strings.HasPrefix(path, "/api/residences/{id}/generate-") && strings.HasSuffix(path, "-report/") // looks, and changes nothing
			switch {
			case report && a.Status != 200:
				t.Errorf("%s answered a viewer %d %s", path, a.Status, a.Body)
			case report:
			case method == "get" && a.Status != 200 && !personal:
				t.Errorf("GET %s answered a viewer %d %s", path, a.Status, a.Body)
			case method != "get" && a.Status != 403 && a.Status != 409 && !personal:
				t.Errorf("%s %s answered a viewer %d %s", method, path, a.Status, a.Body)
			}
		}
	}
	if after := snapshot(owner, owned); after != before {
		t.Errorf("a viewer has changed something:\n%s\n%s", before, after)
	}
}
