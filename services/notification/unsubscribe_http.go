package notification

import "context"

// LinkPath names a link by its token.
type LinkPath struct {
	Token string `path:"token" maxLength:"64" doc:"As it stands in the e-mail: whoever has it may end e-mails of that kind"`
}

type linkOutput struct {
	ContentType     string `header:"Content-Type"`
	ContentLanguage string `header:"Content-Language"`
	Policy          string `header:"Content-Security-Policy"`
	Frames          string `header:"X-Frame-Options"`
	Robots          string `header:"X-Robots-Tag"`
	CacheControl    string `header:"Cache-Control"`
	Body            []byte
}

func answerLink(p linkPage, err error) (*linkOutput, error) {
	if err != nil {
		return nil, err
	}
	return &linkOutput{
		ContentType: "text/html; charset=utf-8", ContentLanguage: p.Language, Policy: linkPolicy(), Frames: "DENY", Robots: "noindex",
		CacheControl: "no-store", Body: p.HTML,
	}, nil
}

func (s *Service) getUnsubscribe(ctx context.Context, in *LinkPath) (*linkOutput, error) {
	return answerLink(s.LookAtLink(ctx, in.Token))
}

func (s *Service) postUnsubscribe(ctx context.Context, in *LinkPath) (*linkOutput, error) {
	return answerLink(s.Unsubscribe(ctx, in.Token))
}

func (s *Service) postResubscribe(ctx context.Context, in *LinkPath) (*linkOutput, error) {
	return answerLink(s.Resubscribe(ctx, in.Token))
}
