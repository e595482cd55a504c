// Package seed fills a development system with a household to look at, through the public API as an app would.
package seed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// home is the zone of the household.
const home = "America/Los_Angeles"

// Household is what the seed leaves behind.
type Household struct {
	Owner, Partner, Password string
}

// Demo makes the demo household, or finds it: two people who share two residences, with tasks in every column of the
// board, contractors, equipment and papers. Everything has a fixed id, so doing it twice changes nothing.
func Demo(ctx context.Context, gateway string, now time.Time) (Household, error) {
	h := Household{Owner: "ada@hearth.example", Partner: "sam@hearth.example", Password: "warm-hearth-2026"}
	client := &client{base: gateway, http: &http.Client{Timeout: 20 * time.Second}}
	if err := client.login(ctx, h.Owner, h.Password); err == nil {
		return h, nil // they live here already, and whatever they changed since is theirs
	}
	partner := *client
	if partner.login(ctx, h.Partner, h.Password) != nil { // else a run was cut off after this
		if err := partner.register(ctx, h.Partner, "sam", "Sam", "Okafor", h.Password); err != nil && !errors.Is(err, errTaken) {
			return h, err
		}
	}
	err := client.register(ctx, h.Owner, "ada", "Ada", "Lindqvist", h.Password)
	if errors.Is(err, errTaken) {
		return h, nil // they have another password by now
	}
	if err != nil {
		return h, err
	}
	zone, err := time.LoadLocation(home)
	if err != nil {
		return h, fmt.Errorf("demo household: %w", err)
	}
	return h, (&household{ctx: ctx, owner: client, partner: &partner, now: now.In(zone)}).fill() // what is due today is so there
}

// household makes what is in it. The first error stays, and then nothing more happens.
type household struct {
	ctx            context.Context // one filling, one context
	owner, partner *client
	now            time.Time
	err            error
	names          map[string]map[string]string // lookup table -> name -> id
}

func (h *household) fill() error {
	h.names = map[string]map[string]string{}
	h.lookups()
	house := h.add(h.owner, "/api/residences/", "residence-house", map[string]any{
		"name": "Maple Street House", "residence_type_id": h.find("residence_types", 0), "is_primary": true,
		"street_address": "14 Maple Street", "city": "Portland", "state_province": "OR", "postal_code": "97205", "country": "US",
		"currency": "USD", "timezone": home, "bedrooms": 3, "year_built": 1962, "square_footage": 1850,
		"description": "The blue one with the big maple.",
	})
	cabin := h.add(h.owner, "/api/residences/", "residence-cabin", map[string]any{
		"name": "Lake Cabin", "residence_type_id": h.find("residence_types", 1), "city": "Bend", "state_province": "OR", "country": "US",
		"currency": "USD", "timezone": home, "bedrooms": 2, "year_built": 1988,
	})
	h.share(house)
	h.share(cabin)
	plumber := h.contractor("contractor-plumber", "Rosa Delgado", "Delgado Plumbing", "+1 503 555 0142", house, "plumb")
	h.contractor("contractor-roof", "Tom Becker", "Becker & Sons Roofing", "+1 503 555 0177", house, "roof")
	h.contractor("contractor-electric", "Yuki Tanaka", "Tanaka Electric", "+1 541 555 0119", cabin, "electr")
	h.papers(house, cabin, plumber)
	h.tasks(house, cabin, plumber)
	return h.err
}

func (h *household) tasks(house, cabin, plumber string) {
	h.task("task-gutters", house, "Clean the gutters", "semi", -6, nil)                                                                                         // overdue
	h.task("task-filter", house, "Replace the furnace filter", "month", 3, nil)                                                                                 // due soon
	h.task("task-smoke", house, "Test the smoke and CO alarms", "month", 9, nil)                                                                                // due soon
	h.task("task-heater", house, "Flush the water heater", "annual", 120, map[string]any{"contractor_id": plumber, "equipment_id": seedID("equipment-heater")}) // upcoming
	faucet := h.task("task-faucet", house, "Fix the dripping kitchen faucet", "once", 1, map[string]any{"contractor_id": plumber, "estimated_cost": "180.00"})
	h.call(h.owner, http.MethodPost, "/api/tasks/"+faucet+"/mark-in-progress/", nil)
	paint := h.task("task-paint", house, "Repaint the porch", "once", -20, map[string]any{"estimated_cost": "240.00"})
	h.add(h.owner, "/api/task-completions/", "completion-paint", map[string]any{"task_id": paint, "notes": "Two coats of Harbor Blue.", "actual_cost": "212.50", "rating": 5,
		"upload_ids": []string{h.photo("photo-porch-1", "porch-before.jpg", color.RGBA{0x9a, 0x86, 0x6c, 0xff}), h.photo("photo-porch-2", "porch-after.jpg", color.RGBA{0x3f, 0x6c, 0x8f, 0xff})}})
	shed := h.task("task-shed", house, "Build a shed", "once", 45, nil)
	h.call(h.owner, http.MethodPost, "/api/tasks/"+shed+"/cancel/", nil)
	dock := h.task("task-dock", cabin, "Check the dock for loose boards", "quarter", -2, nil)
	h.add(h.partner, "/api/task-completions/", "completion-dock", map[string]any{"task_id": dock, "notes": "Two screws replaced."})
	h.task("task-chimney", cabin, "Have the chimney swept", "annual", 20, nil)
	h.task("task-pipes", cabin, "Winterize the pipes", "annual", 5, nil)
	h.reminders(house)
	h.chores(house)
	h.past(house, plumber)
}

