package internalapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

// Document is the document service as the others call it.
type Document struct{ remote }

// Document answers a client of the document service.
func (c *Caller) Document(base string) Document { return Document{c.to("document", base)} }

// AttachQuery asks which uploads and which equipment a person may name in something of a residence.
type AttachQuery struct {
	UserID       uuid.UUID   `json:"user_id"`
	ResidenceID  uuid.UUID   `json:"residence_id,omitzero"` // none: in something personal, or it is not known yet
	UploadIDs    []uuid.UUID `json:"upload_ids,omitempty"`
	ImagesOnly   bool        `json:"images_only,omitempty"` // uploads that are no images may not be named either
	EquipmentIDs []uuid.UUID `json:"equipment_ids,omitempty"`
}

// AttachAnswer lists those that they may not: there is no such thing, it is somebody else's, or of another residence.
type AttachAnswer struct {
	UploadIDs    []uuid.UUID `json:"upload_ids"`
	EquipmentIDs []uuid.UUID `json:"equipment_ids"`
	// EquipmentHomes is where the equipment is that they see, whatever residence was asked about: by its id.
	EquipmentHomes map[uuid.UUID]uuid.UUID `json:"equipment_homes,omitempty"`
}

// Attachable answers what of it the person may not name: POST /internal/attachable.
func (d Document) Attachable(ctx context.Context, q AttachQuery) (AttachAnswer, error) {
	return call[AttachAnswer](ctx, d.remote, http.MethodPost, "/internal/attachable", q)
}
