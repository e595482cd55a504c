package stores

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A home is where the stores of one Options.Dir live.
type home struct {
	dir  string   // logs, ports and locks: Options.Dir, absolute
	data string   // data directories: dir, or its fallback where the servers' user cannot reach dir
	as   *account // the servers' user; nil for the caller's own
}

const (
	noteName    = "stores.data" // in dir: names the fallback
	belongsName = "belongs-to"  // in the fallback: names dir
	homeLock    = "stores.lock"
	fallbacks   = "/var/tmp/hearth-"
)

// openHome makes the directory where it is missing, and decides once where its data lives.
func openHome(dir string) (*home, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err = absolute(dir)
	if err != nil {
		return nil, err
	}
	h := &home{dir: dir, data: dir, as: as}
	return h, h.locked(h.settle)
}

// locked keeps two stores that start or stop in one directory from changing the home under each other.
func (h *home) locked(change func() error) error {
	turn, err := awaitLock(filepath.Join(h.dir, homeLock))
	if err != nil {
		return err
	}
	defer turn.release()
	return change()
}

// settle follows the note of an earlier run, or else looks whether the servers' user reaches dir.
func (h *home) settle() error {
	if noted := h.noted(); noted != "" {
		h.data = noted
		return nil
	}
	if h.as.reaches(h.dir) {
		return nil
	}
	h.data = fallbackOf(h.dir)
	sweepFallbacks()
	// Data there without a note belongs to a directory of this name that was deleted: deleting it meant to start anew.
	if err := discard(h.data); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(h.dir, noteName), []byte(h.data+"\n"), 0o644)
}

func (h *home) noted() string {
	text, err := os.ReadFile(filepath.Join(h.dir, noteName))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// newDir makes an empty directory for a server's data, in place of any that is there.
func (h *home) newDir(name string) (string, error) {
	path := filepath.Join(h.data, name)
	return path, h.locked(func() error {
		if err := h.makeFallback(); err != nil {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		return h.as.own(path)
	})
}

// makeFallback refuses a fallback that somebody else made first: /var/tmp is everybody's.
func (h *home) makeFallback() error {
	if h.data == h.dir {
		return nil
	}
	if err := os.Mkdir(h.data, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(h.data)
	if err != nil {
		return err
	}
	if uid, _ := ownerOf(info); !info.IsDir() || uid != os.Geteuid() {
		return fmt.Errorf("%s belongs to somebody else: remove it, or use another directory than %s", h.data, h.dir)
	}
	if err := os.Chmod(h.data, 0o755); err != nil { // whatever the umask
		return err
	}
	return os.WriteFile(filepath.Join(h.data, belongsName), []byte(h.dir+"\n"), 0o644)
}

// tidy removes the fallback once no data is left in it.
func (h *home) tidy() error {
	if h.data == h.dir {
		return nil
	}
	return h.locked(func() error {
		entries, err := os.ReadDir(h.data)
		if err != nil || len(entries) != 1 || entries[0].Name() != belongsName {
			return nil
		}
		return os.RemoveAll(h.data)
	})
}

func fallbackOf(dir string) string {
	return fmt.Sprintf("%s%x", fallbacks, sha256.Sum256([]byte(dir)))[:len(fallbacks)+16]
}

// discard ends servers that still run on a fallback's data, then removes it.
func discard(fallback string) error {
	entries, err := os.ReadDir(fallback)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := stopOrphan(filepath.Join(fallback, entry.Name())); err != nil {
			return err
		}
	}
	return os.RemoveAll(fallback)
}

// sweepFallbacks removes what tests left behind that were killed before they could stop their servers. Lasting data
// stays even if its directory is gone: the directory may be on a disk that is only not mounted.
func sweepFallbacks() {
	paths, _ := filepath.Glob(fallbacks + "*")
	for _, path := range paths {
		dir, err := os.ReadFile(filepath.Join(path, belongsName))
		if err != nil {
			continue
		}
		if _, err := os.Stat(strings.TrimSpace(string(dir))); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		lasting := false
		entries, _ := os.ReadDir(path)
		for _, entry := range entries {
			name := entry.Name()
			lasting = lasting || name != belongsName && name != npmName && !strings.Contains(name, ephemeralSuffix)
		}
		if !lasting {
			_ = discard(path)
		}
	}
}

// absolute follows symbolic links, so that one directory has one name: as PostgreSQL sees it and as /proc shows it.
func absolute(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}
