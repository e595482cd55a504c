package blob_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth.internal/document/blob"
	"hearth.internal/pkg/telemetry"
	"hearth.internal/pkg/testkit"
)

// victimVariable hands a storage to the process that is killed in the middle of a put.
const victimVariable = "BLOB_TEST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(victimVariable) != "" {
		beVictim()
	}
	testkit.Main(m)
}

// both are the two kinds of storage: every test of behaviour runs on each.
func both(t *testing.T, test func(t *testing.T, cfg blob.Config, s blob.Store)) {
	for name, config := range map[string]func(testing.TB) blob.Config{"directory": inDirectory, "S3": inS3} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			test(t, cfg, open(t, cfg))
		})
	}
}

func inDirectory(t testing.TB) blob.Config {
	return blob.Config{StorageDir: filepath.Join(t.TempDir(), "files")}
}

func inS3(t testing.TB) blob.Config {
	b := testkit.S3(t)
	return blob.Config{
		S3Endpoint: b.Endpoint, S3Region: b.Region, S3Bucket: b.Name, S3AccessKey: b.AccessKey, S3SecretKey: b.SecretKey,
		S3PathStyle: true, S3Patience: 5 * time.Second,
	}
}

func quiet(t testing.TB) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func open(t testing.TB, cfg blob.Config) blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), cfg, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s blob.Store, content string) (key string) {
	t.Helper()
	key = blob.NewKey()
	if err := s.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), "text/plain"); err != nil {
		t.Fatal(err)
	}
	return key
}

