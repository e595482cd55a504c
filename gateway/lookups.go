package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/roundtrip"
)

// lookupsFresh is how long the lookup tables are given out again. The services keep theirs in the shared cache, from
// which a change drops them: so this is all that a change can be late by.
const lookupsFresh = 10 * time.Second

// StaticData are all the lookup tables.
type StaticData struct {
	ResidenceTypes []internalapi.Lookup    `json:"residence_types"`
	Categories     []internalapi.Lookup    `json:"task_categories"`
	Priorities     []internalapi.Lookup    `json:"task_priorities"`
	Frequencies    []internalapi.Frequency `json:"task_frequencies"`
	Specialties    []internalapi.Lookup    `json:"contractor_specialties"`
}

// lookups is the last answer.
type lookups struct{ last atomic.Pointer[tagged] }

// tagged is an answer with its entity tag.
type tagged struct {
	body []byte
	etag string
	at   time.Time
}

// serveLookups answers GET /api/static_data/.
func (g *Gateway) serveLookups(x *exchange) error {
	last := g.lookups.last.Load()
	if last == nil || x.start.Sub(last.at) >= lookupsFresh {
		mark := x.trips.Begin()
		// Whoever comes meanwhile waits for the same load, which therefore outlives the one who began it.
		loaded, err, _ := g.flights.Do("lookups", func() (any, error) {
			return g.loadLookups(context.WithoutCancel(x.ctx))
		})
		if err != nil {
			return err
		}
		l := loaded.(loadedLookups) // see above
		last = l.tagged
		x.trips.Add(mark, l.timing)
	}
	return answerTagged(x, last, fiber.MIMEApplicationJSON)
}

type loadedLookups struct {
	*tagged
	timing string // Server-Timing of the load, for those who waited for it
}

func (g *Gateway) loadLookups(ctx context.Context) (loaded loadedLookups, err error) {
	var all StaticData
	ctx, trips := roundtrip.With(ctx)
	err = roundtrip.Together(ctx, func(ctx context.Context) error {
		of, err := g.residence.Lookups(ctx)
		all.ResidenceTypes = of.ResidenceTypes
		return err // names the service
	}, func(ctx context.Context) error {
		of, err := g.task.Lookups(ctx)
		all.Categories, all.Priorities, all.Frequencies, all.Specialties = of.Categories, of.Priorities, of.Frequencies, of.Specialties
		return err // names the service
	})
	if err != nil {
		return loaded, fmt.Errorf("lookups: %w", err)
	}
	loaded.timing = trips.Header(0)
	raw, err := json.Marshal(all)
	if err != nil {
		return loaded, fmt.Errorf("lookups: %w", err)
	}
	loaded.tagged = &tagged{body: raw, etag: etagOf(raw), at: time.Now()}
	g.lookups.last.Store(loaded.tagged)
	return loaded, nil
}

// answerTagged answers 304 where the client has it already.
func answerTagged(x *exchange, what *tagged, contentType string) error {
	x.c.Set(fiber.HeaderETag, what.etag)
	if httpx.ETagMatches(string(x.c.Request().Header.Peek(fiber.HeaderIfNoneMatch)), what.etag) {
		x.c.Status(http.StatusNotModified)
		return nil
	}
	x.c.Set(fiber.HeaderContentType, contentType)
	x.c.Response().SetBodyRaw(what.body)
	return nil
}
