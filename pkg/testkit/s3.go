package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth.internal/pkg/stores"
)

// Bucket is an empty bucket in a real S3-compatible storage, which checks signatures and when they end.
type Bucket struct{ Endpoint, Region, Name, AccessKey, SecretKey string }

// Environ is the configuration of a service that keeps its files in the bucket.
func (b Bucket) Environ() []string {
	return []string{
		"HEARTH_S3_ENDPOINT=" + b.Endpoint, "HEARTH_S3_REGION=" + b.Region, "HEARTH_S3_BUCKET=" + b.Name,
		"HEARTH_S3_ACCESS_KEY=" + b.AccessKey, "HEARTH_S3_SECRET_KEY=" + b.SecretKey,
	}
}

// storage is this test process's.
var storage struct {
	once sync.Once
	err  error
	s3   *stores.S3
	stop func()
}

// S3 makes a bucket for this test. The first test of the process that asks starts the storage; Main stops it.
func S3(t testing.TB) Bucket {
	t.Helper()
	storage.once.Do(func() { storage.err = startS3() })
	if storage.err != nil {
		t.Fatalf("S3 storage for the test: %v", storage.err)
	}
	name := "test-" + strings.ToLower(rand.Text())
	if err := storage.s3.AddBucket(name); err != nil {
		t.Fatalf("test bucket: %v", err)
	}
	return Bucket{Endpoint: storage.s3.URL(), Region: "us-east-1", Name: name, AccessKey: storage.s3.Access, SecretKey: storage.s3.Secret}
}

func startS3() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // a build may be part of it
	defer cancel()
	root, err := repository()
	if err != nil {
		return err
	}
	program, err := stores.BuildS3(ctx, root, func(step string) { fmt.Fprintln(os.Stderr, "#", step) })
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hearth-s3-")
	if err != nil {
		return fmt.Errorf("directory for the storage: %w", err)
	}
	storage.s3, err = stores.StartS3(ctx, program, dir, rand.Text(), rand.Text())
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	storage.stop = func() {
		storage.s3.Stop()
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "the S3 storage stays behind:", err)
		}
	}
	return nil
}

// repository is the directory above the test's own that has the workspace in it.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("the repository's root: %w", err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.work above the test: where is the repository's root?")
}
