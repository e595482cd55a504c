package notification

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"hearth.internal/notification/delivery"
)

// How the senders work their table.
const (
	sendPoll   = 500 * time.Millisecond // when nobody rings
	sendBatch  = 200
	settleTime = 5 * time.Second // also at a stop: what was sent is not to be sent again

	// keepMessages is how long it stays known what became of a message: longer than its event can come again.
	keepMessages = 30 * 24 * time.Hour
	keepInboxes  = 365 * 24 * time.Hour
	keepDevices  = 30 * 24 * time.Hour // that are dead
	keepMarks    = 30 * 24 * time.Hour // of tasks that are gone
	lately       = 24 * time.Hour      // for so long it is looked for what is left of somebody who is gone
	forgetEvery  = 10 * time.Minute
)

// message is one that a sender has taken, with how things stand at that moment.
type message struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	Channel   string
	Purpose   string
	Kind      *string
	Email     string
	FirstName string
	Locale    string
	Sealed    []byte
	Data      json.RawMessage
	Tries     int
	Reclaimed bool // whoever had taken it before never said what became of it
	Trace     string
	CreatedAt time.Time
	ExpiresAt time.Time

	NotificationID *uuid.UUID
	Timezone       string
	Title, Body    string // of the notification
	Args           map[string]string
	ResidenceID    *uuid.UUID
	SubjectID      *uuid.UUID
	DeviceID       *uuid.UUID
	Token          *string
	Unread         int
	Suppress       string // why it is not to be sent any more; empty: it is
}

func (m message) kind() string {
	if m.Kind == nil {
		return ""
	}
	return *m.Kind
}

// recipient is the address that messages to which may be folded into one; the device, or the person's mailbox.
func (m message) address() uuid.UUID {
	if m.DeviceID != nil {
		return *m.DeviceID
	}
	return m.UserID
}

// foldable says whether others may be told of together with it: it is not what somebody waits for, nor the digest.
func (m message) foldable() bool { return m.Kind != nil && *m.Kind != Digest }

// parcel is what is handed to a provider at once: a message, or several that are told of in one.
type parcel struct {
	messages []message // the first stands for them all
	folded   bool
}

// backoff is how long to wait after so many tries: half a minute, then twice as long each time, an hour at most.
func backoff(tries int) time.Duration { return min(30*time.Second<<min(tries, 7), time.Hour) }

// laneBackoff is how long a lane rests after so many failures of its provider in a row.
func laneBackoff(failures int) time.Duration {
	return min(2*time.Second<<min(failures, 8), 5*time.Minute)
}

// verdict is what is written down of one message after it was handed over.
type verdict struct {
	ID         uuid.UUID
	State      string
	Reason     string
	ProviderID string
	NextAt     time.Time
	Tried      bool
}

// verdicts are what a provider's answer means for each message of a parcel.
func (p parcel) verdicts(r delivery.Result, now time.Time) []verdict {
	out := make([]verdict, len(p.messages))
	for i, m := range p.messages {
		v := verdict{ID: m.ID, Reason: r.Reason, NextAt: now, Tried: true}
		switch r.Outcome {
		case delivery.Sent:
			v.State, v.ProviderID, v.Reason = "sent", r.ID, ""
			if i > 0 {
				v.State, v.Reason = "suppressed", inOneMessage
			}
		case delivery.Later:
			v.State, v.NextAt = "pending", now.Add(max(r.After, backoff(m.Tries)))
			if r.Provider {
				v.NextAt = now.Add(r.After)
			}
		default:
			v.State = "failed"
		}
		out[i] = v
	}
	return out
}
