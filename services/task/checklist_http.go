package task

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/identity"
)

type checklistItemInput struct {
	TaskPath
	ItemID uuid.UUID `path:"item_id" format:"uuid" doc:"The item"`
}

func (s *Service) postTick(done bool) func(context.Context, *checklistItemInput) (*taskOutput, error) {
	return func(ctx context.Context, in *checklistItemInput) (*taskOutput, error) {
		task, err := s.Tick(ctx, identity.From(ctx), in.ID, in.ItemID, done)
		return answerTask(http.StatusOK, task, err)
	}
}
