package billing

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// TriggerText is what the apps show to somebody who ran into a limit.
type TriggerText struct {
	Title      string `json:"title" required:"true" minLength:"1" maxLength:"200" pattern:"\\S"`
	Message    string `json:"message" required:"true" minLength:"1" maxLength:"1000" pattern:"\\S"`
	ButtonText string `json:"button_text" required:"true" minLength:"1" maxLength:"100" pattern:"\\S" example:"See Pro"`
}

// UpgradeTrigger is the offer for what somebody ran into.
type UpgradeTrigger struct {
	Key string `json:"key" doc:"trigger_key of limit_reached, or of a status' over_limit" example:"add_task"`
	TriggerText
}

// TriggerFields are what staff say of a trigger.
type TriggerFields struct {
	TriggerText
	IsActive bool `json:"is_active" required:"true"`
}

// KeptTrigger is a trigger as staff see it.
type KeptTrigger struct {
	Key string `json:"key"`
	TriggerFields
	Version int `json:"version"`
}

func (t KeptTrigger) version() int { return t.Version }

// Triggers answers those that are shown.
func (s *Service) Triggers(ctx context.Context) ([]UpgradeTrigger, error) {
	kept, err := offered(ctx, s, triggerTable, s.allTriggers)
	out := make([]UpgradeTrigger, len(kept))
	for i, t := range kept {
		out[i] = UpgradeTrigger{t.Key, t.TriggerText}
	}
	return out, err
}

// Trigger answers one that is shown. It fails with not_found.
func (s *Service) Trigger(ctx context.Context, key string) (UpgradeTrigger, error) {
	all, err := s.Triggers(ctx)
	return oneOf(all, err, func(t UpgradeTrigger) bool { return t.Key == key })
}

func (s *Service) allTriggers(ctx context.Context, active bool) ([]KeptTrigger, error) {
	return pg.All[KeptTrigger](ctx, s.DB, `
		SELECT key, title, message, button_text, is_active, version FROM upgrade_triggers
		WHERE is_active OR NOT @active::bool ORDER BY key`, pgx.NamedArgs{"active": active})
}

// PutTrigger adds a trigger or replaces it.
func (s *Service) PutTrigger(ctx context.Context, key string, in TriggerFields, e edit) (KeptTrigger, bool, error) {
	out := KeptTrigger{Key: key, TriggerFields: in}
	e.table, e.key, e.row = triggerTable, key, out
	version, added, err := s.put(ctx, e)
	out.Version = version
	return out, added, err
}
