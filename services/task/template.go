package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/roundtrip"
)

// Template is something that there is to do in most homes, to be made a task of.
type Template struct {
	ID                 uuid.UUID     `json:"id" format:"uuid"`
	Title              string        `json:"title" example:"Test the smoke alarms"`
	Description        string        `json:"description"`
	HowTo              []string      `json:"how_to" nullable:"false" doc:"The steps, in order"`
	CategoryID         uuid.UUID     `json:"category_id" format:"uuid"`
	PriorityID         uuid.UUID     `json:"priority_id" format:"uuid"`
	FrequencyID        uuid.UUID     `json:"frequency_id" format:"uuid"`
	CustomIntervalDays *int          `json:"custom_interval_days" doc:"Of the custom frequency"`
	RescheduleFrom     string        `json:"reschedule_from" enum:"due_date,completion"`
	SeasonStart        *string       `json:"season_start" example:"09-20" doc:"MM-DD, in the northern hemisphere; null: all year"`
	SeasonEnd          *string       `json:"season_end" example:"11-10" doc:"MM-DD, the last day"`
	EstimatedCost      *money.Amount `json:"estimated_cost" nullable:"true" doc:"A rough figure in dollars, euros and the like; the tasks of a residence that pays in anything else get none"`
	EstimatedMinutes   int           `json:"estimated_minutes"`
	Icon               string        `json:"icon" example:"detector_smoke"`
	Tags               []string      `json:"tags" nullable:"false" doc:"Other words for it"`
	ResidenceTypes     []uuid.UUID   `json:"residence_types" nullable:"false" doc:"The residence types that it suits; none: all"`
	Climates           []string      `json:"climates" nullable:"false" doc:"The climates (Koeppen's main groups) that it suits; none: all"`
	IsEssential        bool          `json:"is_essential" doc:"One of those that every residence of these types should have"`
	DisplayOrder       int           `json:"display_order"`
	IsActive           bool          `json:"is_active" doc:"False: no longer offered, but tasks may name it"`
}

// TemplateFilter is what a list of templates leaves out; zero values leave out nothing.
type TemplateFilter struct {
	CategoryID      uuid.UUID
	ResidenceTypeID uuid.UUID
	Climate         string
	Essential       bool // only those
}

func (f TemplateFilter) admits(t Template) bool {
	return (f.CategoryID == uuid.Nil || f.CategoryID == t.CategoryID) &&
		(f.ResidenceTypeID == uuid.Nil || len(t.ResidenceTypes) == 0 || slices.Contains(t.ResidenceTypes, f.ResidenceTypeID)) &&
		(f.Climate == "" || len(t.Climates) == 0 || slices.Contains(t.Climates, f.Climate)) &&
		(!f.Essential || t.IsEssential)
}

// Templates are all of them as they stood at one time. They are not to be changed: everybody reads the same.
type Templates struct {
	ETag    string
	offered []Template // in order
	words   []templateWords
	byID    map[uuid.UUID]Template // also what is no longer offered
}

func newTemplates(all []Template) (*Templates, error) {
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	sum := sha256.Sum256(raw)
	ts := &Templates{ETag: `"` + hex.EncodeToString(sum[:16]) + `"`, byID: make(map[uuid.UUID]Template, len(all))}
	for _, t := range all {
		ts.byID[t.ID] = t
		if t.IsActive {
			ts.offered = append(ts.offered, t)
			ts.words = append(ts.words, wordsOf(t))
		}
	}
	return ts, nil
}

// List answers what is offered, in order.
func (ts *Templates) List(f TemplateFilter) []Template {
	out := []Template{}
	for _, t := range ts.offered {
		if f.admits(t) {
			out = append(out, t)
		}
	}
	return out
}

// templateShelf keeps the templates in the process.
type templateShelf struct {
	mu    sync.Mutex
	until time.Time
	has   *Templates
}

func (l *templateShelf) look(now time.Time) (*Templates, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.has, now.Before(l.until)
}

func (l *templateShelf) keep(has *Templates, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.has, l.until = has, until
}

// Templates answers the templates: from the process, then from the cache, then from the database.
func (s *Service) Templates(ctx context.Context) (*Templates, error) {
	now := s.Clock.Now()
	if has, fresh := s.templates.look(now); fresh {
		return has, nil
	}
	all, err := cache.Load(ctx, s.Cache, cache.TemplatesKey(), cache.LookupsTTL, func(ctx context.Context) ([]Template, error) {
		return readTemplates(ctx, s.DB)
	})
	if err != nil {
		return nil, err
	}
	has, err := newTemplates(all)
	if err != nil {
		return nil, err
	}
	s.templates.keep(has, now.Add(shelfLife))
	return has, nil
}

// TemplateOf answers one template, also one that is no longer offered.
func (s *Service) TemplateOf(ctx context.Context, id uuid.UUID) (Template, string, error) {
	ts, err := s.Templates(ctx)
	if err != nil {
		return Template{}, "", err
	}
	t, found := ts.byID[id]
	if !found {
		return Template{}, "", apperr.NoSuchThing.New("There is no such template.")
	}
	return t, ts.ETag, nil
}

// TemplateGroup are the templates of one category.
type TemplateGroup struct {
	Category  internalapi.Lookup `json:"category"`
	Count     int                `json:"count"`
	Templates []Template         `json:"templates" nullable:"false"`
}

// templatesAndLookups reads both, at the same time where it has to.
func (s *Service) templatesAndLookups(ctx context.Context) (ts *Templates, l internalapi.TaskLookups, etag string, err error) {
	err = roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		ts, err = s.Templates(ctx)
		return err // names what it was reading
	}, func(ctx context.Context) (err error) {
		l, etag, err = s.Lookups(ctx)
		return err // names what it was reading
	})
	if err != nil {
		return nil, l, "", err
	}
	sum := sha256.Sum256([]byte(ts.ETag + etag))
	return ts, l, `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}

// grouped sorts them by category, in the categories' order, and leaves out categories without any.
func (ts *Templates) grouped(categories []internalapi.Lookup, f TemplateFilter) []TemplateGroup {
	groups := []TemplateGroup{}
	of := map[uuid.UUID][]Template{}
	for _, t := range ts.List(f) {
		of[t.CategoryID] = append(of[t.CategoryID], t)
	}
	for _, category := range categories {
		if templates := of[category.ID]; len(templates) > 0 {
			groups = append(groups, TemplateGroup{Category: category, Count: len(templates), Templates: templates})
		}
	}
	return groups
}
