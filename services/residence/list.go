package residence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/roundtrip"
)

// MyResidence is a residence and its tasks in numbers.
type MyResidence struct {
	Residence
	TaskCounts internalapi.TaskCounts `json:"task_counts" doc:"On the day that it is for you"`
}

// Summary counts over all residences of a person.
type Summary struct {
	Residences int                    `json:"residences" example:"2"`
	Members    int                    `json:"members" doc:"People in any of them, you too, each counted once" example:"3"`
	TaskCounts internalapi.TaskCounts `json:"task_counts" doc:"On the day that it is for you"`
}

// joined is where a residence stands in the order of a person's list: as they came to it.
type joined struct {
	At time.Time `json:"at"`
	ID uuid.UUID `json:"id"`
}

func (r Residence) position() joined { return joined{r.JoinedAt, r.ID} }

// ListResidences answers a page of what the actor belongs to and the page's tag, or NotModified, without SQL, when the
// actor has it already.
func (s *Service) ListResidences(ctx context.Context, actor identity.Actor, q page.Query, have httpx.IfNoneMatch) (page.List[Residence], string, error) {
	_, tag, err := s.homes(ctx, actor, have, "list", strconv.Itoa(q.Limit), q.Cursor)
	if err != nil {
		return page.List[Residence]{}, "", err
	}
	after, err := page.After[joined](q)
	if err != nil {
		return page.List[Residence]{}, "", err
	}
	rows, err := listResidences(ctx, s.DB, actor, after, q.Limit)
	if err != nil {
		return page.List[Residence]{}, "", err
	}
	list, err := page.Cut(rows, q.Limit, Residence.position)
	return list, tag, err
}

// MyResidences is ListResidences with the counts of tasks, which the task service answers at the same time.
func (s *Service) MyResidences(ctx context.Context, actor identity.Actor, q page.Query, have httpx.IfNoneMatch) (page.List[MyResidence], string, error) {
	var none page.List[MyResidence]
	homes, tag, err := s.homes(ctx, actor, have, "mine", actor.Today(s.Clock).String(), strconv.Itoa(q.Limit), q.Cursor)
	if err != nil {
		return none, "", err
	}
	after, err := page.After[joined](q)
	if err != nil {
		return none, "", err
	}
	var rows []Residence
	counts, err := s.beside(ctx, actor, homes, func(ctx context.Context) (err error) {
		rows, err = listResidences(ctx, s.DB, actor, after, q.Limit)
		return err
	})
	if err != nil {
		return none, "", err
	}
	mine := make([]MyResidence, len(rows))
	for i, row := range rows {
		mine[i] = MyResidence{Residence: row, TaskCounts: counts[row.ID]}
	}
	list, err := page.Cut(mine, q.Limit, func(m MyResidence) joined { return m.position() })
	return list, tag, err
}

// Summarize counts over everything that the actor belongs to.
func (s *Service) Summarize(ctx context.Context, actor identity.Actor, have httpx.IfNoneMatch) (Summary, string, error) {
	homes, tag, err := s.homes(ctx, actor, have, "summary", actor.Today(s.Clock).String())
	if err != nil {
		return Summary{}, "", err
	}
	var sum Summary
	counts, err := s.beside(ctx, actor, homes, func(ctx context.Context) (err error) {
		sum, err = selectSummary(ctx, s.DB, actor)
		return err
	})
	if err != nil {
		return Summary{}, "", err
	}
	for _, c := range counts {
		sum.TaskCounts.Open += c.Open
		sum.TaskCounts.Overdue += c.Overdue
		sum.TaskCounts.DueSoon += c.DueSoon
	}
	return sum, tag, nil
}

// homes answers what the actor belongs to, and the tag of an answer that is made of it and of what else it depends on.
// A client that has that answer gets NotModified.
func (s *Service) homes(ctx context.Context, actor identity.Actor, have httpx.IfNoneMatch, depends ...string) ([]access.Home, string, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return nil, "", err
	}
	tag := s.Access.ETag(ctx, homes, append(depends, actor.UserID.String())...)
	if tag != "" && have.Has(tag) {
		return nil, "", httpx.NotModified(tag)
	}
	return homes, tag, nil
}

// beside runs our own query while the task service counts.
func (s *Service) beside(
	ctx context.Context, actor identity.Actor, homes []access.Home, query func(context.Context) error,
) (map[uuid.UUID]internalapi.TaskCounts, error) {
	var counts map[uuid.UUID]internalapi.TaskCounts
	count := func(ctx context.Context) (err error) {
		if len(homes) == 0 {
			return nil
		}
		counts, err = s.tasks.Counts(ctx, internalapi.TaskCountsQuery{ResidenceIDs: access.IDs(homes), Today: actor.Today(s.Clock)})
		return err // names the service
	}
	err := roundtrip.Together(ctx, query, count)
	return counts, err // both say what they are
}

// Lookups are the service's lookup tables, which change with a deploy, and their tag.
func (s *Service) Lookups(ctx context.Context) (internalapi.ResidenceLookups, string, error) {
	lookups, err := cache.Load(ctx, s.Cache, cache.LookupsKey(s.Name), cache.LookupsTTL, func(ctx context.Context) (internalapi.ResidenceLookups, error) {
		types, err := selectTypes(ctx, s.DB)
		return internalapi.ResidenceLookups{ResidenceTypes: types}, err
	})
	if err != nil {
		return lookups, "", err
	}
	raw, err := json.Marshal(lookups)
	if err != nil {
		return lookups, "", fmt.Errorf("lookups: %w", err)
	}
	sum := sha256.Sum256(raw)
	return lookups, `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}
