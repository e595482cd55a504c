package notification

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// A person who comes back from the mountains, or a provider from an outage, must not be met with a hundred notifications.
const (
	pushesApart = 2 // of more than one more at once, so many come by themselves and the rest in one
	mailsApart  = 0 // mails at once are always one
)

// pack makes parcels of what was taken at once: what can be told together is. It also answers what becomes of what is not to
// be sent any more.
func pack(messages []message, now time.Time) (parcels []parcel, settled []verdict) {
	waiting := map[uuid.UUID][]message{}
	var order []uuid.UUID
	for _, m := range messages {
		switch {
		case m.Suppress != "":
			settled = append(settled, verdict{ID: m.ID, State: "suppressed", Reason: m.Suppress, NextAt: now})
		case m.foldable():
			if waiting[m.address()] == nil {
				order = append(order, m.address())
			}
			waiting[m.address()] = append(waiting[m.address()], m)
		default:
			parcels = append(parcels, parcel{messages: []message{m}})
		}
	}
	for _, address := range order {
		parcels = append(parcels, fold(waiting[address])...)
	}
	return parcels, settled
}

// fold makes parcels of what waits for one address: the most important by themselves, the rest in one.
func fold(waiting []message) []parcel {
	apart := pushesApart
	if waiting[0].Channel == "email" {
		apart = mailsApart
	}
	if len(waiting) <= apart+1 {
		out := make([]parcel, len(waiting))
		for i, m := range waiting {
			out[i] = parcel{messages: []message{m}}
		}
		return out
	}
	slices.SortStableFunc(waiting, func(a, b message) int {
		if d := weight(a.kind()) - weight(b.kind()); d != 0 {
			return d
		}
		return b.CreatedAt.Compare(a.CreatedAt)
	})
	var out []parcel
	for _, m := range waiting[:apart] {
		out = append(out, parcel{messages: []message{m}})
	}
	return append(out, parcel{messages: waiting[apart:], folded: true})
}

// weight sorts kinds, the most important first: what has to be done, then what is to be known.
func weight(kind string) int {
	return slices.Index([]string{TaskOverdue, TaskDueSoon, WarrantyExpiring, TaskAssigned, ResidenceShared, TaskCompleted}, kind)
}

// putOff gives a parcel back that was not tried: until then, or at once.
func (p parcel) putOff(until, now time.Time) []verdict {
	if until.IsZero() {
		until = now
	}
	out := make([]verdict, len(p.messages))
	for i, m := range p.messages {
		out[i] = verdict{ID: m.ID, State: "pending", NextAt: until}
	}
	return out
}
