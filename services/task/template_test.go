package task_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

const templates = "/api/tasks/templates/"

var (
	houses     = "01910000-0000-7000-8000-000000000101"
	apartments = "01910000-0000-7000-8000-000000000102"
	mobiles    = "01910000-0000-7000-8000-000000000106"
	yearly     = uuid.MustParse("01900000-0000-7000-8000-000000003008")
	dryerVent  = uuid.MustParse("01900000-0000-7000-8000-000000005501")
	fallGutter = uuid.MustParse("01900000-0000-7000-8000-000000005c01")
	iceDams    = uuid.MustParse("01900000-0000-7000-8000-000000005c05")
	pruning    = uuid.MustParse("01900000-0000-7000-8000-000000005704") // to March 31
	mow        = uuid.MustParse("01900000-0000-7000-8000-000000005701")
)

func templatesAt(t *testing.T, c *testkit.Client, query string) []task.Template {
	t.Helper()
	return testkit.JSON[struct{ Items []task.Template }](t, c.For(t).Want(200, "GET", templates+query, nil)).Items
}

func TestTemplatesAreFitToBeUsed(t *testing.T) {
	h := open(t)
	all := templatesAt(t, h.stranger, "")
	if len(all) < 100 {
		t.Fatalf("only %d templates", len(all))
	}
	l := testkit.JSON[internalapi.TaskLookups](t, h.AsPart(t, "residence").Want(200, "GET", "/internal/lookups", nil))
	inCategory, titles := map[uuid.UUID]int{}, map[string]bool{}
	for _, tt := range all {
		inCategory[tt.CategoryID]++
		if titles[tt.Title] || len(tt.Title) > 80 || tt.Description == "" || len(tt.Tags) == 0 || tt.Icon == "" || !tt.IsActive {
			t.Errorf("%q is not whole, or there twice", tt.Title)
		}
		titles[tt.Title] = true
		if len(tt.HowTo) < 3 || len(tt.HowTo) > 7 || slices.Contains(tt.HowTo, "") {
			t.Errorf("%q has %d steps", tt.Title, len(tt.HowTo))
		}
		if (tt.FrequencyID == custom) != (tt.CustomIntervalDays != nil) {
			t.Errorf("%q has a custom interval or not", tt.Title)
		}
		if tt.EstimatedCost == nil || *tt.EstimatedCost > money.Amount(50000) || tt.EstimatedMinutes > 480 {
			t.Errorf("%q costs too much", tt.Title)
		}
	}
	for _, category := range l.Categories {
		if inCategory[category.ID] < 5 {
			t.Errorf("%s has only %d templates", category.Name, inCategory[category.ID])
		}
	}
	for id, frequency := range map[uuid.UUID]uuid.UUID{smokeAlarms: monthly, dryerVent: yearly} {
		if i := slices.IndexFunc(all, func(tt task.Template) bool { return tt.ID == id }); i < 0 || all[i].FrequencyID != frequency || !all[i].IsEssential {
			t.Errorf("%s is missing, or at another pace", id)
		}
	}
}

func TestTemplatesAreListedByWhatTheySuit(t *testing.T) {
	h := open(t)
	all := templatesAt(t, h.owner, "")
	for query, fits := range map[string]func(task.Template) bool{
		"?essential=true":                   func(tt task.Template) bool { return tt.IsEssential },
		"?category_id=" + plumbing.String(): func(tt task.Template) bool { return tt.CategoryID == plumbing },
		"by-category/" + plumbing.String():  func(tt task.Template) bool { return tt.CategoryID == plumbing },
		"?climate=polar":                    func(tt task.Template) bool { return len(tt.Climates) == 0 || slices.Contains(tt.Climates, "polar") },
		"?residence_type_id=" + apartments: func(tt task.Template) bool {
			return len(tt.ResidenceTypes) == 0 || slices.Contains(tt.ResidenceTypes, uuid.MustParse(apartments))
		},
	} {
		t.Run(query, func(t *testing.T) {
			got := templatesAt(t, h.owner, query)
			want := slices.DeleteFunc(slices.Clone(all), func(tt task.Template) bool { return !fits(tt) })
			if len(got) != len(want) || len(got) == 0 || len(got) == len(all) {
				t.Errorf("%d templates, want %d of %d", len(got), len(want), len(all))
			}
		})
	}
	h.owner.Refused(422, "validation_failed", "GET", templates+"?climate=lunar", nil)
	h.owner.Refused(422, "validation_failed", "GET", templates+"?category_id=x", nil)
	h.owner.Refused(404, "not_found", "GET", templates+"by-category/"+newID().String()+"/", nil)
	h.owner.Refused(404, "not_found", "GET", templates+newID().String()+"/", nil)
	h.AsNobody(t).Refused(401, "authentication_required", "GET", templates, nil)
}

