package stores

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Remove deletes everything that the stores of this directory left behind, wherever it is, and the directory itself
// once it is empty. It refuses while a server of the directory is in use. What other programs put into dir stays.
func Remove(dir string) error {
	dir, err := absolute(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	release, err := lockStores(dir)
	defer release()
	if err != nil {
		return err
	}
	h := &home{dir: dir}
	if noted := h.noted(); noted != "" {
		if err := discard(noted); err != nil {
			return err
		}
	}
	if err := removeOurs(dir); err != nil {
		return err
	}
	_ = os.Remove(dir) // not empty: somebody else's files are in it
	return nil
}

// lockStores makes sure that no store of the directory is in use.
func lockStores(dir string) (release func(), err error) {
	var held []*lock
	release = func() {
		for _, l := range held {
			l.release()
		}
	}
	for _, path := range matches(dir, "postgres.lock", "redis-*.lock") {
		l, err := takeLock(path)
		if err != nil {
			return release, err
		}
		held = append(held, l)
	}
	return release, nil
}

func removeOurs(dir string) error {
	for _, path := range matches(dir, "pg[0-9]*", "redis-*", "postgres.*", "npm", "stores.*") {
		if err := stopOrphan(path); err != nil {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// matches is filepath.Glob for a directory whose own name may hold glob characters.
func matches(dir string, patterns ...string) []string {
	entries, _ := os.ReadDir(dir)
	var paths []string
	for _, entry := range entries {
		for _, pattern := range patterns {
			if ok, _ := filepath.Match(pattern, entry.Name()); ok {
				paths = append(paths, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return paths
}
