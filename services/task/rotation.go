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

// turnOf is whose turn it is after what is in the log. It is derived from the log alone, so that undoing a completion
// hands the task back.
func turnOf(task uuid.UUID, rotation string, members []uuid.UUID, log []doing) *uuid.UUID {
	if len(members) == 0 {
		return nil
	}
	n := len(log)
	switch rotation {
	case fewestDone:
		return new(whoDidLeast(members, log))
	case randomTurn:
		return new(shuffled(task, members, n/len(members))[n%len(members)])
	default:
		return new(members[n%len(members)])
	}
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
	if len(members) > 2 && round > 0 {
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
