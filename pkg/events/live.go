package events

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// Update is what the apps are told of an event while they listen: that something is another, not what it is now. It
// carries nothing personal: whoever may know asks for the thing.
type Update struct {
	Type string `json:"type"` // the event's name
	// ResidenceIDs are told to everybody who sees one of them, UserIDs to these people whatever they see.
	ResidenceIDs []uuid.UUID `json:"residence_ids,omitempty"`
	UserIDs      []uuid.UUID `json:"user_ids,omitempty"`
	Subject      uuid.UUID   `json:"id,omitzero"`
	Version      int         `json:"version,omitempty"` // of the subject; 0: it has none
	Change       string      `json:"change,omitempty"`
	ActorID      uuid.UUID   `json:"actor_id,omitzero"`
	// Regrouped are those who see other residences from now on.
	Regrouped []uuid.UUID `json:"regrouped,omitempty"`
}

// live is the update of an event in JSON; empty when nobody is told of it.
func (e Event[P]) live(payload []byte) (string, error) {
	if e.Live == nil {
		return "", nil
	}
	var p P
	if err := json.Unmarshal(payload, &p); err != nil {
		return "", fmt.Errorf("payload of %s: %w", e.Name, err)
	}
	update := e.Live(p)
	update.Type = e.Name
	raw, err := json.Marshal(update)
	if err != nil {
		return "", fmt.Errorf("update of %s: %w", e.Name, err)
	}
	return string(raw), nil
}

// LiveTypes are the types of all updates there are.
func LiveTypes() []string {
	var types []string
	for _, d := range Catalogue() {
		if d.isLive() {
			types = append(types, d.name())
		}
	}
	return types
}

func (e Event[P]) isLive() bool { return e.Live != nil }

// liveMember is about a person's own things.
func liveMember(user, subject uuid.UUID, version int) Update {
	return Update{UserIDs: []uuid.UUID{user}, Subject: subject, Version: version}
}

func liveHome(h Home) Update {
	return Update{ResidenceIDs: []uuid.UUID{h.ID}, Subject: h.ID, Version: h.Version, ActorID: h.ActorID}
}

// liveMembersHome is about a residence that is new or gone: its members are named, for what they saw does not say it.
func liveMembersHome(h Home) Update {
	update := liveHome(h)
	update.UserIDs, update.Regrouped = h.MemberIDs, h.MemberIDs
	return update
}

func liveMembership(m Membership) Update {
	update := Update{
		ResidenceIDs: []uuid.UUID{m.ResidenceID}, UserIDs: []uuid.UUID{m.UserID}, Subject: m.ResidenceID, Change: m.Change, ActorID: m.ActorID,
	}
	if slices.Contains([]string{"joined", "left", "removed"}, m.Change) { // another role sees the same
		update.Regrouped = update.UserIDs
	}
	return update
}

func liveTask(t TaskRef) Update {
	return Update{ResidenceIDs: liveMoved(t.ResidenceID, t.PreviousResidenceID), Subject: t.ID, Version: t.Version, ActorID: t.ActorID}
}

// liveCompletion is about its task, whose version grows with it.
func liveCompletion(c Completion) Update {
	update := liveTask(c.Task)
	update.Version = c.Version
	return update
}

// liveMoved are where something is, and where it was if it has moved: there it is missed now.
func liveMoved(residence, previous uuid.UUID) []uuid.UUID {
	if previous == uuid.Nil {
		return []uuid.UUID{residence}
	}
	return []uuid.UUID{residence, previous}
}

// liveContractor tells of a favourite whose it is, of a personal one who made it, and of a shared one who sees it.
func liveContractor(c Contractor) Update {
	update := Update{Subject: c.ID, Version: c.Version, Change: c.Change, ActorID: c.ActorID}
	if c.Change == "favorite" {
		update.UserIDs = []uuid.UUID{c.ActorID}
		return update
	}
	update.ResidenceIDs = c.ResidenceIDs
	if c.ResidenceID == nil {
		update.UserIDs = []uuid.UUID{c.CreatedBy}
	}
	return update
}
