package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

// TemplateFit is what a list of templates can leave out.
type TemplateFit struct {
	httpx.IfNoneMatch
	ResidenceTypeID uuid.UUID `query:"residence_type_id" format:"uuid" doc:"Only what suits this type of residence"`
	Climate         string    `query:"climate" enum:"tropical,dry,temperate,continental,polar" doc:"Only what suits this climate"`
	Essential       bool      `query:"essential" doc:"Only what every residence should have"`
}

func (q TemplateFit) filter(category uuid.UUID) TemplateFilter {
	return TemplateFilter{CategoryID: category, ResidenceTypeID: q.ResidenceTypeID, Climate: q.Climate, Essential: q.Essential}
}

type templatesInput struct {
	TemplateFit
	CategoryID uuid.UUID `query:"category_id" format:"uuid" doc:"Only of this category"`
	Text       string    `query:"q" maxLength:"100" doc:"Only with these words, the best first and fifty at the most, as the search does"`
}

type templatesOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Items []Template `json:"items" nullable:"false"`
	}
}

func answerTemplates(etag string, items []Template) *templatesOutput {
	out := &templatesOutput{ETag: etag}
	out.Body.Items = items
	return out
}

func (s *Service) getTemplates(ctx context.Context, in *templatesInput) (*templatesOutput, error) {
	ts, err := s.Templates(ctx)
	switch {
	case err != nil:
		return nil, err
	case in.Has(ts.ETag):
		return nil, httpx.NotModified(ts.ETag)
	case in.Text != "":
		return answerTemplates(ts.ETag, ts.Search(in.Text, in.filter(in.CategoryID))), nil
	}
	return answerTemplates(ts.ETag, ts.List(in.filter(in.CategoryID))), nil
}

type searchTemplatesInput struct {
	TemplateFit
	CategoryID uuid.UUID `query:"category_id" format:"uuid" doc:"Only of this category"`
	Text       string    `query:"q" required:"true" minLength:"1" maxLength:"100" doc:"Words or their beginnings; case, accents and small spelling mistakes do not matter"`
}

func (s *Service) getTemplatesSearch(ctx context.Context, in *searchTemplatesInput) (*templatesOutput, error) {
	ts, err := s.Templates(ctx)
	switch {
	case err != nil:
		return nil, err
	case in.Has(ts.ETag):
		return nil, httpx.NotModified(ts.ETag)
	}
	return answerTemplates(ts.ETag, ts.Search(in.Text, in.filter(in.CategoryID))), nil
}

type groupedTemplatesInput struct{ TemplateFit }

type groupedTemplatesOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Items []TemplateGroup `json:"items" nullable:"false" doc:"Categories that have any, in their order"`
	}
}

func (s *Service) getTemplatesGrouped(ctx context.Context, in *groupedTemplatesInput) (*groupedTemplatesOutput, error) {
	ts, lookups, etag, err := s.templatesAndLookups(ctx)
	switch {
	case err != nil:
		return nil, err
	case in.Has(etag):
		return nil, httpx.NotModified(etag)
	}
	out := &groupedTemplatesOutput{ETag: etag}
	out.Body.Items = ts.grouped(lookups.Categories, in.filter(uuid.Nil))
	return out, nil
}

type categoryTemplatesInput struct {
	TemplateFit
	ID uuid.UUID `path:"id" format:"uuid" doc:"The category"`
}

func (s *Service) getTemplatesOfCategory(ctx context.Context, in *categoryTemplatesInput) (*templatesOutput, error) {
	ts, lookups, etag, err := s.templatesAndLookups(ctx)
	switch {
	case err != nil:
		return nil, err
	case !hasLookup(lookups.Categories, in.ID):
		return nil, apperr.NoSuchThing.New("There is no such category.")
	case in.Has(etag):
		return nil, httpx.NotModified(etag)
	}
	return answerTemplates(etag, ts.List(in.filter(in.ID))), nil
}

func hasLookup(table []internalapi.Lookup, id uuid.UUID) bool {
	for _, row := range table {
		if row.ID == id {
			return true
		}
	}
	return false
}

type templateInput struct {
	httpx.IfNoneMatch
	ID uuid.UUID `path:"id" format:"uuid" doc:"The template"`
}

type templateOutput struct {
	ETag string `header:"ETag"`
	Body Template
}

func (s *Service) getTemplate(ctx context.Context, in *templateInput) (*templateOutput, error) {
	template, etag, err := s.TemplateOf(ctx, in.ID)
	switch {
	case err != nil:
		return nil, err
	case in.Has(etag):
		return nil, httpx.NotModified(etag)
	}
	return &templateOutput{ETag: etag, Body: template}, nil
}

type applyTemplatesInput struct{ Body ApplyTemplates }

type applyTemplatesOutput struct {
	Status int `json:"-"`
	Body   AppliedTemplates
}

func (s *Service) postApplyTemplates(ctx context.Context, in *applyTemplatesInput) (*applyTemplatesOutput, error) {
	applied, err := s.Apply(ctx, identity.From(ctx), in.Body)
	if err != nil {
		return nil, err
	}
	return &applyTemplatesOutput{Status: createdOr(len(applied.Items) > 0), Body: applied}, nil
}
