package gateway

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/roundtrip"
)

// syncPart is one service's part of the delta sync: the kinds of rows that it sends, and the lists of what is gone.
type syncPart struct {
	service string
	rows    []syncKind
	removed []string
}

// syncKind is a list of rows and what they look like.
type syncKind struct{ name, like string }

// syncParts are all who take part. A service that joins them needs its operation POST /internal/sync and a line here.
func syncParts() []syncPart {
	return []syncPart{
		{residence, []syncKind{{"residences", "GET /api/residences/{id}/ answers it, without member_count"},
			{"members", "GET /api/residences/{id}/users/ lists it, with residence_id"}}, []string{"members"}},
		{task, []syncKind{{"tasks", "GET /api/tasks/{id}/ answers it"}, {"completions", "GET /api/task-completions/{id}/ answers it, with residence_id"},
			{"contractors", "GET /api/contractors/{id}/ answers it, without the figures of its work"}}, []string{"task_ids", "completion_ids", "contractor_ids"}},
		{papers, []syncKind{{"documents", "GET /api/documents/{id}/ answers it, without days_until_expiry"},
			{"equipment", "GET /api/equipment/{id}/ answers it, without replace_by"}}, []string{"document_ids", "equipment_ids"}},
	}
}

const (
	syncLimit    = 200 // rows of each kind
	syncMaxLimit = 500
)

// serveSync answers GET /api/sync/: what changed for the person since the cursor, in every part, or nothing at all when a
// part does not answer.
func (g *Gateway) serveSync(x *exchange) error {
	limit, err := readSyncLimit(x.c.Query("limit"))
	if err != nil {
		return err
	}
	cursor, err := readSyncCursor(x.c.Query("cursor"), x.session.UserID)
	if err != nil {
		return err
	}
	if err := g.stamp(x); err != nil {
		return err
	}
	ctx := identity.With(x.ctx, identity.Actor{Kind: identity.Person, UserID: x.session.UserID}, x.passport)
	pages, err := g.askSync(ctx, cursor, limit)
	if err != nil {
		return err
	}
	answer, err := mergeSync(cursor, pages)
	if err != nil {
		return err
	}
	return answerJSON(x.c, answer)
}

func readSyncLimit(text string) (int, error) {
	if text == "" {
		return syncLimit, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > syncMaxLimit {
		return 0, apperr.ValidationFailed.New("The limit is not valid.").At("query.limit", fmt.Sprintf("must be a number from 1 to %d", syncMaxLimit))
	}
	return limit, nil
}

// askSync asks all parts at the same time.
func (g *Gateway) askSync(ctx context.Context, cursor syncCursor, limit int) (map[string]internalapi.AnySyncPage, error) {
	parts := syncParts()
	answers := make([]internalapi.AnySyncPage, len(parts))
	calls := make([]func(context.Context) error, len(parts))
	for i, part := range parts {
		calls[i] = func(ctx context.Context) (err error) {
			answers[i], err = g.parts[part.service].Sync(ctx, internalapi.SyncQuery{State: cursor.Parts[part.service], Limit: limit})
			return err // names the service
		}
	}
	if err := roundtrip.Together(ctx, calls...); err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	pages := map[string]internalapi.AnySyncPage{}
	for i, part := range parts {
		pages[part.service] = answers[i]
	}
	return pages, nil
}

// mergeSync makes one answer of the parts' pages.
func mergeSync(cursor syncCursor, pages map[string]internalapi.AnySyncPage) (map[string]any, error) {
	answer, removed := map[string]any{}, map[string]any{}
	lost := map[uuid.UUID]bool{}
	more := sendAgain(pages)
	next := syncCursor{Version: syncVersion, User: cursor.User, Parts: map[string]internalapi.SyncState{}}
	for service, page := range pages {
		for kind, rows := range page.Rows {
			answer[kind] = rows
		}
		for kind, ids := range page.Removed {
			removed[kind] = ids
		}
		for _, home := range page.Lost {
			lost[home] = true
		}
		more = more || page.More
		next.Parts[service] = page.State
	}
	text, err := next.String()
	if err != nil {
		return nil, err
	}
	gone := append([]uuid.UUID{}, slices.Collect(maps.Keys(lost))...)
	slices.SortFunc(gone, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	removed["residence_ids"] = gone
	answer["removed"], answer["next_cursor"], answer["has_more"] = removed, text, more
	return answer, nil
}

// sendAgain makes the parts forget that the client has what a residence holds that another part has called gone: the
// client drops it all. That happens when the parts hear of a change of members at different times. It reports whether
// there was any.
func sendAgain(pages map[string]internalapi.AnySyncPage) (found bool) {
	for teller, told := range pages {
		for _, home := range told.Lost {
			for hearer, page := range pages {
				if hearer == teller || !slices.Contains(page.State.Homes, home) && !slices.Contains(page.State.Joined, home) {
					continue
				}
				page.State.Homes, page.State.Joined = leaveOut(page.State.Homes, home), leaveOut(page.State.Joined, home)
				page.State.Again = append(page.State.Again, home)
				pages[hearer], found = page, true
			}
		}
	}
	return found
}

func leaveOut(homes []uuid.UUID, home uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(homes, func(id uuid.UUID) bool { return id == home })
}
