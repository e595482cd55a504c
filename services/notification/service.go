package notification

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hearth.internal/notification/mail"
	"hearth.internal/notification/push"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/seal"
)

// Config is what the service reads from its environment.
type Config struct {
	config.Service
	MailConfig
	PushConfig
	SealPrivateKey seal.PrivateKey `env:"SEAL_PRIVATE_KEY,required,notEmpty" secret:"true" doc:"Base64 key of 32 bytes that opens the codes which auth and residence seal with its public half"`
}

// MailConfig and PushConfig say how messages go out. A way that is not configured is not there: what would take it waits, until
// it is too late.
type (
	MailConfig = mail.Config
	PushConfig = push.Config
)

// Service tells people what concerns them.
type Service struct {
	*boot.Deps
	key      seal.PrivateKey
	terminal io.Writer  // prints mails, codes and all; nil: does not
	smtp     *mail.SMTP // nil: there is no mail server
	lanes    lanes
	tasks    internalapi.Task
	sent     *prometheus.CounterVec
	queues   queues

	publicURL      string // where people reach the gateway; empty: addresses are without it
	unsubscribeKey []byte // what links in mails are signed with
}

// Option changes how messages go out.
type Option func(*Service)

// WithTerminal prints mails to w, codes and all: for development, where no mail leaves the machine.
func WithTerminal(w io.Writer) Option { return func(s *Service) { s.terminal = w } }

// New describes the service to boot.
func New(cfg Config, options ...Option) boot.Service {
	s := &Service{key: cfg.SealPrivateKey, publicURL: cfg.PublicURL, unsubscribeKey: unsubscribeKey(cfg.SealPrivateKey), lanes: lanes{}}
	for _, option := range options {
		option(s)
	}
	return boot.Service{
		Name: events.Notification, Title: "Notifications", Background: s.background, Hot: []string{notificationsSQL, unreadSQL},
		Register: func(d *boot.Deps) error {
			s.Deps = d
			s.tasks = d.Calls.Task(cfg.TaskURL)
			s.measure(d.Tel.Registry)
			if err := s.open(cfg); err != nil {
				return err
			}
			s.listen()
			s.routes()
			return nil
		},
	}
}

// How many messages each lane hands over at a time (an HTTP/2 connection takes many, a mail server a few), and how long one
// may take.
const (
	mailWidth = 4
	pushWidth = 32
	mailTime  = 40 * time.Second
	pushTime  = 15 * time.Second
)

// open opens the ways to the providers that are configured.
func (s *Service) open(cfg Config) error {
	server, err := mail.Open(cfg.MailConfig)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	apns, err := push.OpenAPNs(cfg.APNsConfig, s.Clock, s.Tel.Tracer)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	fcm, err := push.OpenFCM(cfg.FCMConfig, s.Clock, s.Tel.Tracer)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	var letters mailer
	if server != nil {
		s.smtp, letters = server, server
	}
	if s.terminal != nil {
		letters = terminal{out: s.terminal, next: letters}
	}
	if letters != nil {
		s.lanes.open(laneMail, mailWidth, mailTime, s.mailTo(letters))
	}
	if apns != nil {
		s.lanes.open(laneAPNs, pushWidth, pushTime, s.pushTo(apns, false))
		s.lanes.open(laneAPNsSandbox, pushWidth, pushTime, s.pushTo(apns, true))
	}
	if fcm != nil {
		s.lanes.open(laneFCM, pushWidth, pushTime, s.pushTo(fcm, false))
	}
	return nil
}

const (
	expireEvery  = 2 * time.Second
	measureEvery = 15 * time.Second
)

// background sends what waits, reminds of what is due, and forgets what was long ago.
func (s *Service) background(ctx context.Context, d *boot.Deps) error {
	var all sync.WaitGroup
	for _, l := range s.lanes {
		all.Go(func() { s.work(ctx, l) })
	}
	all.Go(func() { s.remind(ctx) })
	all.Go(func() {
		d.Every(ctx, expireEvery, "messages that are too late stay until the next look", func(ctx context.Context) error {
			return expireMessages(ctx, d.DB, d.Clock.Now())
		})
	})
	all.Go(func() { d.Every(ctx, measureEvery, "the queues are not measured", s.measureQueues) })
	all.Go(func() { d.Every(ctx, forgetEvery, "what is old stays until the next look", s.forget) })
	all.Wait()
	if s.smtp != nil {
		s.smtp.Close()
	}
	return nil
}
