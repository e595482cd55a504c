package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/redisx"
)

const (
	liveBlock  = 2 * time.Second // Redis waits so long for an entry
	livePage   = 500
	liveReplay = 2000 // entries between what a client has heard and now; beyond that, to ask for everything costs less
	livePause  = 100 * time.Millisecond
)

// liveEntry is one entry of the stream.
type liveEntry struct {
	id     liveID
	begin  bool // nobody knows what was before
	update events.Update
}

// follow reads the stream until ctx ends, on a connection of its own: it waits in Redis.
func (b *broadcast) follow(ctx context.Context, url string) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticks.C:
				b.tick(now)
			}
		}
	}()
	rdb, err := redisx.Open(url, 1, b.tel)
	if err != nil {
		b.log.ErrorContext(ctx, "no live updates", "error", err)
		return
	}
	defer func() { _ = rdb.Close() }()
	defer context.AfterFunc(ctx, func() { _ = rdb.Close() })() // a stop does not wait for the next entry
	for ctx.Err() == nil {
		err := b.read(ctx, rdb)
		b.breaks()
		if ctx.Err() != nil {
			return
		}
		b.log.WarnContext(ctx, "live updates are interrupted", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(livePause):
		}
	}
}

// read hands on what comes, until something fails.
func (b *broadcast) read(ctx context.Context, rdb redis.UniversalClient) error {
	at, err := b.end(ctx)
	if err != nil {
		return err
	}
	b.begins(at)
	for {
		entries, err := next(ctx, rdb, at)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			b.deliver(entries)
			at = entries[len(entries)-1].id
			continue
		}
		// A stream that is new, of a Redis whose clock is behind the old one's, would be waited for in vain.
		end, err := b.end(ctx)
		if err != nil {
			return err
		}
		if end.compare(at) < 0 {
			return errors.New("the stream has begun anew, before where it was")
		}
	}
}

// end answers the last entry of the stream, which begins if it was not there.
func (b *broadcast) end(ctx context.Context) (liveID, error) {
	ctx, cancel := context.WithTimeout(ctx, liveOpenTime)
	defer cancel()
	text, err := b.cache.Announce(ctx)
	if err != nil {
		return liveID{}, err // says what it is
	}
	at, ok := parseLiveID(text)
	if !ok {
		return liveID{}, fmt.Errorf("live updates: %q is no entry", text)
	}
	return at, nil
}

// next waits for what comes after an entry; nothing when nothing came in time.
func next(ctx context.Context, rdb redis.UniversalClient, at liveID) ([]liveEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, liveBlock+time.Second)
	defer cancel()
	streams, err := rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{cache.LiveKey, at.String()}, Count: livePage, Block: liveBlock}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("live updates: %w", err)
	}
	var entries []liveEntry
	for _, stream := range streams {
		entries = append(entries, readEntries(stream.Messages)...)
	}
	return entries, nil
}

// resumable is the entry that a client has heard last; none when it is none of ours, which is as one that is too old. One
// that this gateway has not come to yet was heard at another, if it is there.
func (b *broadcast) resumable(ctx context.Context, text string, known place) (liveID, error) {
	id, ok := parseLiveID(text)
	if !ok {
		return liveID{}, nil
	}
	if id.compare(known.id) <= 0 {
		return id, nil // looked for when it is read from
	}
	if there, err := b.there(ctx, id); err != nil || !there {
		return liveID{}, err
	}
	return id, nil
}

// there reports whether the stream has the entry. To ask for that alone costs next to nothing; all that came after an id
// that is none, or is too old, would be read in vain.
func (b *broadcast) there(ctx context.Context, id liveID) (bool, error) {
	messages, err := b.rdb.XRangeN(ctx, cache.LiveKey, id.String(), id.String(), 1).Result()
	if err != nil {
		return false, fmt.Errorf("heard live updates: %w", err)
	}
	return len(messages) > 0, nil
}

