package billing

import "context"

func (s *Service) getTriggers(ctx context.Context, _ *struct{}) (*taggedOutput[[]UpgradeTrigger], error) {
	return tagged(s.Triggers(ctx))
}

// triggerPath takes any key: one that no trigger can have is simply not there.
type triggerPath struct {
	Key string `path:"key" maxLength:"200" doc:"trigger_key of limit_reached, or of a status' over_limit"`
}

func (s *Service) getTrigger(ctx context.Context, in *triggerPath) (*taggedOutput[UpgradeTrigger], error) {
	return tagged(s.Trigger(ctx, in.Key))
}

func (s *Service) adminTriggers(ctx context.Context, _ *struct{}) (*bodyOutput[[]KeptTrigger], error) {
	return list(ctx, s.allTriggers)
}

func (s *Service) adminTrigger(ctx context.Context, in *KeyPath) (*versionedOutput[KeptTrigger], error) {
	all, err := s.allTriggers(ctx, false)
	t, err := oneOf(all, err, func(t KeptTrigger) bool { return t.Key == in.Key })
	return answerVersioned(t, false, err)
}

type putTriggerInput struct {
	KeyPath
	Put
	Body struct {
		By
		TriggerFields
	}
}

func (s *Service) putTrigger(ctx context.Context, in *putTriggerInput) (*versionedOutput[KeptTrigger], error) {
	return answerVersioned(s.PutTrigger(ctx, in.Key, in.Body.TriggerFields, in.edit(in.Body.By)))
}

func (s *Service) deleteTrigger(ctx context.Context, in *removeByKeyInput) (*struct{}, error) {
	return nil, s.removeKey(ctx, triggerTable, in)
}
