package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"hearth.internal/pkg/apperr"
)

// drafts is the directory in which blobs are written before they are moved to their place.
const drafts = "tmp"

// draftAge is how old a draft is that nobody writes any more: what a process leaves that was killed.
const draftAge = 24 * time.Hour

// local keeps blobs as files in a directory, which only our own user may look into. The system's clock tells the age of
// drafts: it also dates them.
type local struct{ dir string }

func openLocal(dir string) (*local, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("storage directory: %w", err)
	}
	l := &local{dir: dir}
	if err := os.MkdirAll(l.path(drafts), 0o700); err != nil {
		return nil, fmt.Errorf("the storage directory cannot be used: %w", err)
	}
	return l, l.sweep()
}

func (l *local) path(name string) string { return filepath.Join(l.dir, filepath.FromSlash(name)) }

// sweep removes the drafts that were left behind.
func (l *local) sweep() error {
	entries, err := os.ReadDir(l.path(drafts))
	if err != nil {
		return fmt.Errorf("the storage directory cannot be used: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || time.Since(info.ModTime()) < draftAge {
			continue // another process has just moved or removed it, or is at it
		}
		if err := os.Remove(filepath.Join(l.path(drafts), entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove an old draft: %w", err)
		}
	}
	return nil
}

func (l *local) Put(ctx context.Context, key string, from io.Reader, size int64, _ string) error {
	if err := validate(key); err != nil {
		return err
	}
	body, err := newExactly(ctx, from, size)
	if err != nil {
		return err
	}
	draft, err := l.write(body)
	if err == nil {
		if err = l.move(draft, key); err != nil {
			_ = os.Remove(draft)
		}
	}
	if wrong := body.stop(); wrong != nil {
		return fmt.Errorf("put a blob: %w", wrong)
	}
	return l.translate("put", err)
}

// write makes a draft of all that there is to read, or none.
func (l *local) write(from io.Reader) (draft string, err error) {
	file, err := os.CreateTemp(l.path(drafts), "put-") // with mode 0600
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, from)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// move puts the draft into its place. After it, a crash of the machine takes nothing back.
func (l *local) move(draft, key string) error {
	path := l.path(key)
	switch err := os.Mkdir(filepath.Dir(path), 0o700); {
	case err == nil:
		if err := syncDirectory(l.dir); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (l *local) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := validateRange(key, offset); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	file, err := os.Open(l.path(key))
	if err != nil {
		return nil, l.translate("open", err)
	}
	if length < 0 {
		length = math.MaxInt64 - offset
	}
	return part{io.NewSectionReader(file, offset, length), file}, nil
}

// part is the section of a file, closed with it.
type part struct {
	io.Reader
	io.Closer
}

func (l *local) Delete(ctx context.Context, key string) error {
	if err := validate(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := os.Remove(l.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return l.translate("delete", err)
}

func (l *local) Walk(ctx context.Context, visit func(Blob) error) error {
	shards, err := os.ReadDir(l.dir)
	if err != nil {
		return l.translate("walk", err)
	}
	for _, shard := range shards {
		if !shard.IsDir() || shard.Name() == drafts {
			continue
		}
		if err := l.walkShard(ctx, shard.Name(), visit); err != nil {
			return err
		}
	}
	return nil
}

func (l *local) walkShard(ctx context.Context, shard string, visit func(Blob) error) error {
	entries, err := os.ReadDir(l.path(shard))
	if err != nil {
		return l.translate("walk", err)
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := shard + "/" + entry.Name()
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) || validate(key) != nil || err == nil && !info.Mode().IsRegular() {
			continue // removed since, or nothing of ours
		}
		if err != nil {
			return l.translate("walk", err)
		}
		if err := visit(Blob{Key: key, Size: info.Size(), ModifiedAt: info.ModTime()}); err != nil {
			return err
		}
	}
	return nil
}

// Ping writes a file: a disk that has become read-only can still be looked at.
func (l *local) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	file, err := os.CreateTemp(l.path(drafts), "ping-")
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(file.Name()))
	}
	return l.translate("ping", err)
}

func (l *local) Link(context.Context, string, LinkOptions) (string, error) { return "", ErrUnsupported }

func (l *local) Invite(context.Context, string, int64, string, time.Duration) (Invitation, error) {
	return Invitation{}, ErrUnsupported
}

// translate makes a directory that is not there, full or closed to us what it is: a storage that cannot be used now.
func (l *local) translate(verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case verb == "open" && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open a blob: %w", ErrNotFound)
	}
	return apperr.ServiceUnavailable.Wrap(fmt.Errorf("%s a blob: %w", verb, err), "Files cannot be reached now; try again.").After(time.Second)
}