// since answers what came after an entry until another, and whether it is all: not when the first is there no longer, or
// is too far back.
func (b *broadcast) since(ctx context.Context, from, until liveID) (missed []liveEntry, whole bool, err error) {
	if from == (liveID{}) {
		return nil, false, nil
	}
	if there, err := b.there(ctx, from); err != nil || !there {
		return nil, false, err
	}
	end := until
	if from.compare(until) > 0 { // heard at a gateway that is ahead of this one
		end = from
	}
	messages, err := b.rdb.XRangeN(ctx, cache.LiveKey, from.String(), end.String(), liveReplay+2).Result()
	if err != nil {
		return nil, false, fmt.Errorf("missed live updates: %w", err)
	}
	entries := readEntries(messages)
	if len(entries) == 0 || len(entries) > liveReplay+1 || entries[0].id != from {
		return nil, false, nil
	}
	missed = entries[1:]
	if slices.ContainsFunc(missed, func(e liveEntry) bool { return e.begin }) {
		return nil, false, nil
	}
	return missed, true, nil
}

// readEntries leaves out nothing: an entry that this version cannot read keeps its place, and concerns nobody.
func readEntries(messages []redis.XMessage) []liveEntry {
	entries := make([]liveEntry, 0, len(messages))
	for _, message := range messages {
		var e liveEntry
		e.id, _ = parseLiveID(message.ID) // Redis' own
		_, e.begin = message.Values[cache.LiveBegin]
		if text, ok := message.Values[cache.LiveUpdate].(string); ok && json.Unmarshal([]byte(text), &e.update) != nil {
			e.update = events.Update{}
		}
		entries = append(entries, e)
	}
	return entries
}

// concerns answers whether a subscriber is to hear of the entry, and by which of its homes; none: it is named.
func (e liveEntry) concerns(s *subscriber) (home uuid.UUID, concerned bool) {
	for _, home := range e.update.ResidenceIDs {
		if slices.Contains(s.homes, home) {
			return home, true
		}
	}
	return uuid.Nil, slices.Contains(e.update.UserIDs, s.user)
}

// LiveUpdate is an event as a client reads it.
type LiveUpdate struct {
	Type        string     `json:"type" doc:"What happened, as in the event's own field"`
	ID          *uuid.UUID `json:"id" nullable:"true" format:"uuid" doc:"Of what it is about; null: the person's own inbox or subscription"`
	ResidenceID *uuid.UUID `json:"residence_id" nullable:"true" format:"uuid" doc:"Where it is, or was; null: it is the person's own, or they see the residence only now or no longer"`
	Version     int        `json:"version" doc:"Of what it is about, after the change; 0: it has none"`
	Change      string     `json:"change,omitempty" doc:"created, changed, favorite or deleted; of members joined, left, removed, role or transferred"`
	ActorID     *uuid.UUID `json:"actor_id" nullable:"true" format:"uuid" doc:"Who did it; null: it is not told"`
}

// frame is the entry as an event for those who see the home.
func (e liveEntry) frame(home uuid.UUID) []byte {
	known := func(id uuid.UUID) *uuid.UUID {
		if id == uuid.Nil {
			return nil
		}
		return &id
	}
	u := e.update
	data, err := json.Marshal(LiveUpdate{
		Type: u.Type, ID: known(u.Subject), ResidenceID: known(home), Version: u.Version, Change: u.Change, ActorID: known(u.ActorID),
	})
	if err != nil {
		panic(fmt.Sprintf("live update %s: %v", u.Type, err)) // a type that cannot, not a value
	}
	return appendEvent(nil, e.id, u.Type, data)
}

// appendEvent writes an event. Its data has no line break: it is JSON.
func appendEvent(out []byte, id liveID, kind string, data []byte) []byte {
	out = append(append(append(out, "id: "...), id.String()...), "\nevent: "...)
	out = append(append(append(out, kind...), "\ndata: "...), data...)
	return append(out, "\n\n"...)
}
