package task

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

type postPauseInput struct {
	TaskPath
	httpx.IfMatch
	Body *PauseFields
}

func (s *Service) postPause(ctx context.Context, in *postPauseInput) (*taskOutput, error) {
	task, err := s.Pause(ctx, identity.From(ctx), in.ID, in.Version(), orZero(in.Body))
	return answerTask(http.StatusOK, task, err)
}

func (s *Service) postResume(ctx context.Context, in *writeTaskInput) (*taskOutput, error) {
	task, err := s.Resume(ctx, identity.From(ctx), in.ID, in.Version())
	return answerTask(http.StatusOK, task, err)
}

// ResidencePath names a residence.
type ResidencePath struct {
	ResidenceID uuid.UUID `path:"residence_id" format:"uuid" doc:"The residence"`
}

type postPauseResidenceInput struct {
	ResidencePath
	Body *PauseFields
}

type changedCountOutput struct {
	Body struct {
		Changed int `json:"changed" doc:"How many tasks"`
	}
}

func answerChanged(n int, err error) (*changedCountOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &changedCountOutput{}
	out.Body.Changed = n
	return out, nil
}

func (s *Service) postPauseResidence(ctx context.Context, in *postPauseResidenceInput) (*changedCountOutput, error) {
	return answerChanged(s.PauseResidence(ctx, identity.From(ctx), in.ResidenceID, orZero(in.Body)))
}

func (s *Service) postResumeResidence(ctx context.Context, in *ResidencePath) (*changedCountOutput, error) {
	return answerChanged(s.ResumeResidence(ctx, identity.From(ctx), in.ResidenceID))
}