func TestTemplatesAreGroupedInTheCategoriesOrder(t *testing.T) {
	h := open(t)
	a := h.owner.Want(200, "GET", templates+"grouped/", nil)
	groups := testkit.JSON[struct{ Items []task.TemplateGroup }](t, a).Items
	total := 0
	for i, g := range groups {
		if g.Count != len(g.Templates) || g.Category.Name == "" || i > 0 && groups[i-1].Category.DisplayOrder >= g.Category.DisplayOrder {
			t.Errorf("group %d: %s with %d of %d", i, g.Category.Name, len(g.Templates), g.Count)
		}
		total += g.Count
	}
	if want := len(templatesAt(t, h.owner, "")); total != want || len(groups) != 14 {
		t.Errorf("%d templates in %d groups, want %d", total, len(groups), want)
	}
	tropics := testkit.JSON[struct{ Items []task.TemplateGroup }](t, h.owner.Want(200, "GET", templates+"grouped/?climate=tropical&essential=true&residence_type_id="+mobiles, nil)).Items
	for _, g := range tropics {
		for _, tt := range g.Templates {
			if !tt.IsEssential || len(tt.Climates) > 0 && !slices.Contains(tt.Climates, "tropical") {
				t.Errorf("%q is for the tropics", tt.Title)
			}
		}
	}
}

func TestTemplatesThatHaveNotChangedAreNotSentAgain(t *testing.T) {
	h := open(t)
	for _, p := range []string{"", "grouped/", "search/?q=filter", "by-category/" + plumbing.String() + "/", smokeAlarms.String() + "/"} {
		etag := h.owner.Want(200, "GET", templates+p, nil).Header.Get("ETag")
		if a := h.owner.Want(304, "GET", templates+p, nil, "If-None-Match", etag); sqlTrips(a) != 0 || len(a.Body) != 0 {
			t.Errorf("%s: %d round trips, %d bytes", p, sqlTrips(a), len(a.Body))
		}
	}
	before := h.owner.Want(200, "GET", templates, nil).Header.Get("ETag")
	if _, err := h.DB.Exec(t.Context(), `UPDATE task_templates SET is_active = false WHERE id = $1`, smokeAlarms); err != nil {
		t.Fatal(err)
	}
	h.Cache.Drop(t.Context(), cache.TemplatesKey())
	h.Clock.Advance(task.ShelfLife)
	h.owner.Want(200, "GET", templates, nil, "If-None-Match", before)
	if slices.ContainsFunc(templatesAt(t, h.owner, ""), func(tt task.Template) bool { return tt.ID == smokeAlarms }) {
		t.Error("one that is no longer offered is listed")
	}
	if testkit.JSON[task.Template](t, h.owner.Want(200, "GET", path("tasks/templates", smokeAlarms), nil)).IsActive {
		t.Error("it says that it is offered")
	}
	h.owner.Refused(422, "validation_failed", "POST", templates+"apply/", doc{"residence_id": h.home, "template_ids": []uuid.UUID{smokeAlarms}})
	h.add(t, h.owner, doc{"template_id": smokeAlarms}) // an app that was offline for long
}

