package document

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
)

// Files take as long as the client's line does, and room in the spool: so many come in at the same time, and so many of
// one person, who could keep everybody else out otherwise. Apps open about six connections.
const (
	filesAtOnce       = 128
	filesOfOnePerson  = 8
	filesOfOneRetryIn = 2 * time.Second
)

// intake counts the files that are coming in.
type intake struct {
	places chan struct{}
	mu     sync.Mutex
	by     map[uuid.UUID]int
}

func newIntake() *intake {
	return &intake{places: make(chan struct{}, filesAtOnce), by: map[uuid.UUID]int{}}
}

// enter waits for a place. It fails with rate_limited when the person has enough of them.
func (i *intake) enter(ctx context.Context, person uuid.UUID) (leave func(), err error) {
	if !i.count(person) {
		return nil, apperr.RateLimited.New("You are sending %d files already; wait until one of them is there.", filesOfOnePerson).After(filesOfOneRetryIn)
	}
	select {
	case i.places <- struct{}{}:
		return func() { <-i.places; i.discount(person) }, nil
	case <-ctx.Done():
		i.discount(person)
		return nil, apperr.ServiceUnavailable.Wrap(ctx.Err(), "Many files are being sent right now; try again soon.").After(time.Second)
	}
}

func (i *intake) count(person uuid.UUID) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.by[person] >= filesOfOnePerson {
		return false
	}
	i.by[person]++
	return true
}

func (i *intake) discount(person uuid.UUID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.by[person]--; i.by[person] == 0 {
		delete(i.by, person)
	}
}
