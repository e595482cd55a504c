package task

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

// reporter is a service of its own on running stores, and somebody who sees a residence.
func reporter(t *testing.T) (*Service, identity.Actor, ReportOrder) {
	t.Helper()
	homes := testkit.NewHomes(t)
	cfg := testkit.Config(t, "task")
	cfg.ResidenceURL = homes.URL
	s := &Service{Deps: testkit.Run(t, cfg, New(Config{cfg})).Deps, reports: make(chan struct{}, reportsAtOnce)}
	actor, home := identity.Actor{Kind: identity.Person, UserID: uuid.New()}, uuid.New()
	homes.Give(actor.UserID, internalapi.Home{ID: home, OwnerID: actor.UserID, Role: "owner", Timezone: "UTC", Currency: "EUR"})
	return s, actor, ReportOrder{Kind: historyReport, ResidenceID: home}
}

func TestOnlySoManyReportsAreMadeAtOnce(t *testing.T) {
	s, actor, order := reporter(t)
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

func TestAReportShowsThePhotosThatItIsGiven(t *testing.T) {
	s, actor, order := reporter(t)
	task, done, upload := uuid.New(), uuid.New(), uuid.New()
	for _, statement := range []string{
		`INSERT INTO tasks (id, residence_id, title, created_by_id, created_at, updated_at) VALUES ($1, $2, 'Roof', $3, now(), now())`,
		`INSERT INTO completions (id, task_id, residence_id, completed_at, completed_by_id, upload_ids, created_at, updated_at)
			VALUES ($4, $1, $2, timestamptz '2026-03-01', $3, ARRAY[$5::uuid, $4], now(), now())`,
	} {
		args := []any{task, order.ResidenceID, actor.UserID, done, upload}
		if statement[12] == 't' {
			args = args[:3]
		}
		if _, err := s.DB.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	without, err := s.MakeReport(t.Context(), actor, order)
	if err != nil {
		t.Fatal(err)
	}
	s.photo = func(_ context.Context, id uuid.UUID) (io.ReadCloser, error) {
		var b bytes.Buffer
		if id != upload {
			return nil, errors.New("gone")
		}
		return io.NopCloser(&b), png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30)))
	}
	with, err := s.MakeReport(t.Context(), actor, order)
	if err != nil {
		t.Fatal(err)
	}
	image := []byte("/Subtype /Image")
	if bytes.Count(without.PDF, image) != 0 || bytes.Count(with.PDF, image) != 1 {
		t.Errorf("%d and %d photos", bytes.Count(without.PDF, image), bytes.Count(with.PDF, image))
	}
}