// reminders are what each of the two is to hear of: today, tomorrow, and of what is late.
func (h *household) reminders(house string) {
	ada, sam := map[string]any{"assigned_to_id": h.me(h.owner)}, map[string]any{"assigned_to_id": h.me(h.partner)}
	h.task("task-plants", house, "Water the houseplants", "week", 0, ada)
	h.task("task-hallway", house, "Change the hallway light bulb", "once", 0, sam)
	h.task("task-salt", house, "Refill the water softener salt", "month", 1, sam)
	h.task("task-thermostat", house, "Replace the thermostat batteries", "annual", 1, ada)
	h.task("task-dryer", house, "Clean the dryer vent", "quarter", -3, sam)
}

// chores take turns, have a list of what belongs to them, or are for the summer alone.
func (h *household) chores(house string) {
	h.task("task-recycling", house, "Take out the recycling", "week", 2, map[string]any{
		"rotation": "round_robin", "rotation_member_ids": []string{h.me(h.owner), h.me(h.partner)},
	})
	h.task("task-kitchen", house, "Deep-clean the kitchen", "month", 12, map[string]any{
		"checklist": []map[string]any{{"title": "Range hood filter"}, {"title": "Oven"}, {"title": "Behind the refrigerator"}, {"title": "Drain"}},
	})
	h.add(h.owner, "/api/tasks/", "task-lawn", map[string]any{
		"residence_id": house, "title": "Mow the lawn", "category_id": h.named("task_categories", "lawn"),
		"rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA", "season_start": "04-01", "season_end": "10-31",
	})
}

// past is what was done in the last two years: something for the history, the costs and the reports to show.
func (h *household) past(house, plumber string) {
	filter := h.task("task-water", house, "Replace the drinking water filter", "quarter", -365, map[string]any{"category_id": h.named("task_categories", "plumb")})
	for i, cost := range []string{"24.90", "24.90", "26.50", "26.50"} {
		h.done([]*client{h.owner, h.partner}[i%2], fmt.Sprint("completion-water-", i), filter, -364+91*i, map[string]any{"actual_cost": cost})
	}
	furnace := h.task("task-furnace", house, "Have the furnace serviced", "annual", -730, map[string]any{"category_id": h.named("task_categories", "hvac"), "reschedule_from": "completion", "equipment_id": seedID("equipment-furnace")})
	h.done(h.owner, "completion-furnace-0", furnace, -728, map[string]any{"actual_cost": "149.00"})
	h.done(h.owner, "completion-furnace-1", furnace, -350, map[string]any{"actual_cost": "159.00", "notes": "Burner cleaned, filter and belt replaced.",
		"upload_ids": []string{h.photo("photo-burner", "burner.jpg", color.RGBA{0x4a, 0x4f, 0x57, 0xff})}})
	drain := h.task("task-drain", house, "Clear the main drain", "once", -200, map[string]any{"category_id": h.named("task_categories", "plumb"), "contractor_id": plumber})
	h.done(h.partner, "completion-drain", drain, -199, map[string]any{"actual_cost": "340.00", "contractor_id": plumber, "rating": 4, "notes": "Roots of the maple, 12 m from the house."})
}

func (h *household) done(by *client, key, task string, days int, more map[string]any) {
	body := map[string]any{"task_id": task, "completed_at": h.now.AddDate(0, 0, days).UTC().Format(time.RFC3339)}
	for k, v := range more {
		body[k] = v
	}
	h.add(by, "/api/task-completions/", key, body)
}

