package document_test

import (
	"bytes"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"hearth.internal/pkg/testkit"
)

func TestNobodyKeepsTheOthersOutWithSlowFiles(t *testing.T) {
	h := open(t)
	body, contentType := form(t, "notes.txt", bytes.Repeat([]byte("slow\n"), 1000))
	hold := make(chan struct{})
	var slow sync.WaitGroup
	for range 8 {
		slow.Go(func() {
			reader, writer := io.Pipe()
			go func() {
				_, _ = writer.Write(body[:1000])
				<-hold
				_, err := writer.Write(body[1000:])
				_ = writer.CloseWithError(err)
			}()
			if a := h.owner.Call("POST", "/api/uploads/", reader, "Content-Type", contentType); a.Status != 201 {
				t.Errorf("a slow file: %d %s", a.Status, a.Body)
			}
		})
	}
	testkit.Eventually(t, "eight are coming in", func() bool {
		coming, _ := filepath.Glob(filepath.Join(h.cfg.SpoolDir, "hearth-file-*"))
		return len(coming) == 8
	})
	testkit.Eventually(t, "the ninth of the same person is put off", func() bool {
		a := send(t, h.owner, "more.txt", []byte("more"))
		return a.Status == 429 && a.Code() == "rate_limited" && a.Header.Get("Retry-After") != ""
	})
	sent(t, h.member, "theirs.txt", []byte("others are not kept out"))
	close(hold)
	slow.Wait()
	sent(t, h.owner, "after.txt", []byte("after"))
}
