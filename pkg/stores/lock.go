package stores

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A lock says that a living process uses a store. The kernel drops it when that process ends, however it ends:
// whoever holds the lock may take any server it still finds on the data for an orphan.
type lock struct{ file *os.File }

func takeLock(path string) (*lock, error) {
	file, err := openLock(path)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		file.Close()
		name := strings.TrimSuffix(filepath.Base(path), ".lock")
		return nil, fmt.Errorf("another run uses %s in %s: stop that run first, or use another directory", name, filepath.Dir(path))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &lock{file}, nil
}

// awaitLock waits for its turn. Package installations take turns: test binaries run side by side.
func awaitLock(path string) (*lock, error) {
	file, err := openLock(path)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &lock{file}, nil
}

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
}

// release unlocks before it closes: a program that is being started at this moment may hold a copy of the file.
func (l *lock) release() {
	if l != nil {
		_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
		l.file.Close()
	}
}
