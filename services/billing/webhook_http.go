package billing

import (
	"context"
	"net/http"
)

type webhookInput struct {
	Signature     string `header:"Stripe-Signature" maxLength:"4096" doc:"Stripe alone: what the body is signed with"`
	Authorization string `header:"Authorization" maxLength:"8192" doc:"Google alone: Pub/Sub's token, no token of ours"`
	RawBody       []byte `contentType:"application/json"`
}

type webhookOutput struct {
	Body struct {
		Received bool `json:"received"`
	}
}

// postWebhook answers 200 only once what was told is kept.
func (s *Service) postWebhook(source Source) func(context.Context, *webhookInput) (*webhookOutput, error) {
	return func(ctx context.Context, in *webhookInput) (*webhookOutput, error) {
		header := http.Header{}
		header.Set("Stripe-Signature", in.Signature)
		header.Set("Authorization", in.Authorization)
		if err := s.Receive(ctx, source, header, in.RawBody); err != nil {
			return nil, err
		}
		out := &webhookOutput{}
		out.Body.Received = true
		return out, nil
	}
}
