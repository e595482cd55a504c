package document_test

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"sync"
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

func TestAStorageOrASpoolThatIsAwayIsNoFaultOfTheFile(t *testing.T) {
	for name, dir := range map[string]func(document.Config) string{
		"storage": func(c document.Config) string { return c.StorageDir },
		"spool":   func(c document.Config) string { return c.SpoolDir },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			file := sent(t, h.owner, "a.txt", []byte("a")).ID
			h.looked(t)
			back := takeAway(t, dir(h.cfg))
			if a := send(t, h.owner, "b.txt", []byte("b")); a.Status != 503 {
				t.Errorf("sent meanwhile: %d %s", a.Status, a.Body)
			}
			_, err := pg.Exec(t.Context(), h.DB, `UPDATE uploads SET work = 'todo', work_tries = 4, work_at = '-infinity' WHERE id = @id::uuid`, pgx.NamedArgs{"id": file})
			if err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "it was tried, and no try is lost", func() bool {
				return h.count(t, `SELECT count(*)::int FROM uploads WHERE id = @id::uuid AND work = 'todo' AND work_tries = 4 AND work_at <> '-infinity'`, file) == 1
			})
			back()
			h.Clock.Advance(time.Hour)
			testkit.Eventually(t, "it is done once it is back", func() bool {
				return h.count(t, `SELECT count(*)::int FROM uploads WHERE id = @id::uuid AND work = 'done'`, file) == 1
			})
		})
	}
}

// takeAway puts a file in the place of a directory, until back.
func takeAway(t *testing.T, dir string) (back func()) {
	t.Helper()
	if err := errors.Join(os.Rename(dir, dir+".away"), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); err != nil {
			t.Fatal(err)
		}
	}
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

// Everything that locks documents, claims, uploads and blobs, at the same time: who has to wait gets through.
func TestManyAtOnceDoNotWaitForEachOther(t *testing.T) {
	h := open(t)
	var files []uuid.UUID
	for i := range 6 {
		files = append(files, sent(t, h.owner, "a.jpg", samples.Allowed()[0].Body).ID)
		h.paper(t, h.home, files[i]) // so that none is collected
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[string]int{}
	note := func(what string, a testkit.Answer) {
		mu.Lock()
		defer mu.Unlock()
		statuses[what+" "+strconv.Itoa(a.Status)]++
		if a.Status >= 500 {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	do := func(n int, work func(i int)) {
		for g := range n {
			all.Go(func() {
				for i := range 12 {
					work(g*12 + i)
				}
			})
		}
	}
	some := func(i int) []uuid.UUID { return []uuid.UUID{files[i%6], files[(i*5+1)%6]} }
	images := func(i int) []uuid.UUID { return slices.Compact(some(i)) }
	do(8, func(i int) {
		a := h.owner.For(t).Call("POST", "/api/documents/", doc{"residence_id": h.home, "title": "x", "document_type": "manual", "upload_id": files[i%6], "image_ids": images(i)})
		note("add", a)
		if a.Status != 201 {
			return
		}
		id := testkit.JSON[document.Document](t, a).ID
		note("change", h.member.For(t).Call("PATCH", path("documents", id), doc{"upload_id": files[(i+1)%6], "image_ids": images(i + 3)}))
		note("delete", h.owner.For(t).Call("DELETE", path("documents", id), nil))
	})
	do(4, func(i int) {
		a := h.owner.For(t).Call("POST", "/api/equipment/", doc{"residence_id": h.home, "name": "x", "category": "other", "upload_ids": images(i)})
		note("add equipment", a)
		if a.Status == 201 {
			note("delete equipment", h.owner.For(t).Call("DELETE", path("equipment", testkit.JSON[document.Equipment](t, a).ID), nil))
		}
	})
	do(4, func(i int) {
		a := send(t, h.owner, "b.txt", []byte("text "+strconv.Itoa(i)))
		note("send", a)
		id := testkit.JSON[document.Upload](t, a).ID
		note("name", h.owner.For(t).Call("POST", "/api/documents/", doc{"residence_id": h.home, "title": "x", "document_type": "manual", "upload_id": id}))
		note("delete file", h.owner.For(t).Call("DELETE", path("uploads", id), nil))
	})
	do(3, func(i int) {
		_, err := pg.Exec(t.Context(), h.DB, `UPDATE uploads SET work = 'todo', work_at = '-infinity', work_tries = 0 WHERE id = @id::uuid`, pgx.NamedArgs{"id": files[i%6]})
		if err != nil {
			t.Errorf("look again: %v", err)
		}
	})
	do(3, func(i int) { testkit.Deliver(t, h.Service, events.TaskCompleted, h.did(newID(), some(i)...)) })
	do(2, func(i int) {
		home := newID()
		h.paper(t, home, files[i%6])
		h.paper(t, home, files[(i+1)%6])
		testkit.Deliver(t, h.Service, events.ResidenceDeleted, events.Home{ID: home})
	})
	all.Wait()
	t.Log(statuses)
	h.looked(t)
	if f := h.check(t); !f.Sound() {
		t.Errorf("%+v", f)
	}
	if n := h.count(t, `SELECT count(*)::int FROM uploads u WHERE @id::uuid IS NOT NULL AND (u.unclaimed_at IS NULL) <> EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id)`, files[0]); n != 0 {
		t.Errorf("%d uploads count as unused and are used, or the reverse", n)
	}
}
