package document_test

import (
	"errors"
	"os"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/document"
	"hearth.internal/document/filetype/samples"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// meanwhile does something while somebody is adding a document that names the upload, and has not committed: it begins
// after that, and ends or waits before the commit.
func (h house) meanwhile(t *testing.T, home, upload uuid.UUID, do func()) (paper uuid.UUID) {
	t.Helper()
	tx, err := h.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }() // it has been committed, unless the test has failed
	paper = h.paperIn(t, tx, home, upload)
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	testkit.Eventually(t, "it is done, or waits", func() bool {
		select {
		case <-done:
			return true
		default:
		}
		n, _, err := pg.Scalar[int](t.Context(), h.DB, `SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`, nil)
		return err == nil && n > 0
	})
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	<-done
	return paper
}

func (h house) count(t *testing.T, sql string, id uuid.UUID) int {
	t.Helper()
	n, _, err := pg.Scalar[int](t.Context(), h.DB, sql, pgx.NamedArgs{"id": id})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const kept = `SELECT count(*)::int FROM uploads u WHERE u.id = @id::uuid AND u.unclaimed_at IS NULL AND EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id)`

func TestAnUploadIsNotDeletedWhileSomebodyNamesIt(t *testing.T) {
	h := open(t)
	file := sent(t, h.owner, "a.txt", []byte("a")).ID
	h.meanwhile(t, h.home, file, func() { h.owner.Refused(409, "impossible_move", "DELETE", path("uploads", file), nil) })
	h.member.Want(200, "GET", path("uploads", file), nil)
}

func TestAResidenceIsErasedWhileSomebodyNamesAFileElsewhere(t *testing.T) {
	h := open(t)
	file := sent(t, h.owner, "a.txt", []byte("a")).ID
	h.paper(t, h.home, file)
	h.meanwhile(t, h.elsewhere, file, func() { testkit.Deliver(t, h.Service, events.ResidenceDeleted, events.Home{ID: h.home}) })
	if h.count(t, kept, file) != 1 {
		t.Error("the file is gone, or counts as unused")
	}
	h.stranger.Want(200, "GET", path("uploads", file), nil)
}

func TestAnUploadThatOneLetsGoAndAnotherTakesIsUsed(t *testing.T) {
	h := open(t)
	file := sent(t, h.owner, "a.txt", []byte("a")).ID
	first := h.paper(t, h.home, file)
	h.meanwhile(t, h.elsewhere, file, func() { h.owner.Want(204, "DELETE", path("documents", first), nil) })
	if h.count(t, kept, file) != 1 {
		t.Error("it counts as unused")
	}
}

func TestADocumentThatIsAddedWhileItsFileIsLookedIntoIsFoundByItsWords(t *testing.T) {
	h := open(t)
	file := sent(t, h.owner, "a.txt", []byte("a")).ID
	h.looked(t)
	h.paper(t, h.home, file) // so that the second need not note that the file is used
	paper := h.meanwhile(t, h.home, file, func() {
		if _, err := pg.Exec(t.Context(), h.DB, `UPDATE uploads SET words = words_of('4711') WHERE id = @id::uuid`, pgx.NamedArgs{"id": file}); err != nil {
			t.Error(err)
		}
	})
	if h.count(t, `SELECT count(*)::int FROM documents WHERE id = @id::uuid AND words @@ to_tsquery('simple', '4711')`, paper) != 1 {
		t.Error("it is not found")
	}
}

func TestWhatComesByALateInvitationIsCollectedToo(t *testing.T) {
	h := openWith(t, onS3(t))
	file, id := samples.PDF("Late"), newID()
	said := doc{"id": id, "filename": "late.pdf", "content_type": "application/pdf", "size": len(file)}
	h.owner.Want(201, "POST", "/api/uploads/direct/", said)
	if _, err := pg.Exec(t.Context(), h.DB, `UPDATE uploads SET created_at = created_at - interval '5 hours' WHERE id = @id::uuid`, pgx.NamedArgs{"id": id}); err != nil {
		t.Fatal(err)
	}
	again := testkit.JSON[document.DirectUpload](t, h.owner.Want(200, "POST", "/api/uploads/direct/", said))
	if status := put(t, again, file); status != 200 {
		t.Fatalf("the storage answers %d", status)
	}
	h.owner.Want(200, "POST", path("uploads", id, "confirm"), nil)
	h.looked(t)
	wake(t, h)
	if status := put(t, again, file); status != 200 { // the address is good for most of an hour
		t.Fatalf("the storage answers %d", status)
	}
	if f := h.check(t); !f.Sound() {
		t.Errorf("nobody knows of what has come: %+v", f)
	}
	h.Clock.Advance(3 * time.Hour)
	wake(t, h)
	testkit.Eventually(t, "what came to the address is gone", func() bool {
		f := h.check(t)
		return f.Sound() && f.Blobs == 3
	})
}

func TestAStorageThatIsAwayIsNoFaultOfTheFile(t *testing.T) {
	h := open(t)
	file := sent(t, h.owner, "a.txt", []byte("a")).ID
	h.looked(t)
	away := h.cfg.StorageDir + ".away"
	if err := os.Rename(h.cfg.StorageDir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.cfg.StorageDir, nil, 0o600); err != nil { // so that a file is not merely missing
		t.Fatal(err)
	}
	_, err := pg.Exec(t.Context(), h.DB, `UPDATE uploads SET work = 'todo', work_tries = 4, work_at = '-infinity' WHERE id = @id::uuid`, pgx.NamedArgs{"id": file})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "it was tried, and no try is lost", func() bool {
		return h.count(t, `SELECT count(*)::int FROM uploads WHERE id = @id::uuid AND work = 'todo' AND work_tries = 4 AND work_at <> '-infinity'`, file) == 1
	})
	if err := errors.Join(os.Remove(h.cfg.StorageDir), os.Rename(away, h.cfg.StorageDir)); err != nil {
		t.Fatal(err)
	}
	h.Clock.Advance(time.Hour)
	testkit.Eventually(t, "it is done once the storage is back", func() bool {
		return h.count(t, `SELECT count(*)::int FROM uploads WHERE id = @id::uuid AND work = 'done'`, file) == 1
	})
}

func TestAStorageThatBreaksOffIsNoFaultOfTheClient(t *testing.T) {
	err := document.ReadBounded(iotest.ErrReader(apperr.ServiceUnavailable.New("Files cannot be reached now.")))
	if !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("answered as %v", err)
	}
	if err := document.ReadBounded(iotest.ErrReader(errors.New("reset"))); !apperr.MalformedRequest.Has(err) {
		t.Errorf("a client that breaks off: %v", err)
	}
}
