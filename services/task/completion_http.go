package task

import (
	"context"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// CompletionPath names a completion.
type CompletionPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The completion"`
}

type completionOutput struct {
	Status int    `json:"-"`
	ETag   string `header:"ETag"`
	Body   Completion
}

func answerCompletion(status int, completion Completion, err error) (*completionOutput, error) {
	if err != nil {
		return nil, err
	}
	return &completionOutput{Status: status, ETag: etagWithName(completion.Version, completion.names()), Body: completion}, nil
}

// names are those that the completion shows, nil when none.
func (c Completion) names() *string {
	switch {
	case c.ContractorName == nil:
		return c.CompletedByName
	case c.CompletedByName == nil:
		return c.ContractorName
	}
	return new(*c.CompletedByName + "\n" + *c.ContractorName)
}

type quickCompleteInput struct {
	TaskPath
	Body *struct {
		ID *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: however often it is sent, the task is completed once"`
	}
}

func (s *Service) postQuickComplete(ctx context.Context, in *quickCompleteInput) (*completionOutput, error) {
	var id *uuid.UUID
	if in.Body != nil {
		id = in.Body.ID
	}
	completion, added, err := s.Complete(ctx, identity.From(ctx), in.TaskPath.ID, id, CompletionFields{})
	return answerCompletion(createdOr(added), completion, err)
}

type postCompletionInput struct {
	Body struct {
		ID     *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: sending the same completion twice adds it once"`
		TaskID uuid.UUID  `json:"task_id" required:"true" format:"uuid"`
		CompletionFields
	}
}

func (s *Service) postCompletion(ctx context.Context, in *postCompletionInput) (*completionOutput, error) {
	completion, added, err := s.Complete(ctx, identity.From(ctx), in.Body.TaskID, in.Body.ID, in.Body.CompletionFields)
	return answerCompletion(createdOr(added), completion, err)
}

func (s *Service) getCompletion(ctx context.Context, in *CompletionPath) (*completionOutput, error) {
	completion, err := s.CompletionOf(ctx, identity.From(ctx), in.ID)
	return answerCompletion(http.StatusOK, completion, err)
}

type putCompletionInput struct {
	CompletionPath
	httpx.IfMatch
	Body CompletionFields
}

func (s *Service) putCompletion(ctx context.Context, in *putCompletionInput) (*completionOutput, error) {
	completion, err := s.ReplaceCompletion(ctx, identity.From(ctx), in.ID, in.Version(), in.Body)
	return answerCompletion(http.StatusOK, completion, err)
}

type writeCompletionInput struct {
	CompletionPath
	httpx.IfMatch
}

func (s *Service) deleteCompletion(ctx context.Context, in *writeCompletionInput) (*struct{}, error) {
	return nil, s.UndoCompletion(ctx, identity.From(ctx), in.ID, in.Version())
}

type completionsInput struct {
	page.Query
	httpx.IfNoneMatch
	TaskID      uuid.UUID `query:"task_id" format:"uuid" doc:"Only of this task"`
	ResidenceID uuid.UUID `query:"residence_id" format:"uuid" doc:"Only in this residence"`
}

type completionsOutput struct {
	ETag string `header:"ETag"`
	Body page.List[Completion]
}

func (s *Service) getCompletions(ctx context.Context, in *completionsInput) (*completionsOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), in.ResidenceID, "completions", in.TaskID.String(), in.ResidenceID.String(), in.Cursor, strconv.Itoa(in.Limit))
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	homes := view.homes
	if home, found := access.Among(homes, in.ResidenceID); found {
		homes = []access.Home{home}
	}
	list, err := s.Completions(ctx, homes, orNull(in.TaskID), in.Query)
	return &completionsOutput{ETag: view.ETag, Body: list}, err
}

type taskCompletionsInput struct {
	TaskPath
	page.Query
	httpx.IfNoneMatch
}

func (s *Service) getTaskCompletions(ctx context.Context, in *taskCompletionsInput) (*completionsOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), uuid.Nil, "completions of", in.ID.String(), pageOf(in.Query))
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	list, err := s.CompletionsOf(ctx, view, in.ID, in.Query)
	return &completionsOutput{ETag: view.ETag, Body: list}, err
}
