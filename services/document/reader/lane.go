package reader

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lane is the queue in front of one child: a file at a time.
type lane struct {
	options Options
	args    []string
	turn    chan struct{} // whoever has put something in has the child
	child   *child
	idle    *time.Timer
	closed  bool
}

func newLane(o Options, args ...string) *lane {
	return &lane{options: o, args: args, turn: make(chan struct{}, 1)}
}

// ask lets the child answer. A child that died since its last file is replaced once.
func (l *lane) ask(ctx context.Context, q question) (answer, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return answer{}, fmt.Errorf("wait for the reader: %w", ctx.Err())
	}
	defer l.leave()
	if l.closed {
		return answer{}, ErrClosed
	}
	old := l.child != nil
	a, err := l.try(ctx, q)
	if errors.Is(err, errNotBegun) && old {
		a, err = l.try(ctx, q)
	}
	return a, err
}

func (l *lane) try(ctx context.Context, q question) (answer, error) {
	if l.child == nil {
		c, err := start(l.options, l.args)
		if err != nil {
			return answer{}, err
		}
		l.child = c
	}
	a, err := l.child.ask(ctx, q, l.options.Timeout)
	if err != nil {
		l.child.kill()
		l.child = nil
		return answer{}, err
	}
	if l.child.asked >= l.options.Files {
		l.end()
	}
	return a, a.err()
}

// leave lets the next one have the child, or ends it after a while.
func (l *lane) leave() {
	if l.idle != nil {
		l.idle.Stop()
	}
	if l.child != nil {
		l.idle = time.AfterFunc(l.options.Idle, l.rest)
	}
	<-l.turn
}

// rest ends the child, unless somebody has it again.
func (l *lane) rest() {
	select {
	case l.turn <- struct{}{}:
		l.end()
		<-l.turn
	default:
	}
}

func (l *lane) end() {
	if l.child != nil {
		l.child.end()
		l.child = nil
	}
}

func (l *lane) close() {
	l.turn <- struct{}{}
	l.closed = true
	l.end()
	<-l.turn
}