func TestSearchFindsWhatIsMeant(t *testing.T) {
	h := open(t)
	for query, want := range map[string]string{
		"test the smoke":        "Test the smoke alarms", // begins the title
		"dryer":                 "Clean the dryer vent",
		"GUTTERS fall":          "Clean the gutters in fall",
		"gütters spring":        "Clean the gutters in spring",
		"carbon monoxide":       "Test the carbon monoxide alarms",
		"rcd":                   "Test the GFCI outlets", // a tag
		"fridge coils":          "Clean the refrigerator coils",
		"diswasher":             "Clean the dishwasher filter", // a letter left out
		"refrigartor coil":      "Clean the refrigerator coils",
		"raodn":                 "Test for radon", // two swapped
		"termits":               "Inspect for termites",
		"how to flush water he": "Flush the water heater", // while it is being typed
		"creosote":              "Have the chimney inspected and swept",
		"pencil-thin tubes":     "",
		"roofs":                 "Inspect the roof from the ground", // one of several
		"guter":                 "Clean the gutters in fall",
		"co":                    "Test the carbon monoxide alarms",        // a tag, and the beginning of many words
		"A/C":                   "Replace the heating and cooling filter", // a tag as well: ac
		"mower blade":           "Service the lawn mower",
		"xyzzy":                 "",
		"'; DROP TABLE":         "",
		"%":                     "",
	} {
		t.Run(query, func(t *testing.T) {
			got := templatesAt(t, h.owner, "search/?q="+url.QueryEscape(query))
			switch {
			case want == "" && len(got) > 0:
				t.Errorf("found %q", got[0].Title)
			case want != "" && (len(got) == 0 || got[0].Title != want):
				t.Errorf("found %d, not %q first: %.300v", len(got), want, got)
			}
		})
	}
	ranked := templatesAt(t, h.owner, "?q=filter")
	place := func(title string) int {
		return slices.IndexFunc(ranked, func(tt task.Template) bool { return tt.Title == title })
	}
	inTitle, asTag := place("Clean the dishwasher filter"), place("Clean the mini-split filters")
	if inTitle < 0 || asTag < 0 || inTitle > asTag {
		t.Errorf("the word stands at %d, its beginning at %d", inTitle, asTag)
	}
	if n := len(templatesAt(t, h.owner, "search/?q=the")); n != 50 {
		t.Errorf("%d results of a word that says nothing", n)
	}
	for _, tt := range templatesAt(t, h.owner, "search/?q=clean&category_id="+plumbing.String()) {
		if tt.CategoryID != plumbing {
			t.Errorf("%q is no plumbing", tt.Title)
		}
	}
	h.owner.Refused(422, "validation_failed", "GET", templates+"search/", nil)
	h.owner.Refused(422, "validation_failed", "GET", templates+"search/?q="+strings.Repeat("a", 101), nil)
	h.owner.Want(200, "GET", templates+"search/?q="+url.QueryEscape(strings.Repeat("wat ", 25)), nil)
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func apply(t *testing.T, c *testkit.Client, status int, body doc) task.AppliedTemplates {
	t.Helper()
	return testkit.JSON[task.AppliedTemplates](t, c.For(t).Want(status, "POST", templates+"apply/", body))
}

func TestTheEssentialTemplatesBecomeTasks(t *testing.T) {
	h := open(t)
	body := doc{"residence_id": h.home, "residence_type_id": houses, "climate": "continental"}
	a := h.member.Want(201, "POST", templates+"apply/", body)
	applied := testkit.JSON[task.AppliedTemplates](t, a)
	essential := templatesAt(t, h.owner, "?essential=true&climate=continental&residence_type_id="+houses)
	if len(applied.Items) != len(essential) || len(essential) < 20 || len(applied.Skipped) != 0 {
		t.Fatalf("%d tasks of %d templates, %d skipped", len(applied.Items), len(essential), len(applied.Skipped))
	}
	if n := len(h.Outbox(t, "task.created")); n != len(essential) {
		t.Errorf("%d events", n)
	}
	byID := map[uuid.UUID]task.Template{}
	for _, tt := range essential {
		byID[tt.ID] = tt
	}
	perDay := map[string]int{}
	last := "2026-03-10"
	for _, it := range applied.Items {
		tt := byID[*it.TemplateID]
		if it.Title != tt.Title || *it.CategoryID != tt.CategoryID || *it.PriorityID != tt.PriorityID || *it.FrequencyID != tt.FrequencyID ||
			*it.EstimatedCost != *tt.EstimatedCost || *it.Description != tt.Description || it.RescheduleFrom != tt.RescheduleFrom || it.CreatedByID != h.member.Actor.UserID {
			t.Errorf("%+v is not what %q says", it, tt.Title)
		}
		if deref(it.SeasonStart) != deref(tt.SeasonStart) || deref(it.SeasonEnd) != deref(tt.SeasonEnd) {
			t.Errorf("%q has another season than its template", tt.Title)
		}
		if due(it) < last {
			t.Errorf("%s comes after %s", due(it), last)
		}
		last = due(it)
		if perDay[last]++; perDay[last] > 3 {
			t.Errorf("%d are due on %s", perDay[last], last)
		}
		if md := last[5:]; tt.SeasonStart != nil && (md < *tt.SeasonStart || md > *tt.SeasonEnd) && *tt.SeasonStart <= *tt.SeasonEnd {
			t.Errorf("%q of %s to %s is due on %s", tt.Title, *tt.SeasonStart, *tt.SeasonEnd, last)
		}
	}
	if first := byID[*applied.Items[0].TemplateID]; first.PriorityID != urgent || due(applied.Items[0]) != "2026-03-10" {
		t.Errorf("first of all, on %s: %q", due(applied.Items[0]), first.Title)
	}
	again := apply(t, h.owner, 200, body)
	if len(again.Items) != 0 || len(again.Skipped) != len(essential) {
		t.Errorf("again: %d tasks, %d skipped", len(again.Items), len(again.Skipped))
	}
	for _, it := range apply(t, h.stranger, 201, doc{"residence_id": h.elsewhere}).Items {
		if tt := byID[*it.TemplateID]; len(tt.ResidenceTypes)+len(tt.Climates) > 0 || tt.Title == "" {
			t.Errorf("%q does not suit every residence", it.Title)
		}
	}
	flat := templatesAt(t, h.owner, "?essential=true&climate=tropical&residence_type_id="+apartments)
	if len(flat) >= len(essential) || len(flat) < 10 {
		t.Errorf("%d are essential in a flat in the tropics", len(flat))
	}
}

func TestACostInDollarsIsNoneInYen(t *testing.T) {
	h := open(t)
	tokyo := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: tokyo, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "Asia/Tokyo", Currency: "JPY"})
	for _, it := range apply(t, h.owner, 201, doc{"residence_id": tokyo}).Items {
		if it.EstimatedCost != nil {
			t.Errorf("%q is to cost ¥%s", it.Title, it.EstimatedCost)
		}
	}
}

