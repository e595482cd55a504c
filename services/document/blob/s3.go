package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// attempts is how often a request without a body is sent before the storage counts as silent. What is put is read once
// and so is sent once.
const attempts = 2

// s3 keeps blobs as the objects of a bucket.
type s3 struct {
	bucket string
	core   minio.Core
	public *minio.Client // signs for the host that clients reach; it never calls anybody
}

func openS3(cfg Config, tel *telemetry.Telemetry) (*s3, error) {
	transport := newTransport(cfg.S3Patience, tel)
	client, err := newClient(cfg, "S3_ENDPOINT", cfg.S3Endpoint, transport)
	if err != nil {
		return nil, err
	}
	s := &s3{bucket: cfg.S3Bucket, core: minio.Core{Client: client}, public: client}
	if cfg.S3PublicEndpoint != "" {
		s.public, err = newClient(cfg, "S3_PUBLIC_ENDPOINT", cfg.S3PublicEndpoint, transport)
	}
	return s, err
}

func newClient(cfg Config, variable, address string, transport http.RoundTripper) (*minio.Client, error) {
	u, err := endpoint(variable, address)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupDNS
	if cfg.S3PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(cfg.S3AccessKey, cfg.S3SecretKey, ""), Secure: u.Scheme == "https", Region: cfg.S3Region,
		BucketLookup: lookup, Transport: transport, MaxRetries: attempts,
	})
	if err != nil {
		return nil, fmt.Errorf("configuration: HEARTH_%s: %w", variable, err)
	}
	return client, nil
}

// Put sends one request of a known length. The storage shows an object when it has all of it.
func (s *s3) Put(ctx context.Context, key string, from io.Reader, size int64, contentType string) error {
	if err := validate(key); err != nil {
		return err
	}
	body, err := newExactly(ctx, from, size)
	if err != nil {
		return err
	}
	_, err = s.core.Client.PutObject(ctx, s.bucket, key, body, size, minio.PutObjectOptions{
		ContentType: contentType, DisableMultipart: true,
		DisableContentSha256: size == 0, // else something is sent of nothing, and taken for the next request
	})
	if wrong := body.stop(); wrong != nil && !errors.Is(wrong, ctx.Err()) {
		return fmt.Errorf("put a blob: %w", wrong)
	}
	return translate(ctx, "put", err)
}

func (s *s3) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := validateRange(key, offset); err != nil {
		return nil, err
	}
	body, _, _, err := s.core.GetObject(ctx, s.bucket, key, rangeOf(offset, length))
	switch {
	case minio.ToErrorResponse(err).Code == minio.InvalidRange: // behind the end
		return http.NoBody, nil
	case err != nil:
		return nil, translate(ctx, "open", err)
	case length == 0:
		return answer{ctx, io.LimitReader(body, 0), body}, nil
	}
	return answer{ctx, body, body}, nil
}

// rangeOf asks for a byte where none is wanted: whether there is a blob must be known all the same.
func rangeOf(offset, length int64) minio.GetObjectOptions {
	var o minio.GetObjectOptions
	switch {
	case length >= 0:
		o.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+max(length, 1)-1))
	case offset > 0:
		o.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	return o
}

// answer is a blob on its way to us.
type answer struct {
	ctx context.Context
	io.Reader
	io.Closer
}

// Read implements io.Reader.
func (a answer) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, translate(a.ctx, "read", err)
}

func (s *s3) Delete(ctx context.Context, key string) error {
	if err := validate(key); err != nil {
		return err
	}
	return translate(ctx, "delete", s.core.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{}))
}

func (s *s3) Walk(ctx context.Context, visit func(Blob) error) error {
	for object := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Recursive: true}) {
		if object.Err != nil {
			return translate(ctx, "walk", object.Err)
		}
		if validate(object.Key) != nil {
			continue // nothing of ours
		}
		if err := visit(Blob{Key: object.Key, Size: object.Size, ModifiedAt: object.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Ping lists one object: where a look at the bucket alone is refused, the storage gives no reason.
func (s *s3) Ping(ctx context.Context) error {
	var err error
	for object := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Recursive: true, MaxKeys: 1}) {
		err = object.Err
		break
	}
	switch {
	case err == nil:
		err = ctx.Err()
	case minio.ToErrorResponse(err).Code == minio.NoSuchBucket:
		err = fmt.Errorf("there is no bucket %s in the storage: %w", s.bucket, err)
	case refused(err):
		err = fmt.Errorf("the storage does not let us into the bucket %s; are access key and secret right? %w", s.bucket, err)
	}
	return translate(ctx, "ping", err)
}

// refused reports whether the storage has answered that it will not serve us: asking again does not change that.
func refused(err error) bool {
	e, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && e.StatusCode >= http.StatusBadRequest && e.StatusCode < http.StatusInternalServerError && e.StatusCode != http.StatusTooManyRequests
}

func (s *s3) Link(ctx context.Context, key string, o LinkOptions) (string, error) {
	if err := validate(key); err != nil {
		return "", err
	}
	query := url.Values{}
	if o.ContentType != "" {
		query.Set("response-content-type", o.ContentType)
	}
	if o.Disposition != "" {
		query.Set("response-content-disposition", o.Disposition)
	}
	u, err := s.public.PresignedGetObject(ctx, s.bucket, key, o.For, query)
	if err != nil {
		return "", fmt.Errorf("link to a blob: %w", err)
	}
	return u.String(), nil
}

func (s *s3) Invite(ctx context.Context, key string, size int64, contentType string, lasting time.Duration) (Invitation, error) {
	if err := validate(key); err != nil {
		return Invitation{}, err
	}
	header := http.Header{"Content-Length": {strconv.FormatInt(size, 10)}, "Content-Type": {contentType}}
	lasting = lasting.Truncate(time.Second)
	expires := time.Now().Truncate(time.Second).Add(lasting) // as it is signed: in seconds, by the clock that the storage knows
	u, err := s.public.PresignHeader(ctx, http.MethodPut, s.bucket, key, lasting, nil, header)
	if err != nil {
		return Invitation{}, fmt.Errorf("invite a blob: %w", err)
	}
	return Invitation{Method: http.MethodPut, URL: u.String(), Header: header, ExpiresAt: expires}, nil
}

// translate makes an error of the storage's what it means. Whatever it says but that there is no such blob, a refusal of
// our access key or a missing bucket included: it cannot be used now. Who has gone away is told so.
func translate(ctx context.Context, verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case verb == "open" && minio.ToErrorResponse(err).Code == minio.NoSuchKey:
		return fmt.Errorf("open a blob: %w", ErrNotFound)
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s a blob: %w", verb, ctx.Err())
	}
	return apperr.ServiceUnavailable.Wrap(fmt.Errorf("%s a blob: %w", verb, err), "Files cannot be reached now; try again.").After(time.Second)
}
