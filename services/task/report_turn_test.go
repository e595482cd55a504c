package task

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
)

// reporter is a service of its own on running stores, and somebody who sees a residence.
func reporter(t *testing.T) (*Service, *testkit.Documents, identity.Actor, ReportOrder) {
	t.Helper()
	homes, documents := testkit.NewHomes(t), testkit.NewDocuments(t)
	cfg := testkit.Config(t, "task")
	cfg.ResidenceURL = homes.URL
	deps := testkit.Run(t, cfg, New(Config{cfg})).Deps
	s := &Service{Deps: deps, reports: make(chan struct{}, reportsAtOnce), documents: deps.Calls.Document(documents.URL)}
	actor, home := identity.Actor{Kind: identity.Person, UserID: uuid.New()}, uuid.New()
	homes.Give(actor.UserID, internalapi.Home{ID: home, OwnerID: actor.UserID, Role: "owner", Timezone: "UTC", Currency: "EUR"})
	return s, documents, actor, ReportOrder{Kind: historyReport, ResidenceID: home}
}

func TestOnlySoManyReportsAreMadeAtOnce(t *testing.T) {
	s, _, actor, order := reporter(t)
	for range reportsAtOnce {
		s.reports <- struct{}{}
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.reportTurn(late)
	var e *apperr.Error
	if !errors.As(err, &e) || e.Code != apperr.ServiceUnavailable || e.RetryAfter != busyAgain {
		t.Errorf("who waits in vain gets %v", err)
	}

	made := make(chan error)
	go func() {
		_, err := s.MakeReport(t.Context(), actor, order)
		made <- err
	}()
	<-s.reports // one is done
	if err := <-made; err != nil {
		t.Errorf("who gets a turn gets %v", err)
	}
	if len(s.reports) != reportsAtOnce-1 {
		t.Errorf("%d are being made", len(s.reports))
	}
}

// done is a completion of a task of its own, with photos.
func (o ReportOrder) done(t testing.TB, s *Service, actor identity.Actor, uploads ...uuid.UUID) {
	t.Helper()
	if _, err := s.DB.Exec(t.Context(), `
		WITH t AS (
			INSERT INTO tasks (id, residence_id, title, created_by_id, created_at, updated_at) VALUES (gen_random_uuid(), $1, 'Roof', $2, now(), now()) RETURNING id)
		INSERT INTO completions (id, task_id, residence_id, completed_at, completed_by_id, upload_ids, created_at, updated_at)
		SELECT gen_random_uuid(), t.id, $1, timestamptz '2026-03-01', $2, $3, now(), now() FROM t`, o.ResidenceID, actor.UserID, append([]uuid.UUID{}, uploads...)); err != nil {
		t.Fatal(err)
	}
}

func landscape(t testing.TB, wide, high, seed int) []byte {
	t.Helper()
	picture := image.NewNRGBA(image.Rect(0, 0, wide, high))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(i*(seed+3)/wide | 3)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAReportShowsItsPhotos(t *testing.T) {
	s, documents, actor, order := reporter(t)
	var uploads []uuid.UUID
	for i := range 20 {
		upload := uuid.New()
		if i%4 != 1 { // those are not there
			documents.Hold(upload, landscape(t, 40, 30, i))
		}
		uploads = append(uploads, upload)
	}
	broken := uuid.New()
	documents.Hold(broken, landscape(t, 40, 30, 1)[:100])
	order.done(t, s, actor)
	order.done(t, s, actor, uploads[:10]...) // of ten, six are shown, one of which is not there
	order.done(t, s, actor, append(uploads[10:14:14], broken)...)
	order.done(t, s, actor, uploads[14:]...)
	for _, order.Kind = range []string{historyReport, tasksReport} {
		made, err := s.MakeReport(t.Context(), actor, order)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(made.PDF, []byte("/Subtype /Image")); n != 4+3+5 {
			t.Errorf("%s: %d photos", order.Kind, n)
		}
	}

	documents.Break(true)
	order.Kind = tasksReport
	made, err := s.MakeReport(t.Context(), actor, order)
	if err != nil || bytes.Contains(made.PDF, []byte("/Subtype /Image")) {
		t.Errorf("without document: %v", err)
	}
	order.Kind = historyReport
	if _, err := s.MakeReport(t.Context(), actor, order); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("a history without its papers: %v", err)
	}
}

func TestPhotosOfAReportComeWhileItIsDrawn(t *testing.T) {
	s, documents, actor, order := reporter(t)
	photo := landscape(t, 320, 240, 1)
	const shown = 120
	for range shown / 6 {
		uploads := make([]uuid.UUID, 6)
		for k := range uploads {
			uploads[k] = uuid.New()
			documents.Hold(uploads[k], photo)
		}
		order.done(t, s, actor, uploads...)
	}
	documents.Delay(20 * time.Millisecond) // and none waits for another
	begun := time.Now()
	ctx, trips := roundtrip.With(t.Context())
	made, err := s.MakeReport(ctx, actor, order)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d photos of %d KiB in %v, %d round trips of %d in series, %d KiB", shown, len(photo)>>10, time.Since(begun).Round(time.Millisecond),
		trips.Series(roundtrip.DB), trips.Total(roundtrip.DB), len(made.PDF)>>10)
	if got := trips.Series(roundtrip.DB); got > 2+shown/photosAhead {
		t.Errorf("%d round trips in series", got)
	}
	if most := documents.AtOnce(); most < 2 || most > 2*photosAhead {
		t.Errorf("%d photos were asked for at once", most)
	}
}
