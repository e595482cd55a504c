package billing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/pg"
)

// PlanFields are a tier's limits as they are to be: each is said, so that none is lifted by being left out.
type PlanFields struct {
	Properties  *int `json:"properties" required:"true" minimum:"0" maximum:"1000000" doc:"Null: as many as they like"`
	Tasks       *int `json:"tasks" required:"true" minimum:"0" maximum:"1000000" doc:"Null: as many as they like"`
	Contractors *int `json:"contractors" required:"true" minimum:"0" maximum:"1000000" doc:"Null: as many as they like"`
	Documents   *int `json:"documents" required:"true" minimum:"0" maximum:"1000000" doc:"Null: as many as they like"`
	Equipment   *int `json:"equipment" required:"true" minimum:"0" maximum:"1000000" doc:"Null: as many as they like"`
}

func (t Tier) version() int { return t.Version }

// TierOf answers a tier with its limits.
func (s *Service) TierOf(ctx context.Context, tier string) (Tier, error) {
	all, err := pg.All[Tier](ctx, s.DB, plansSQL, nil)
	return oneOf(all, err, func(t Tier) bool { return t.Tier == tier })
}

// PutPlan sets a tier's limits. Everybody's plan and status are read anew.
func (s *Service) PutPlan(ctx context.Context, tier string, in PlanFields, e edit) (Tier, error) {
	out := Tier{Tier: tier, Limits: Limits(in)}
	e.table, e.key, e.row = planTable, tier, out
	version, _, err := s.put(ctx, e)
	out.Version = version
	return out, err
}

// SettingsPatch is a change of some of the settings.
type SettingsPatch struct {
	LimitationsEnabled patch.Optional[bool] `json:"limitations_enabled,omitzero" doc:"False: limits bind nobody"`
	GraceDays          patch.Optional[int]  `json:"grace_days,omitzero" minimum:"0" maximum:"60" doc:"How long what is past due goes on counting"`
	TrialDays          patch.Optional[int]  `json:"trial_days,omitzero" minimum:"0" maximum:"365" doc:"0: there is no trial"`
}

func (s Settings) version() int { return s.Version }

// settings answers what holds for everybody.
func (s *Service) settings(ctx context.Context) (Settings, error) {
	settings, found, err := pg.One[Settings](ctx, s.DB, settingsSQL, pgx.NamedArgs{})
	if err == nil && !found {
		err = apperr.InternalError.New("There are no settings.")
	}
	if err != nil {
		return Settings{}, fmt.Errorf("settings: %w", err)
	}
	return settings, nil
}

// settingsRow is the table's one row.
type settingsRow struct {
	Singleton bool `json:"singleton"`
	Settings
}

// ChangeSettings applies the patch. Everybody's plan and status are read anew.
func (s *Service) ChangeSettings(ctx context.Context, p SettingsPatch, e edit) (Settings, error) {
	asked := e.version
	for range maxEdits {
		now, err := s.settings(ctx)
		switch {
		case err != nil:
			return Settings{}, err
		case asked != nil && *asked != now.Version:
			return Settings{}, staleVersion(now.Version)
		}
		e.version = new(now.Version)
		e.table, e.key, e.row = settingsTable, "settings", settingsRow{true, p.on(now)}
		version, _, err := s.put(ctx, e)
		if apperr.VersionConflict.Has(err) && asked == nil {
			continue
		}
		out := p.on(now)
		out.Version = version
		return out, err
	}
	return Settings{}, apperr.Busy.New("Several changes came at the same time; try again.")
}

func (p SettingsPatch) on(s Settings) Settings {
	if p.LimitationsEnabled.Set {
		s.LimitationsEnabled = p.LimitationsEnabled.Value
	}
	if p.GraceDays.Set {
		s.GraceDays = p.GraceDays.Value
	}
	if p.TrialDays.Set {
		s.TrialDays = p.TrialDays.Value
	}
	return s
}
