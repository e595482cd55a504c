package task

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"
)

// turns lets one change of a task's log or rule at a time through this process. It is not what keeps the log right, the
// version in the statement is; it only spares those who tap together from trying again and again against each other.
type turns struct {
	mu    sync.Mutex
	taken map[uuid.UUID]*turn
}

type turn struct {
	free    chan struct{} // holds one token while nobody has the turn
	holders int           // who has it or waits for it
}

// take waits for the task's turn. Call what it answers to give the turn back.
func (t *turns) take(ctx context.Context, task uuid.UUID) (func(), error) {
	t.mu.Lock()
	if t.taken == nil {
		t.taken = map[uuid.UUID]*turn{}
	}
	mine, known := t.taken[task]
	if !known {
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.taken[task] = mine
	}
	mine.holders++
	t.mu.Unlock()
	select {
	case <-mine.free:
		return func() {
			mine.free <- struct{}{}
			t.leave(task, mine)
		}, nil
	case <-ctx.Done():
		t.leave(task, mine)
		return nil, fmt.Errorf("wait for the task's turn: %w", ctx.Err())
	}
}

func (t *turns) leave(task uuid.UUID, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.holders--; mine.holders == 0 {
		delete(t.taken, task)
	}
}