// me is the person's id.
func (h *household) me(c *client) string {
	var person struct{ ID string }
	h.read(c, "/api/auth/me/", &person)
	return person.ID
}

// lookups reads the tables whose ids the household refers to.
func (h *household) lookups() {
	var tables map[string][]struct{ ID, Name string }
	h.read(h.owner, "/api/static_data/", &tables)
	for table, rows := range tables {
		h.names[table] = map[string]string{}
		for i, row := range rows {
			h.names[table][fold(row.Name)] = row.ID
			h.names[table][fmt.Sprint("#", i)] = row.ID
		}
	}
}

func (h *household) find(table string, i int) string { return h.names[table][fmt.Sprint("#", i)] }

// named finds a row whose name begins so, without regard to case.
func (h *household) named(table, begin string) any {
	for name, id := range h.names[table] {
		if len(name) >= len(begin) && name[:len(begin)] == begin {
			return id
		}
	}
	return nil
}

func fold(s string) string { return string(bytes.ToLower([]byte(s))) }

func (h *household) task(key, residence, title, frequency string, days int, more map[string]any) string {
	body := map[string]any{
		"residence_id": residence, "title": title, "frequency_id": h.named("task_frequencies", frequency),
		"due_date": h.now.AddDate(0, 0, days).Format(time.DateOnly),
	}
	for k, v := range more {
		body[k] = v
	}
	return h.add(h.owner, "/api/tasks/", key, body)
}

func (h *household) contractor(key, name, company, phone, residence, specialty string) string {
	body := map[string]any{"name": name, "company": company, "phone": phone, "residence_id": residence, "rating": 5}
	if id := h.named("contractor_specialties", specialty); id != nil {
		body["specialty_ids"] = []any{id}
	}
	return h.add(h.owner, "/api/contractors/", key, body)
}

// share lets the partner join a residence.
func (h *household) share(residence string) {
	var code struct{ Code string }
	h.decode(h.call(h.owner, http.MethodPost, "/api/residences/"+residence+"/generate-share-code/", map[string]any{"expires_in_hours": 1}), &code)
	h.call(h.partner, http.MethodPost, "/api/residences/join-with-code/", map[string]any{"code": code.Code})
}

// seedIDs are version 7 so that they sort before whatever the app makes.
func seedID(key string) string {
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte("hearth-demo:"+key))
	copy(id[:6], []byte{0x01, 0x90, 0, 0, 0, 0}) // 2024
	id[6] = id[6]&0x0f | 0x70
	return id.String()
}

func (h *household) add(c *client, path, key string, body map[string]any) string {
	body["id"] = seedID(key)
	h.call(c, http.MethodPost, path, body)
	return seedID(key)
}

func (h *household) call(c *client, method, path string, body any) []byte {
	if h.err != nil {
		return nil
	}
	answer, err := c.call(h.ctx, method, path, body)
	h.err = err
	return answer
}

func (h *household) read(c *client, path string, into any) {
	h.decode(h.call(c, http.MethodGet, path, nil), into)
}

func (h *household) decode(raw []byte, into any) {
	if h.err == nil {
		if err := json.Unmarshal(raw, into); err != nil {
			h.err = fmt.Errorf("demo household: %w", err)
		}
	}
}

// errTaken is a person or thing that is there already.
var errTaken = errors.New("there already")

// client is one person's app.
type client struct {
	base, token string
	http        *http.Client
}

func (c *client) register(ctx context.Context, email, username, first, last, password string) error {
	return c.enter(ctx, "/api/auth/register/", map[string]any{"email": email, "username": username, "password": password,
		"first_name": first, "last_name": last, "timezone": home})
}

func (c *client) login(ctx context.Context, email, password string) error {
	return c.enter(ctx, "/api/auth/login/", map[string]any{"email": email, "password": password})
}

func (c *client) enter(ctx context.Context, path string, body map[string]any) error {
	raw, err := c.call(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	var answer struct{ Token string }
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("demo household: %w", err)
	}
	c.token = answer.Token
	return nil
}

func (c *client) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("demo household: %w", err)
		}
		reader = bytes.NewReader(raw)
	}
	return c.send(ctx, method, path, "application/json", reader)
}

// send sends a body of that type; nil is none.
func (c *client) send(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("demo household: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Token "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("demo household: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("demo household: %w", err)
	}
	if resp.StatusCode == http.StatusConflict {
		return nil, fmt.Errorf("demo household: %s %s: %w: %s", method, path, errTaken, raw)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("demo household: %s %s answered %d: %s", method, path, resp.StatusCode, raw)
	}
	return raw, nil
}
