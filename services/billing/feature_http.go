package billing

import "context"

func (s *Service) getFeatures(ctx context.Context, _ *struct{}) (*taggedOutput[[]Feature], error) {
	return tagged(s.Features(ctx))
}

func (s *Service) adminFeatures(ctx context.Context, _ *struct{}) (*bodyOutput[[]KeptFeature], error) {
	return list(ctx, s.allFeatures)
}

func (s *Service) adminFeature(ctx context.Context, in *KeyPath) (*versionedOutput[KeptFeature], error) {
	all, err := s.allFeatures(ctx, false)
	f, err := oneOf(all, err, func(f KeptFeature) bool { return f.Key == in.Key })
	return answerVersioned(f, false, err)
}

type putFeatureInput struct {
	KeyPath
	Put
	Body struct {
		By
		FeatureFields
	}
}

func (s *Service) putFeature(ctx context.Context, in *putFeatureInput) (*versionedOutput[KeptFeature], error) {
	return answerVersioned(s.PutFeature(ctx, in.Key, in.Body.FeatureFields, in.edit(in.Body.By)))
}

type removeByKeyInput struct {
	KeyPath
	Remove
}

func (s *Service) deleteFeature(ctx context.Context, in *removeByKeyInput) (*struct{}, error) {
	return nil, s.removeKey(ctx, featureTable, in)
}

// removeKey removes a row that is known by its key.
func (s *Service) removeKey(ctx context.Context, t table, in *removeByKeyInput) error {
	e := in.edit()
	e.table, e.key, e.row = t, in.Key, map[string]string{"key": in.Key}
	return s.remove(ctx, e)
}
