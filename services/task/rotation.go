package task

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"
)

// The ways in which a task that comes back goes from one member to the next.
const (
	noRotation = "none"
	roundRobin = "round_robin"
	fewestDone = "fewest_done"
	randomTurn = "random" // nobody twice before everybody once
)

// taking is how a task goes from one member to the next.
type taking struct {
	task     uuid.UUID
	rotation string
	members  []uuid.UUID
	start    int // how many completions there were when it began
}

// turn is whose turn it is after what is in the log. It is derived from the log alone, so that undoing a completion
// hands the task back, also one from before the rotation began.
func (t taking) turn(log []doing) *uuid.UUID {
	members := len(t.members)
	if members == 0 || t.rotation == noRotation {
		return nil
	}
	if t.rotation == fewestDone {
		return new(whoDidLeast(t.members, log))
	}
	n := len(log) - t.start
	place := (n%members + members) % members
	return new(t.order((n - place) / members)[place])
}

// order is that of one round.
func (t taking) order(round int) []uuid.UUID {
	if t.rotation == randomTurn {
		return shuffled(t.task, t.members, round)
	}
	return t.members
}

// from is the rotation that begins now with the turn of that person; somebody who is not in it has it once, before the
// first who is.
func (t taking) from(person uuid.UUID, log []doing) taking {
	t.start = len(log) - slices.Index(t.order(0), person)
	return t
}

// begun is the rotation that begins now with who has the task, or whose turn it is first.
func (t taking) begun(assignee *uuid.UUID, log []doing) taking {
	t.start = len(log)
	if assignee == nil {
		assignee = t.turn(log)
	}
	if assignee == nil {
		return t
	}
	return t.from(*assignee, log)
}

// without is the rotation once somebody is gone; if it was their turn, it is that of the next. It ends with fewer than
// two.
func (t taking) without(person uuid.UUID, log []doing) taking {
	at := slices.Index(t.members, person)
	if at < 0 {
		return t
	}
	left := taking{task: t.task, rotation: t.rotation, start: len(log)}
	left.members = slices.Delete(slices.Clone(t.members), at, at+1)
	if len(left.members) < 2 {
		left.rotation = noRotation
		return left
	}
	turn := *t.turn(log)
	if turn == person && t.rotation == roundRobin {
		turn = left.members[at%len(left.members)]
	}
	if turn == person {
		turn = *left.turn(log)
	}
	return left.from(turn, log)
}

// doers are a log of which only these are known.
func doers(by []uuid.UUID) []doing {
	log := make([]doing, len(by))
	for i := range by {
		log[i].by = by[i]
	}
	return log
}

// whoDidLeast breaks ties by who has not done it for longest, then by the members' order.
func whoDidLeast(members []uuid.UUID, log []doing) uuid.UUID {
	count, last := map[uuid.UUID]int{}, map[uuid.UUID]int{}
	for i, d := range log {
		count[d.by]++
		last[d.by] = i + 1
	}
	return slices.MinFunc(members, func(a, b uuid.UUID) int {
		return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(last[a], last[b]))
	})
}

// shuffled is the order of one round. It is always the same for a task and a round, and begins with somebody else than
// the round before ended with.
func shuffled(task uuid.UUID, members []uuid.UUID, round int) []uuid.UUID {
	order := shuffle(task, members, round)
	if len(members) > 2 {
		if before := shuffle(task, members, round-1); before[len(before)-1] == order[0] {
			order[0], order[1] = order[1], order[0] // never the last one, whom the next round looks at
		}
	}
	return order
}

func shuffle(task uuid.UUID, members []uuid.UUID, round int) []uuid.UUID {
	order := slices.SortedFunc(slices.Values(members), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	if len(order) == 2 {
		return order // two who take turns
	}
	seed := sha256.Sum256(binary.BigEndian.AppendUint64(slices.Clone(task[:]), uint64(round)))         //nolint:gosec // never negative
	r := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:8]), binary.BigEndian.Uint64(seed[8:16]))) //nolint:gosec // a turn, no secret
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}