func TestTemplatesAreDueInTheirSeason(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		name     string
		template uuid.UUID
		more     doc
		want     string
		season   string
	}{
		{"before it", fallGutter, nil, "2026-10-15", "10-15 12-05"},
		{"within it", fallGutter, doc{"start_on": "2026-11-02"}, "2026-11-02", "10-15 12-05"},
		{"on its last day", fallGutter, doc{"start_on": "2026-12-05"}, "2026-12-05", "10-15 12-05"},
		{"after it", fallGutter, doc{"start_on": "2026-12-06"}, "2027-10-15", "10-15 12-05"},
		{"over the turn of the year", iceDams, doc{"start_on": "2027-01-31"}, "2027-01-31", "12-01 03-15"},
		{"in the south", fallGutter, doc{"southern_hemisphere": true}, "2026-04-15", "04-15 06-05"},
		{"in the south, over the turn of the year", mow, doc{"southern_hemisphere": true}, "2026-03-10", "10-15 04-15"},
		{"in the south, after it", mow, doc{"southern_hemisphere": true, "start_on": "2026-04-16"}, "2026-10-15", "10-15 04-15"},
		{"in the south, where the month is shorter", pruning, doc{"southern_hemisphere": true}, "2026-08-10", "08-10 09-30"},
		{"a start that is past", smokeAlarms, doc{"start_on": "2020-01-01"}, "2026-03-10", " "},
	} {
		t.Run(c.name, func(t *testing.T) {
			made := apply(t, h.owner, 201, with(doc{"residence_id": h.home, "template_ids": []uuid.UUID{c.template}}, c.more)).Items[0]
			if due(made) != c.want {
				t.Errorf("due on %s, want %s", due(made), c.want)
			}
			if season := deref(made.SeasonStart) + " " + deref(made.SeasonEnd); season != c.season {
				t.Errorf("its season is %q, want %q", season, c.season)
			}
			h.owner.For(t).Want(204, "DELETE", path("tasks", made.ID), nil)
		})
	}
	h.Clock.Set(day.Must("2026-03-10").Start(h.owner.Actor.Location()).Add(-1)) // in Berlin it is the 10th already
	if made := apply(t, h.owner, 201, doc{"residence_id": h.home, "template_ids": []uuid.UUID{dryerVent}}).Items[0]; due(made) != "2026-03-10" {
		t.Errorf("due on %s, which is not the residence's day", due(made))
	}
}

