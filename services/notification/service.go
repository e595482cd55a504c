package notification

import (
	"context"
	"io"
	"sync"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/seal"
)

// Config is what the service reads from its environment.
type Config struct {
	config.Service
	SealPrivateKey seal.PrivateKey `env:"SEAL_PRIVATE_KEY,required,notEmpty" secret:"true" doc:"Base64 key of 32 bytes that opens the codes which auth seals with its public half"`
}

// Service tells people what concerns them.
type Service struct {
	*boot.Deps
	key      seal.PrivateKey
	terminal io.Writer     // the transport; nil: none
	nudged   chan struct{} // a message waits
}

// Option changes how messages go out.
type Option func(*Service)

// WithTerminal writes messages to w, codes and all: for development, where no mail leaves the machine.
func WithTerminal(w io.Writer) Option { return func(s *Service) { s.terminal = w } }

// New describes the service to boot.
func New(cfg Config, options ...Option) boot.Service {
	s := &Service{key: cfg.SealPrivateKey, nudged: make(chan struct{}, 1)}
	for _, option := range options {
		option(s)
	}
	return boot.Service{
		Name: events.Notification, Title: "Notifications", Background: s.background,
		Register: func(d *boot.Deps) error {
			s.Deps = d
			s.listen()
			return nil
		},
	}
}

// background sends what waits, and forgets what was sent or expired long ago: it names people and their addresses.
func (s *Service) background(ctx context.Context, d *boot.Deps) error {
	var both sync.WaitGroup
	both.Go(func() { s.sendMessages(ctx) })
	both.Go(func() {
		d.Every(ctx, forgetEvery, "old messages stay until the next look", func(ctx context.Context) error {
			return forgetMessages(ctx, d.DB, d.Clock.Now().Add(-keepMessages))
		})
	})
	both.Wait()
	return nil
}
