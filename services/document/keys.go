package document

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/document/blob"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/pg"
)

const (
	keysAtOnce = 64 // reserved in one round trip
	keysLow    = 16 // then more are reserved
	// A key is given out for half of the time after which the collector takes what is under it for left over.
	keyLife     = 24 * time.Hour
	keyGivenFor = keyLife / 2
)

// keys are keys for blobs that are reserved ahead: before anything is written under a key the database knows of it, and an
// upload need not wait for that.
type keys struct {
	db    pg.Querier
	clock clock.Clock
	ready chan reservedKey
	low   alarm
}

type reservedKey struct {
	key string
	at  time.Time
}

func newKeys(db pg.Querier, clock clock.Clock) *keys {
	return &keys{db: db, clock: clock, ready: make(chan reservedKey, keysAtOnce+keysLow), low: newAlarm()}
}

// take answers a key that was reserved lately.
func (k *keys) take(ctx context.Context) (string, error) {
	defer func() {
		if len(k.ready) < keysLow {
			k.low.nudge()
		}
	}()
	for {
		select {
		case next := <-k.ready:
			if k.clock.Now().Sub(next.at) < keyGivenFor {
				return next.key, nil
			}
		default:
			key := blob.NewKey()
			return key, k.reserve(ctx, key)
		}
	}
}

const reserveKeysSQL = `INSERT INTO loose_blobs (key, due_at) SELECT k, @due::timestamptz FROM unnest(@keys::text[]) AS k`

func (k *keys) reserve(ctx context.Context, names ...string) error {
	_, err := pg.Exec(ctx, k.db, reserveKeysSQL, pgx.NamedArgs{"keys": names, "due": k.clock.Now().Add(keyLife)})
	return err
}

// fill reserves more when there are few.
func (k *keys) fill(ctx context.Context) error {
	if len(k.ready) >= keysLow {
		return nil
	}
	names := make([]string, keysAtOnce)
	for i := range names {
		names[i] = blob.NewKey()
	}
	at := k.clock.Now()
	if err := k.reserve(ctx, names...); err != nil {
		return err
	}
	for _, name := range names {
		k.ready <- reservedKey{name, at} // there is room: only this goroutine adds
	}
	return nil
}

// alarm wakes a loop before its time.
type alarm chan struct{}

func newAlarm() alarm { return make(alarm, 1) }

func (a alarm) nudge() {
	select {
	case a <- struct{}{}:
	default: // it rings already
	}
}
