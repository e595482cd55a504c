package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// shelfLife is how long this process keeps the lookup tables before it asks the cache again.
const shelfLife = time.Minute

// lookupShelf keeps the lookup tables in the process.
type lookupShelf struct {
	mu    sync.Mutex
	until time.Time
	has   internalapi.TaskLookups
	etag  string
}

// Lookups answers the lookup tables and their ETag: from the process, then from the cache, then from the database.
func (s *Service) Lookups(ctx context.Context) (internalapi.TaskLookups, string, error) {
	now := s.Clock.Now()
	if has, etag, fresh := s.lookups.look(now); fresh {
		return has, etag, nil
	}
	has, err := cache.Load(ctx, s.Cache, cache.LookupsKey(events.Task), cache.LookupsTTL, func(ctx context.Context) (internalapi.TaskLookups, error) {
		return readLookups(ctx, s.DB)
	})
	if err != nil {
		return has, "", err
	}
	raw, err := json.Marshal(has)
	if err != nil {
		return has, "", fmt.Errorf("lookups: %w", err)
	}
	sum := sha256.Sum256(raw)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	s.lookups.keep(has, etag, now.Add(shelfLife))
	return has, etag, nil
}

func (l *lookupShelf) look(now time.Time) (internalapi.TaskLookups, string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.has, l.etag, now.Before(l.until)
}

func (l *lookupShelf) keep(has internalapi.TaskLookups, etag string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.has, l.etag, l.until = has, etag, until
}

// readLookups reads the four tables in one round trip.
func readLookups(ctx context.Context, q pg.Querier) (internalapi.TaskLookups, error) {
	var l internalapi.TaskLookups
	var batch pgx.Batch
	batch.Queue(`SELECT id, name, icon, color, display_order FROM task_categories ORDER BY display_order, id`).Query(pg.Rows(&l.Categories))
	batch.Queue(`SELECT id, name, icon, color, display_order FROM task_priorities ORDER BY display_order, id`).Query(pg.Rows(&l.Priorities))
	batch.Queue(`SELECT id, name, icon, color, display_order, unit, every FROM task_frequencies ORDER BY display_order, id`).Query(pg.Rows(&l.Frequencies))
	batch.Queue(`SELECT id, name, icon, color, display_order FROM contractor_specialties ORDER BY display_order, id`).Query(pg.Rows(&l.Specialties))
	return l, pg.Send(ctx, q, &batch)
}