// Three a day, and a few more only where seasons are about to end.
func TestAllTemplatesAtOnceAreSpread(t *testing.T) {
	h := open(t)
	h.owner.Want(200, "GET", "/api/tasks/", nil) // residences and lookups are known now
	h.owner.Want(200, "GET", templates+"grouped/", nil)
	var ids []uuid.UUID
	for _, tt := range templatesAt(t, h.owner, "") {
		ids = append(ids, tt.ID)
	}
	a := h.owner.Want(201, "POST", templates+"apply/", doc{"residence_id": h.home, "template_ids": append(ids, ids[0]), "start_on": "2026-10-08"})
	made := testkit.JSON[task.AppliedTemplates](t, a).Items
	if len(made) != len(ids) || sqlTrips(a) != 1 {
		t.Errorf("%d tasks of %d templates in %d round trips", len(made), len(ids), sqlTrips(a))
	}
	perDay := map[string]int{}
	for _, it := range made {
		perDay[due(it)]++
		if perDay[due(it)] > 3 && due(it) > "2026-10-15" || perDay[due(it)] > 5 || due(it) < "2026-10-08" || due(it) > "2027-10-07" {
			t.Errorf("%q is the %d. on %s", it.Title, perDay[due(it)], due(it))
		}
	}
}

func TestWhatIsOpenIsNotAppliedAgain(t *testing.T) {
	h := open(t)
	both := doc{"residence_id": h.home, "template_ids": []uuid.UUID{smokeAlarms, dryerVent}}
	byHand := h.add(t, h.member, doc{"template_id": dryerVent, "frequency_id": once})
	if got := apply(t, h.owner, 201, both); len(got.Items) != 1 || *got.Items[0].TemplateID != smokeAlarms || !slices.Equal(got.Skipped, []uuid.UUID{dryerVent}) {
		t.Errorf("beside one added by hand: %+v", got)
	}
	h.add(t, h.owner, doc{"template_id": smokeAlarms}) // a second one by hand is nobody's mistake
	h.complete(t, byHand.ID, "2026-03-10T10:00:00Z")   // for good
	if got := apply(t, h.owner, 201, both); len(got.Items) != 1 || *got.Items[0].TemplateID != dryerVent {
		t.Errorf("beside one that is done: %+v", got)
	}
	for _, move := range []string{"cancel", "archive"} {
		open := apply(t, h.owner, 201, doc{"residence_id": h.home, "template_ids": []uuid.UUID{mow}}).Items[0]
		apply(t, h.owner, 200, doc{"residence_id": h.home, "template_ids": []uuid.UUID{mow}})
		h.owner.Want(200, "POST", path("tasks", open.ID, move), nil)
	}
	got := apply(t, h.stranger, 201, with(both, doc{"residence_id": h.elsewhere}))
	if len(got.Items) != 2 {
		t.Errorf("another residence's: %+v", got)
	}
}

