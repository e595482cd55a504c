package document

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"hearth.internal/document/blob"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
)

// Finding is what Check says of the storage and the table of uploads beside each other.
type Finding struct {
	Uploads     int      `json:"uploads"`
	Blobs       int      `json:"blobs"`
	Bytes       int64    `json:"bytes"`
	Waiting     int      `json:"waiting"`      // blobs that the collector will delete
	OrphanBlobs []string `json:"orphan_blobs"` // nobody knows of them
	LostBlobs   []string `json:"lost_blobs"`   // an upload names them, and they are not there
	Altered     []string `json:"altered"`      // not the bytes that were stored; looked for when asked to
	LooseClaims int      `json:"loose_claims"` // of documents and equipment that are not there
}

// Sound reports whether nothing is lost, left over or altered.
func (f Finding) Sound() bool {
	return len(f.OrphanBlobs)+len(f.LostBlobs)+len(f.Altered)+f.LooseClaims == 0
}

const (
	// knownSQL are the keys that the tables name, in one snapshot.
	knownSQL = `
SELECT k.key, u.state = 'stored' AS expected, false AS loose, k.sha256 FROM uploads u
CROSS JOIN LATERAL (VALUES (u.blob_key, u.sha256), (u.thumb_key, NULL), (u.preview_key, NULL)) AS k(key, sha256)
WHERE k.key IS NOT NULL
UNION ALL
SELECT key, false, true, NULL FROM loose_blobs`

	looseClaimsSQL = `
SELECT count(*) FROM claims c
WHERE c.kind = 'document' AND NOT EXISTS (SELECT FROM documents d WHERE d.id = c.subject_id)
	OR c.kind = 'equipment' AND NOT EXISTS (SELECT FROM equipment e WHERE e.id = c.subject_id)`
)

type knownBlob struct {
	Key      string
	Expected bool // an upload needs it
	Loose    bool
	SHA256   []byte `db:"sha256"`
}

// Check compares the storage with the tables, while the service runs or not. With deep it reads every file and compares
// its SHA-256.
func Check(ctx context.Context, db pg.Querier, store blob.Store, deep bool) (Finding, error) {
	f := Finding{OrphanBlobs: []string{}, LostBlobs: []string{}, Altered: []string{}}
	there := map[string]bool{} // blobs, and whether something names them
	err := store.Walk(ctx, func(b blob.Blob) error {
		there[b.Key] = false
		f.Blobs++
		f.Bytes += b.Size
		return nil
	})
	if err != nil {
		return f, fmt.Errorf("walk the storage: %w", err)
	}
	// Read after the storage: a key is reserved before anything is stored under it.
	known, err := pg.All[knownBlob](ctx, db, knownSQL, nil)
	if err != nil {
		return f, fmt.Errorf("uploads: %w", err)
	}
	for _, k := range known {
		_, found := there[k.Key]
		if found {
			there[k.Key] = true
		}
		if found && k.Loose {
			f.Waiting++
		}
		if err := f.examine(ctx, store, k, found, deep); err != nil {
			return f, err
		}
	}
	for key, named := range there {
		if named {
			continue
		}
		if left, _, err := sumAt(ctx, store, key, 1); err != nil {
			return f, err
		} else if left { // and was not collected meanwhile
			f.OrphanBlobs = append(f.OrphanBlobs, key)
		}
	}
	if f.Uploads, _, err = pg.Scalar[int](ctx, db, `SELECT count(*)::int FROM uploads`, nil); err != nil {
		return f, fmt.Errorf("uploads: %w", err)
	}
	if f.LooseClaims, _, err = pg.Scalar[int](ctx, db, looseClaimsSQL, nil); err != nil {
		return f, fmt.Errorf("claims: %w", err)
	}
	return f, nil
}

// examine looks for what an upload needs: where the walk has not met it, it may have come since.
func (f *Finding) examine(ctx context.Context, store blob.Store, k knownBlob, found, deep bool) error {
	if !k.Expected || found && !deep {
		return nil
	}
	length := int64(1)
	if deep {
		length = -1
	}
	found, sum, err := sumAt(ctx, store, k.Key, length)
	switch {
	case err != nil:
		return err
	case !found:
		f.LostBlobs = append(f.LostBlobs, k.Key)
	case deep && k.SHA256 != nil && !bytes.Equal(sum, k.SHA256):
		f.Altered = append(f.Altered, k.Key)
	}
	return nil
}

// sumAt is the SHA-256 of so many bytes of a blob, and whether it is there.
func sumAt(ctx context.Context, store blob.Store, key string, length int64) (found bool, sum []byte, err error) {
	body, err := store.Open(ctx, key, 0, length)
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("open %s: %w", key, err)
	}
	defer func() { _ = body.Close() }() // only read
	sum, err = copySum(io.Discard, body)
	return true, sum, err
}

// RunCheck is what `document check` does: it writes what Check finds, as JSON, and fails when that is not sound.
func RunCheck(ctx context.Context, cfg Config, deep bool, out io.Writer) error {
	tel, err := telemetry.New(ctx, telemetry.Config{Service: "document-check", Out: io.Discard})
	if err != nil {
		return err
	}
	defer func() { _ = tel.Close(context.WithoutCancel(ctx)) }() // it sends nothing
	db, err := pg.Open(ctx, pg.Config{URL: cfg.DatabaseURL, Pool: 1}, tel)
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := blob.Open(ctx, cfg.Config, tel)
	if err != nil {
		return err
	}
	found, err := Check(ctx, db, store, deep)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	lines.SetIndent("", "  ")
	if err := lines.Encode(found); err != nil {
		return fmt.Errorf("write what was found: %w", err)
	}
	if !found.Sound() {
		return errors.New("the storage and the database do not agree")
	}
	return nil
}
