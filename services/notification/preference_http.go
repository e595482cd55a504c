package notification

import (
	"context"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

type preferencesOutput struct {
	ETag string `header:"ETag"`
	Body Preferences
}

func answerPreferences(p Preferences, err error) (*preferencesOutput, error) {
	if err != nil {
		return nil, err
	}
	return &preferencesOutput{ETag: p.ETag(), Body: p}, nil
}

func (s *Service) getPreferences(ctx context.Context, _ *struct{}) (*preferencesOutput, error) {
	return answerPreferences(s.PreferencesOf(ctx, identity.From(ctx)))
}

type putPreferencesInput struct {
	httpx.IfMatch
	Body PreferenceFields
}

func (s *Service) putPreferences(ctx context.Context, in *putPreferencesInput) (*preferencesOutput, error) {
	return answerPreferences(s.ChangePreferences(ctx, identity.From(ctx), in.Version(), in.Body.whole()))
}

type patchPreferencesInput struct {
	httpx.IfMatch
	Body PreferencePatch
}

func (s *Service) patchPreferences(ctx context.Context, in *patchPreferencesInput) (*preferencesOutput, error) {
	return answerPreferences(s.ChangePreferences(ctx, identity.From(ctx), in.Version(), in.Body))
}
