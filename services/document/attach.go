package document

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/internalapi"
)

// Attachable answers which of the uploads and the equipment the person may not name in something of the residence. It
// takes one statement, beside who sees what.
func (s *Service) Attachable(ctx context.Context, q internalapi.AttachQuery) (internalapi.AttachAnswer, error) {
	out := internalapi.AttachAnswer{UploadIDs: []uuid.UUID{}, EquipmentIDs: []uuid.UUID{}}
	if len(q.UploadIDs)+len(q.EquipmentIDs) == 0 {
		return out, nil
	}
	homes, err := s.Access.HomesOf(ctx, q.UserID)
	if err != nil {
		return out, err
	}
	rows, err := readNamed(ctx, s.DB, q.UserID, access.IDs(homes), q)
	if err != nil {
		return out, err
	}
	for _, named := range rows {
		switch {
		case named.Kind == "upload":
			out.UploadIDs = append(out.UploadIDs, named.ID)
		case named.ResidenceID == nil:
			out.EquipmentIDs = append(out.EquipmentIDs, named.ID)
		default:
			if *named.ResidenceID != q.ResidenceID {
				out.EquipmentIDs = append(out.EquipmentIDs, named.ID)
			}
			if out.EquipmentHomes == nil {
				out.EquipmentHomes = map[uuid.UUID]uuid.UUID{}
			}
			out.EquipmentHomes[named.ID] = *named.ResidenceID
		}
	}
	return out, nil
}
