package blob

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// Config says where blobs are kept: in a directory, or in a bucket.
type Config struct {
	StorageDir       string        `env:"STORAGE_DIR" doc:"The directory that keeps the files, the same for every replica; either this or HEARTH_S3_ENDPOINT is required"`
	S3Endpoint       string        `env:"S3_ENDPOINT" doc:"URL of the S3-compatible storage that keeps the files, such as https://s3.eu-central-1.amazonaws.com"`
	S3PublicEndpoint string        `env:"S3_PUBLIC_ENDPOINT" doc:"URL at which the apps reach the storage for signed addresses; empty: the same"`
	S3Region         string        `env:"S3_REGION" envDefault:"us-east-1" doc:"The bucket's region"`
	S3Bucket         string        `env:"S3_BUCKET" doc:"The bucket, of Hearth alone; it has to be there"`
	S3AccessKey      string        `env:"S3_ACCESS_KEY" doc:"The access key's id; it needs to read, write, delete and list"`
	S3SecretKey      string        `env:"S3_SECRET_KEY" secret:"true" doc:"The access key's secret"`
	S3PathStyle      bool          `env:"S3_PATH_STYLE" envDefault:"true" doc:"The bucket's name is in the path; false: in the host's name"`
	S3Patience       time.Duration `env:"S3_PATIENCE" envDefault:"5s" doc:"How long the storage may keep silent before a request gives up"`
}

// check refuses what is not clear.
func (c Config) check() error {
	s3 := c.S3PublicEndpoint != "" || c.S3Bucket != "" || c.S3AccessKey != "" || c.S3SecretKey != ""
	switch {
	case c.StorageDir == "" && c.S3Endpoint == "" && !s3:
		return errors.New("configuration: files have to be kept somewhere: set HEARTH_STORAGE_DIR to a directory, or HEARTH_S3_ENDPOINT and its companions to a bucket")
	case c.StorageDir != "" && (c.S3Endpoint != "" || s3):
		return errors.New("configuration: HEARTH_STORAGE_DIR and HEARTH_S3_... are both set: files are kept in one of the two")
	case c.StorageDir != "":
		return nil
	case c.S3Endpoint == "" || c.S3Region == "" || c.S3Bucket == "" || c.S3AccessKey == "" || c.S3SecretKey == "":
		return errors.New("configuration: HEARTH_S3_ENDPOINT, _REGION, _BUCKET, _ACCESS_KEY and _SECRET_KEY are needed together")
	case c.S3Patience <= 0:
		return errors.New("configuration: HEARTH_S3_PATIENCE must be longer than nothing")
	}
	return nil
}

// endpoint reads an address that has nothing but a scheme and a host. The error does not repeat it: it may hold a password.
func endpoint(variable, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("configuration: HEARTH_%s must be http:// or https:// and a host, and nothing more", variable)
	}
	return u, nil
}

// Open opens the storage. It fails when that refuses us. A storage that does not answer now is no reason not to start: it
// may be back before the first file is wanted, and everything else works without it.
func Open(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (Store, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.StorageDir != "" {
		l, err := openLocal(cfg.StorageDir)
		if err != nil {
			return nil, err
		}
		return l, l.Ping(ctx)
	}
	s, err := openS3(cfg, tel)
	if err != nil {
		return nil, err
	}
	switch err := s.Ping(ctx); {
	case err == nil:
		return s, nil
	case refused(err) || !apperr.ServiceUnavailable.Has(err):
		return nil, err
	default:
		tel.Log.WarnContext(ctx, "the storage of files does not answer yet", "error", err)
		return s, nil
	}
}