func TestTemplatesAppliedAtTheSameTimeAreAppliedOnce(t *testing.T) {
	h := open(t)
	var group sync.WaitGroup
	answers := make(chan testkit.Answer, 20)
	for i := range cap(answers) {
		who := []*testkit.Client{h.owner, h.member}[i%2]
		group.Go(func() {
			answers <- who.Call("POST", templates+"apply/", doc{"residence_id": h.home, "residence_type_id": houses})
		})
	}
	group.Wait()
	close(answers)
	statuses, added := map[int]int{}, 0
	for a := range answers {
		statuses[a.Status]++
		added += len(testkit.JSON[task.AppliedTemplates](t, a).Items)
	}
	open := map[uuid.UUID]bool{}
	for _, card := range cards(t, h.owner.Want(200, "GET", "/api/tasks/", nil)) {
		if open[*card.TemplateID] {
			t.Errorf("%q is there twice", card.Title)
		}
		open[*card.TemplateID] = true
	}
	if statuses[201] != 1 || statuses[200] != 19 || added != len(open) || len(h.Outbox(t, "task.created")) != len(open) {
		t.Errorf("answers %v with %d tasks, %d on the board, %d events", statuses, added, len(open), len(h.Outbox(t, "task.created")))
	}
}

func TestApplyingThatIsRefused(t *testing.T) {
	h := open(t)
	base := doc{"residence_id": h.home}
	for _, c := range []struct {
		field string
		more  doc
	}{
		{"body.template_ids[1]", doc{"template_ids": []uuid.UUID{smokeAlarms, newID()}}},
		{"body.template_ids", doc{"template_ids": []uuid.UUID{}}},
		{"body.template_ids", doc{"template_ids": slices.Repeat([]uuid.UUID{smokeAlarms}, 201)}},
		{"body.template_ids[0]", doc{"template_ids": []string{"smoke"}}},
		{"body.climate", doc{"climate": "lunar"}},
		{"body.start_on", doc{"start_on": "2026-02-30"}},
		{"body.start_on", doc{"start_on": "2036-04-01"}},
		{"body.southern_hemisphere", doc{"southern_hemisphere": "yes"}},
		{"body.residence_type_id", doc{"residence_type_id": "House"}},
		{"body.residence_type_id", doc{"residence_type_id": uuid.Nil}}, // it would be every type: a flat's gutters
		{"body.season", doc{"season": "fall"}},
	} {
		a := h.owner.Refused(422, "validation_failed", "POST", templates+"apply/", with(base, c.more))
		if !strings.Contains(string(a.Body), `"`+c.field+`"`) {
			t.Errorf("does not name %s: %s", c.field, a.Body)
		}
	}
	h.owner.Refused(422, "validation_failed", "POST", templates+"apply/", doc{})
	h.owner.Refused(404, "not_found", "POST", templates+"apply/", doc{"residence_id": h.elsewhere})
	h.owner.Refused(404, "not_found", "POST", templates+"apply/", doc{"residence_id": newID()})
	h.viewer.Refused(403, "not_permitted", "POST", templates+"apply/", base)
	h.AsNobody(t).Refused(401, "authentication_required", "POST", templates+"apply/", base)
	if n := len(h.Outbox(t, "task.created")); n != 0 {
		t.Errorf("%d tasks were added all the same", n)
	}
}
