package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// phone is an app that keeps a copy of what its person sees, by the delta sync alone.
type phone struct {
	*person
	cursor string
	copy   map[string]map[string]thing // by kind, then by id
	pages  int
}

type thing = map[string]any

// synced are the kinds of things in an answer of the sync.
var synced = []string{"residences", "members", "tasks", "completions", "contractors", "documents", "equipment"}

func (p *person) phone() *phone {
	f := &phone{person: p}
	f.begin()
	return f
}

// begin drops everything.
func (f *phone) begin() {
	f.cursor, f.copy = "", map[string]map[string]thing{}
	for _, kind := range synced {
		f.copy[kind] = map[string]thing{}
	}
}

func syncPath(cursor string, limit int) string {
	return "/api/sync/?" + url.Values{"cursor": {cursor}, "limit": {fmt.Sprint(limit)}}.Encode()
}

// page asks for one page and applies it, as docs/sync.md says. It reports whether there is more.
func (f *phone) page(limit int) (bool, error) {
	a, err := f.try("GET", syncPath(f.cursor, limit), nil)
	if err != nil {
		return false, err
	}
	if a.Status != 200 {
		return false, fmt.Errorf("sync answered %d: %s", a.Status, a.Body)
	}
	var page struct {
		Removed struct {
			ResidenceIDs  []string `json:"residence_ids"`
			TaskIDs       []string `json:"task_ids"`
			CompletionIDs []string `json:"completion_ids"`
			ContractorIDs []string `json:"contractor_ids"`
			DocumentIDs   []string `json:"document_ids"`
			EquipmentIDs  []string `json:"equipment_ids"`
			Members       []thing  `json:"members"`
		} `json:"removed"`
		NextCursor string `json:"next_cursor"`
		HasMore    bool   `json:"has_more"`
	}
	var rows map[string]json.RawMessage
	if err := json.Unmarshal(a.Body, &page); err != nil {
		return false, err
	}
	if err := json.Unmarshal(a.Body, &rows); err != nil {
		return false, err
	}
	for _, home := range page.Removed.ResidenceIDs {
		f.drop(home)
	}
	for kind, ids := range map[string][]string{
		"tasks": page.Removed.TaskIDs, "completions": page.Removed.CompletionIDs, "contractors": page.Removed.ContractorIDs,
		"documents": page.Removed.DocumentIDs, "equipment": page.Removed.EquipmentIDs,
	} {
		for _, id := range ids {
			delete(f.copy[kind], id)
		}
	}
	for _, m := range page.Removed.Members {
		delete(f.copy["members"], fmt.Sprint(m["residence_id"], "/", m["user_id"]))
	}
	for _, kind := range synced {
		var list []thing
		if err := json.Unmarshal(rows[kind], &list); err != nil {
			return false, fmt.Errorf("%s: %w", kind, err)
		}
		if len(list) > limit {
			return false, fmt.Errorf("%d %s on a page of %d", len(list), kind, limit)
		}
		for _, row := range list {
			f.copy[kind][keyOf(kind, row)] = row
		}
	}
	f.cursor = page.NextCursor
	f.pages++
	return page.HasMore, nil
}

// drop forgets all that a residence held.
func (f *phone) drop(home string) {
	for kind, rows := range f.copy {
		maps.DeleteFunc(rows, func(_ string, row thing) bool {
			return row["residence_id"] == home || kind == "residences" && row["id"] == home
		})
	}
}

func keyOf(kind string, row thing) string {
	if kind == "members" {
		return fmt.Sprint(row["residence_id"], "/", row["id"])
	}
	return fmt.Sprint(row["id"])
}

// sync asks until there is no more.
func (f *phone) sync(limit int) {
	f.t.Helper()
	for {
		more, err := f.page(limit)
		if err != nil {
			f.t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

// ids are those of a kind in the copy, sorted.
func (f *phone) ids(kind string) string {
	return strings.Join(slices.Sorted(maps.Keys(f.copy[kind])), " ")
}

// all are the items of every page of a list.
func (p *person) all(path string) (items []thing) {
	p.t.Helper()
	for cursor := ""; ; {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		a := p.want(200, "GET", path+separator+"limit=200&cursor="+cursor, nil)
		for _, item := range a.list("items") {
			items = append(items, item.(thing))
		}
		next, more := a.value("next_cursor").(string)
		if !more {
			return items
		}
		cursor = next
	}
}

// truth is what the person sees, by the operations for it; tasks names every task that there may be.
func (p *person) truth(tasks []string) map[string]map[string]thing {
	p.t.Helper()
	out := map[string]map[string]thing{}
	for _, kind := range synced {
		out[kind] = map[string]thing{}
	}
	put := func(kind string, row thing) { out[kind][keyOf(kind, row)] = row }
	for _, home := range p.all("/api/residences/") {
		put("residences", home)
		id := home["id"].(string)
		for _, member := range p.all("/api/residences/" + id + "/users/") {
			member["residence_id"] = id
			put("members", member)
		}
		for _, done := range p.all("/api/task-completions/?residence_id=" + id) {
			done["residence_id"] = id
			put("completions", done)
		}
	}
	for _, contractor := range p.all("/api/contractors/") {
		put("contractors", contractor)
	}
	for _, kind := range []string{"documents", "equipment"} {
		for _, row := range p.all("/api/" + kind + "/") {
			put(kind, row)
		}
	}
	for _, id := range tasks {
		if a := p.call("GET", "/api/tasks/"+id+"/", nil); a.Status == 200 {
			var task thing
			if err := json.Unmarshal(a.Body, &task); err != nil {
				p.t.Fatal(err)
			}
			put("tasks", task)
		}
	}
	return out
}

// differences says where the copy is not the truth. Names in tasks and completions are as old as the row, and the counts
// over other kinds are not sent.
func (f *phone) differences(truth map[string]map[string]thing) (out []string) {
	for _, kind := range synced {
		for key := range truth[kind] {
			if f.copy[kind][key] == nil {
				out = append(out, "lacks "+kind+" "+key)
			} else if have, want := comparable(f.copy[kind][key]), comparable(truth[kind][key]); have != want {
				out = append(out, fmt.Sprintf("has an old one of %s %s:\n  %s\n  %s", kind, key, have, want))
			}
		}
		for key := range f.copy[kind] {
			if truth[kind][key] == nil {
				out = append(out, "still has "+kind+" "+key)
			}
		}
	}
	return out
}

func comparable(row thing) string {
	row = maps.Clone(row)
	left := []string{"assigned_to_name", "completed_by_name", "contractor_name", "member_count", "days_until_expiry", "replace_by"}
	if _, contractor := row["specialty_ids"]; contractor {
		left = append(left, "task_count", "average_rating", "rating_count", "completion_count", "last_worked_at", "total_paid")
	}
	for _, name := range left {
		delete(row, name)
	}
	raw, _ := json.Marshal(row) // it was JSON before
	return string(raw)
}
