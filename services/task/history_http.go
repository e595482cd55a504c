package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

type taskHistoryInput struct {
	TaskPath
	page.Query
	httpx.IfNoneMatch
}

type taskHistoryOutput struct {
	ETag string `header:"ETag"`
	Body TaskHistory
}

func (s *Service) getTaskHistory(ctx context.Context, in *taskHistoryInput) (*taskHistoryOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), uuid.Nil, "task history", in.ID.String(), pageOf(in.Query))
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	history, err := s.HistoryOfTask(ctx, view, in.ID, in.Query)
	return &taskHistoryOutput{ETag: view.ETag, Body: history}, err
}

type contractorHistoryInput struct {
	ContractorPath
	page.Query
	httpx.IfNoneMatch
}

type contractorHistoryOutput struct {
	ETag string `header:"ETag"`
	Body ContractorHistory
}

func (s *Service) getContractorHistory(ctx context.Context, in *contractorHistoryInput) (*contractorHistoryOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), uuid.Nil, "contractor history", in.ID.String(), pageOf(in.Query))
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	history, err := s.HistoryOfContractor(ctx, view, in.ID, in.Query)
	return &contractorHistoryOutput{ETag: view.ETag, Body: history}, err
}

// SpanQuery names a residence and some of its days.
type SpanQuery struct {
	httpx.IfNoneMatch
	ResidenceID uuid.UUID `path:"id" format:"uuid" doc:"The residence"`
	From        day.Day   `query:"from" doc:"The first day, in the residence's time zone; left out: twelve calendar months up to the last day"`
	To          day.Day   `query:"to" doc:"The last day, included; left out: today. At most ten years after the first"`
}

type residenceHistoryInput struct {
	SpanQuery
	page.Query
	CategoryID   uuid.UUID `query:"category_id" format:"uuid" doc:"Only of tasks of this category"`
	ContractorID uuid.UUID `query:"contractor_id" format:"uuid" doc:"Only by this contractor"`
}

type residenceHistoryOutput struct {
	ETag string `header:"ETag"`
	Body History
}

func (s *Service) getResidenceHistory(ctx context.Context, in *residenceHistoryInput) (*residenceHistoryOutput, error) {
	view, err := s.ViewSpan(ctx, identity.From(ctx), in.ResidenceID, in.From, in.To, "history", in.CategoryID.String(), in.ContractorID.String(), pageOf(in.Query))
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	history, err := s.HistoryOfResidence(ctx, view, HistoryFilter{in.CategoryID, in.ContractorID}, in.Query)
	return &residenceHistoryOutput{ETag: view.ETag, Body: history}, err
}

type costsOutput struct {
	ETag string `header:"ETag"`
	Body Costs
}

func (s *Service) getCosts(ctx context.Context, in *SpanQuery) (*costsOutput, error) {
	view, err := s.ViewSpan(ctx, identity.From(ctx), in.ResidenceID, in.From, in.To, "costs")
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	costs, err := s.CostsOf(ctx, view)
	return &costsOutput{ETag: view.ETag, Body: costs}, err
}
