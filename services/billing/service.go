package billing

import (
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
)

// Config is what the service reads from its environment.
type Config struct{ config.Service }

// Service answers for subscriptions.
type Service struct{ *boot.Deps }

// New describes the service to boot. Config belongs to the environment alone: boot hands it back in Deps.
func New(Config) boot.Service {
	return boot.Service{Name: events.Billing, Title: "Billing", Register: func(d *boot.Deps) error {
		s := &Service{Deps: d}
		s.listen()
		return nil
	}}
}
