package task

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

// naming is which uploads somebody wants to name in something, and what the document service says to that.
type naming struct {
	ids    []uuid.UUID
	denied []uuid.UUID // those that are not theirs to name; all, when nobody says
	err    error       // why nobody says
}

// mayName asks which of the uploads the actor may name; for none it asks nothing. That document does not answer is told
// to whom it concerns: what something names already needs no answer.
func (s *Service) mayName(ctx context.Context, actor identity.Actor, residence uuid.UUID, ids []uuid.UUID) *naming {
	if len(ids) == 0 {
		return &naming{}
	}
	answer, err := s.documents.Attachable(ctx, internalapi.AttachQuery{UserID: actor.UserID, ResidenceID: residence, UploadIDs: ids})
	return saying(ids, answer, err)
}

func saying(ids []uuid.UUID, answer internalapi.AttachAnswer, err error) *naming {
	if err != nil {
		return &naming{ids: ids, denied: ids, err: err}
	}
	return &naming{ids: ids, denied: answer.UploadIDs}
}

// refuse names those that are denied, but for what the thing had before: whoever named that could.
func (n *naming) refuse(had []uuid.UUID) error {
	e := apperr.ValidationFailed.New("It names a file that is not yours to name.")
	for i, id := range n.ids {
		if slices.Contains(had, id) || !slices.Contains(n.denied, id) {
			continue
		}
		if n.err != nil {
			return n.err
		}
		e = e.At(fmt.Sprintf("body.upload_ids[%d]", i), "is not an upload of yours, nor of something that you see")
	}
	if len(e.Fields) > 0 {
		return e
	}
	return nil
}

// refuseRepeated refuses what is named twice.
func refuseRepeated(ids []uuid.UUID) error {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return apperr.InvalidField(fmt.Sprintf("body.upload_ids[%d]", i), "is named before")
		}
	}
	return nil
}
