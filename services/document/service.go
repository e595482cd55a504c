package document

import (
	"context"

	"hearth.internal/document/blob"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
)

// Config is what the service reads from its environment.
type Config struct {
	config.Service
	blob.Config
}

// Service holds what the operations work with.
type Service struct {
	*boot.Deps
	blobs blob.Store
}

// New is the service, to be opened by boot.
func New(cfg Config) boot.Service {
	return boot.Service{
		Name: events.Document, Title: "Documents, files and equipment",
		Hot: []string{},
		Register: func(d *boot.Deps) error {
			blobs, err := blob.Open(context.Background(), cfg.Config, d.Tel)
			if err != nil {
				return err
			}
			d.Storage = blobs.Ping
			s := &Service{Deps: d, blobs: blobs}
			s.routes()
			s.listen()
			return nil
		},
	}
}
