package billing

import (
	"context"
	"fmt"
	"sync"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/plans"
)

// Config is what the service reads from its environment.
type Config struct {
	config.Service
	StripeConfig
	AppleConfig
	GoogleConfig
}

// Service answers for subscriptions.
type Service struct {
	*boot.Deps
	shops     map[Source]shop
	work      alarms // a webhook or an errand waits
	residence internalapi.Residence
	tasks     internalapi.Task
	documents internalapi.Document
}

// New describes the service to boot.
func New(cfg Config) boot.Service { return newService().boot(cfg) }

func newService() *Service { return &Service{work: newAlarms(), shops: map[Source]shop{}} }

func (s *Service) boot(cfg Config) boot.Service {
	return boot.Service{
		Name: events.Billing, Title: "Subscriptions",
		Hot: []string{personSQL, purchasesSQL, settingsSQL, plansSQL, insertWebhookSQL},
		Register: func(d *boot.Deps) error {
			s.Deps = d
			d.Plans = plans.New(d.Cache, d.Clock, s.PlanOf)
			s.residence, s.tasks, s.documents = d.Calls.Residence(cfg.ResidenceURL), d.Calls.Task(cfg.TaskURL), d.Calls.Document(cfg.DocumentURL)
			if err := s.openShops(cfg); err != nil {
				return err
			}
			s.routes()
			s.listen()
			return nil
		},
		Background: s.background,
	}
}

// openShops opens those that are configured.
func (s *Service) openShops(cfg Config) error {
	for source, open := range map[Source]func(Config) (shop, error){Stripe: s.openStripe, Apple: s.openApple, Google: s.openGoogle} {
		shop, err := open(cfg)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		if shop != nil {
			s.shops[source] = shop
		}
	}
	return nil
}

// background works off what the shops have told and what is to be done there, and looks after what changes by itself.
func (s *Service) background(ctx context.Context, _ *boot.Deps) error {
	var all sync.WaitGroup
	for source := range s.work {
		all.Go(func() { s.workOff(ctx, source) })
	}
	all.Go(func() { s.Every(ctx, flipEvery, "subscriptions that have ended wait for the next look", s.flipAll) })
	all.Go(func() { s.Every(ctx, checkEvery, "the shops are asked at the next look", s.checkAll) })
	all.Go(func() {
		s.Every(ctx, checkEvery, "what was told of purchases that are claimed by now waits for the next look", s.reviveClaimed)
	})
	all.Go(func() { s.Every(ctx, sweepEvery, "what is old stays until the next look", s.sweep) })
	all.Wait()
	return nil
}