func get(t testing.TB, s blob.Store, key string, offset, length int64) string {
	t.Helper()
	body, err := s.Open(t.Context(), key, offset, length)
	if err != nil {
		t.Fatalf("open %s from %d, %d bytes: %v", key, offset, length, err)
	}
	content, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func walk(t testing.TB, s blob.Store) map[string]blob.Blob {
	t.Helper()
	all := map[string]blob.Blob{}
	if err := s.Walk(t.Context(), func(b blob.Blob) error { all[b.Key] = b; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// empty also looks for what was left half done.
func empty(t testing.TB, cfg blob.Config, s blob.Store) {
	t.Helper()
	if all := walk(t, s); len(all) != 0 {
		t.Errorf("it keeps %v", all)
	}
	if files := drafts(t, cfg); len(files) != 0 {
		t.Errorf("drafts stay behind: %v", files)
	}
}

func drafts(t testing.TB, cfg blob.Config) []string {
	t.Helper()
	if cfg.StorageDir == "" {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(cfg.StorageDir, "tmp", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWhatIsPutIsThere(t *testing.T) {
	both(t, func(t *testing.T, _ blob.Config, s blob.Store) {
		for _, content := range []string{"", "a", "0123456789", strings.Repeat("hearth ", 100_000)} {
			if got := get(t, s, put(t, s, content), 0, -1); got != content {
				t.Errorf("of %d bytes %d came back", len(content), len(got))
			}
		}
		key := put(t, s, "old and longer")
		if err := s.Put(t.Context(), key, strings.NewReader("new"), 3, "text/plain"); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, key, 0, -1); got != "new" {
			t.Errorf("put again: %q", got)
		}
	})
}

func TestParts(t *testing.T) {
	both(t, func(t *testing.T, _ blob.Config, s blob.Store) {
		key, none := put(t, s, "0123456789"), put(t, s, "")
		for _, c := range []struct {
			offset, length int64
			want           string
		}{
			{0, -1, "0123456789"}, {0, 10, "0123456789"}, {0, 1, "0"}, {3, 4, "3456"}, {9, 1, "9"}, {9, -1, "9"}, {4, -1, "456789"},
			{8, 100, "89"}, {10, -1, ""}, {10, 5, ""}, {11, -1, ""}, {1 << 40, 1, ""}, {0, 0, ""}, {5, 0, ""},
		} {
			if got := get(t, s, key, c.offset, c.length); got != c.want {
				t.Errorf("from %d, %d bytes: %q, wanted %q", c.offset, c.length, got, c.want)
			}
		}
		for _, offset := range []int64{0, 1} {
			if got := get(t, s, none, offset, -1) + get(t, s, none, offset, 3); got != "" {
				t.Errorf("of nothing: %q", got)
			}
		}
		if _, err := s.Open(t.Context(), key, -1, 1); err == nil {
			t.Error("there is a byte before the first")
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	both(t, func(t *testing.T, cfg blob.Config, s blob.Store) {
		kept := put(t, s, "kept")
		key := put(t, s, "hearth")
		for range 2 {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			for _, length := range []int64{-1, 0, 3} {
				if _, err := s.Open(t.Context(), key, 0, length); !errors.Is(err, blob.ErrNotFound) {
					t.Errorf("open, %d bytes: %v", length, err)
				}
			}
		}
		if err := s.Delete(t.Context(), blob.NewKey()); err != nil {
			t.Error(err)
		}
		if get(t, s, kept, 0, -1) != "kept" {
			t.Error("another is gone too")
		}
	})
}

func TestWalk(t *testing.T) {
	both(t, func(t *testing.T, cfg blob.Config, s blob.Store) {
		empty(t, cfg, s)
		sizes := map[string]int64{}
		before := time.Now().Add(-2 * time.Second) // S3 counts whole seconds
		for i := range 20 {
			sizes[put(t, s, strings.Repeat("x", i))] = int64(i)
		}
		if cfg.StorageDir != "" { // what others leave in the directory is none of ours
			for _, stray := range []string{"README", "ab/cd", "zz/" + strings.Repeat("0", 30), "tmp/put-1"} {
				path := filepath.Join(cfg.StorageDir, stray)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
		}
		all := walk(t, s)
		if len(all) != len(sizes) {
			t.Errorf("%d blobs of %d", len(all), len(sizes))
		}
		for key, size := range sizes {
			if b := all[key]; b.Size != size || b.ModifiedAt.Before(before) || b.ModifiedAt.After(time.Now().Add(2*time.Second)) {
				t.Errorf("%s: %+v, wanted %d bytes", key, b, size)
			}
		}
		enough, seen := errors.New("enough"), 0
		if err := s.Walk(t.Context(), func(blob.Blob) error { seen++; return enough }); !errors.Is(err, enough) || seen != 1 {
			t.Errorf("stopped after %d: %v", seen, err)
		}
		for key := range all { // what a collector does
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if all := walk(t, s); len(all) != 0 {
			t.Errorf("left: %v", all)
		}
	})
}

// broken gives some bytes and then an error.
type broken struct {
	io.Reader
	err error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestAWrongReaderLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, cfg blob.Config, s blob.Store) {
		hungUp := errors.New("the phone has hung up")
		for _, size := range []int64{0, 1, 10, 1 << 20} {
			content := strings.Repeat("x", int(size))
			for name, c := range map[string]struct {
				from io.Reader
				want error
			}{
				"one more":       {strings.NewReader(content + "y"), blob.ErrSize},
				"many more":      {strings.NewReader(content + content + "y"), blob.ErrSize},
				"more, in bits":  {io.MultiReader(strings.NewReader(content), strings.NewReader("y")), blob.ErrSize},
				"broken at end":  {broken{strings.NewReader(content), hungUp}, hungUp},
				"broken off":     {broken{strings.NewReader(content[:size/2]), hungUp}, hungUp},
				"one too few":    {strings.NewReader(content[:max(size-1, 0)]), blob.ErrSize},
				"nothing at all": {strings.NewReader(""), blob.ErrSize},
			} {
				if size == 0 && (name == "one too few" || name == "nothing at all") {
					continue
				}
				if err := s.Put(t.Context(), blob.NewKey(), c.from, size, "text/plain"); !errors.Is(err, c.want) {
					t.Errorf("%s, %d bytes: %v", name, size, err)
				}
			}
		}
		if err := s.Put(t.Context(), blob.NewKey(), strings.NewReader(""), -1, "text/plain"); !errors.Is(err, blob.ErrSize) {
			t.Errorf("of unknown size: %v", err)
		}
		empty(t, cfg, s)
		key := put(t, s, "good")
		if err := s.Put(t.Context(), key, strings.NewReader("bad"), 4, "text/plain"); !errors.Is(err, blob.ErrSize) {
			t.Error(err)
		}
		if got := get(t, s, key, 0, -1); got != "good" {
			t.Errorf("a put that failed has left %q", got)
		}
	})
}

// after does something once so many bytes have been read, and goes on.
type after struct {
	io.Reader
	left int
	do   func()
}

func (a *after) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if a.left -= n; a.left <= 0 && a.do != nil {
		a.do()
		a.do = nil
	}
	return n, err
}

func TestWhoGoesAwayLeavesNothing(t *testing.T) {
	both(t, func(t *testing.T, cfg blob.Config, s blob.Store) {
		const size = 4 << 20
		ctx, cancel := context.WithCancel(t.Context())
		from := &after{Reader: io.LimitReader(rand.Reader, size), left: size / 2, do: cancel}
		if err := s.Put(ctx, blob.NewKey(), from, size, "text/plain"); !errors.Is(err, context.Canceled) {
			t.Errorf("put: %v", err)
		}
		if from.left <= -size/2 {
			t.Error("the reader was read to its end")
		}
		key := put(t, s, "there")
		for name, call := range map[string]func() error{
			"put":    func() error { return s.Put(ctx, blob.NewKey(), strings.NewReader("a"), 1, "text/plain") },
			"open":   func() error { _, err := s.Open(ctx, key, 0, -1); return err },
			"delete": func() error { return s.Delete(ctx, key) },
			"walk":   func() error { return s.Walk(ctx, func(blob.Blob) error { return nil }) },
			"ping":   func() error { return s.Ping(ctx) },
		} {
			if err := call(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		empty(t, cfg, s)
	})
}

func TestManyPutAtOnce(t *testing.T) {
	both(t, func(t *testing.T, cfg blob.Config, s blob.Store) {
		var group sync.WaitGroup
		shared, own := blob.NewKey(), make([]string, 16)
		for i := range own {
			group.Go(func() {
				content := strings.Repeat(string(rune('a'+i)), 100_000)
				own[i] = blob.NewKey()
				for _, key := range []string{own[i], shared} {
					if err := s.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), "text/plain"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		for i, key := range own {
			if got := get(t, s, key, 0, -1); got != strings.Repeat(string(rune('a'+i)), 100_000) {
				t.Errorf("%d: %d bytes, %.3q...", i, len(got), got)
			}
		}
		if got := get(t, s, shared, 0, -1); len(got) != 100_000 || got != strings.Repeat(got[:1], 100_000) {
			t.Error("what several put under one key is a mixture")
		}
		if all := walk(t, s); len(all) != len(own)+1 || len(drafts(t, cfg)) != 0 {
			t.Errorf("%d blobs, drafts %v", len(all), drafts(t, cfg))
		}
	})
}

func TestKeysThatAreNone(t *testing.T) {
	both(t, func(t *testing.T, _ blob.Config, s blob.Store) {
		for _, key := range []string{
			"", "ab", "../../etc/passwd", "ab/../../../../../../etc/passwd", "/" + blob.NewKey(), blob.NewKey() + "/", blob.NewKey() + "0",
			strings.ToUpper("ab/" + strings.Repeat("a", 30)), "tmp/" + strings.Repeat("0", 30), blob.NewKey() + "\n", "ab\x00" + strings.Repeat("0", 30),
			strings.ReplaceAll(blob.NewKey(), "/", "\\"), "ab/" + strings.Repeat("0", 28) + "..",
		} {
			for name, call := range map[string]func() error{
				"put":    func() error { return s.Put(t.Context(), key, strings.NewReader("a"), 1, "text/plain") },
				"open":   func() error { _, err := s.Open(t.Context(), key, 0, -1); return err },
				"delete": func() error { return s.Delete(t.Context(), key) },
			} {
				if err := call(); err == nil || !strings.Contains(err.Error(), "is no key") {
					t.Errorf("%s %q: %v", name, key, err)
				}
			}
		}
	})
	seen := map[string]bool{}
	for range 1000 {
		key := blob.NewKey()
		if len(key) != 33 || key[2] != '/' || seen[key] {
			t.Fatalf("key %q", key)
		}
		seen[key] = true
	}
}

// A put of 25 MiB must not hold them: what it allocates in all is a small part of that.
func TestPutHoldsLittle(t *testing.T) {
	both(t, func(t *testing.T, _ blob.Config, s blob.Store) {
		const size = 25 << 20
		content := bytes.Repeat([]byte("hearth!!"), size/8)
		put(t, s, "first") // the connection is made, the buffers of the first time are there
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		// Nothing but a reader: no Len, Seek or WriteTo that would help.
		if err := s.Put(t.Context(), blob.NewKey(), struct{ io.Reader }{bytes.NewReader(content)}, size, "text/plain"); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&now)
		allocated := now.TotalAlloc - before.TotalAlloc
		t.Logf("allocated %d KiB for %d", allocated>>10, size>>10)
		if allocated > size/5 { // S3 signs every 64 KiB
			t.Errorf("allocated %d bytes to put %d", allocated, size)
		}
		runtime.GC()
		runtime.ReadMemStats(&now)
		if now.HeapAlloc > before.HeapAlloc+1<<20 {
			t.Errorf("the heap has grown by %d bytes", now.HeapAlloc-before.HeapAlloc)
		}
	})
}

// beVictim puts half of a blob, says so and waits for its end.
func beVictim() {
	fields := strings.Split(os.Getenv(victimVariable), " ")
	cfg := blob.Config{
		StorageDir: fields[0], S3Endpoint: fields[1], S3Bucket: fields[2], S3AccessKey: fields[3], S3SecretKey: fields[4],
		S3Region: fields[5], S3PathStyle: true, S3Patience: time.Minute,
	}
	tel, err := telemetry.New(context.Background(), telemetry.Config{Service: "test", Out: io.Discard})
	if err != nil {
		panic(err)
	}
	if fields[1] == "" {
		cfg.S3Bucket, cfg.S3AccessKey, cfg.S3SecretKey = "", "", ""
	}
	s, err := blob.Open(context.Background(), cfg, tel)
	if err != nil {
		panic(err)
	}
	const size = 8 << 20
	half := io.MultiReader(io.LimitReader(rand.Reader, size/2), forever{})
	panic(s.Put(context.Background(), blob.NewKey(), half, size, "text/plain"))
}

// forever says that it is asked and then keeps its caller.
type forever struct{}

func (forever) Read([]byte) (int, error) {
	fmt.Println("half")
	select {}
}

func TestAKilledProcessLeavesNothingButADraft(t *testing.T) {
	both(t, func(t *testing.T, cfg blob.Config, s blob.Store) {
		victim := exec.Command(os.Args[0])
		victim.Env = append(os.Environ(), victimVariable+"="+strings.Join([]string{
			cfg.StorageDir, cfg.S3Endpoint, cfg.S3Bucket, cfg.S3AccessKey, cfg.S3SecretKey, cfg.S3Region,
		}, " "))
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		word := make([]byte, 4)
		if _, err := io.ReadFull(out, word); err != nil || string(word) != "half" {
			t.Errorf("it says %q: %v", word, err)
		}
		if err := victim.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = victim.Wait() // killed
		if all := walk(t, s); len(all) != 0 {
			t.Errorf("half a blob is to be seen: %v", all)
		}
		if cfg.StorageDir != "" {
			sweepDrafts(t, cfg)
		}
		empty(t, cfg, s)
	})
}

// sweepDrafts looks at what a start does with the draft that is there.
func sweepDrafts(t *testing.T, cfg blob.Config) {
	t.Helper()
	left := drafts(t, cfg)
	if len(left) != 1 {
		t.Fatalf("drafts: %v", left)
	}
	open(t, cfg) // another process may still be writing it
	if now := drafts(t, cfg); !slices.Equal(now, left) {
		t.Errorf("a young draft is gone: %v", now)
	}
	old := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(left[0], old, old); err != nil {
		t.Fatal(err)
	}
	open(t, cfg)
}

func TestFilesAreOurs(t *testing.T) {
	cfg := inDirectory(t)
	put(t, open(t, cfg), "private")
	err := filepath.WalkDir(cfg.StorageDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
