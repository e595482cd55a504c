package document

import (
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
)

// Config is what the service reads from its environment.
type Config struct{ config.Service }

// Service holds what the operations work with.
type Service struct {
	*boot.Deps
}

// New is the service, to be opened by boot.
func New(Config) boot.Service {
	return boot.Service{
		Name: events.Document, Title: "Documents, files and equipment",
		Hot: []string{},
		Register: func(d *boot.Deps) error {
			s := &Service{Deps: d}
			s.routes()
			s.listen()
			return nil
		},
	}
}
