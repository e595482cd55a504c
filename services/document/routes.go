package document

import (
	"net/http"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// routes is every operation of the service. Fixed paths come before those with an id: the first that matches answers.
func (s *Service) routes() {
	created, gone, slow := httpx.Status(http.StatusCreated), httpx.Status(http.StatusNoContent), httpx.Within(mediaTime)

	httpx.Post(s.HTTP, "/api/uploads/", identity.User, s.postUpload, "Send a file", created, uploadForm, slow,
		httpx.Describe("A photo (JPEG, PNG, WebP, HEIC), a PDF, a plain text or an Office file of 25 MiB at most. Photos are kept upright and without the place and the camera "+
			"that they were taken with, a HEIC as JPEG. Name the upload in a document, a completion, a profile: what nothing names is deleted after a day."),
		httpx.Refuses(http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusConflict, http.StatusTooManyRequests))
	httpx.Post(s.HTTP, "/api/uploads/direct/", identity.User, s.postDirect, "Announce a file that goes straight to the storage", created,
		httpx.Describe("For files of up to 200 MiB, where the storage is S3: send the file to the address in the answer, then confirm it."), httpx.Refuses(http.StatusTooManyRequests))
	httpx.Get(s.HTTP, "/api/uploads/{id}/", identity.User, s.getUpload, "Read about a file")
	httpx.Delete(s.HTTP, "/api/uploads/{id}/", identity.User, s.deleteUpload, "Delete a file of yours that nothing uses", gone)
	httpx.Post(s.HTTP, "/api/uploads/{id}/confirm/", identity.User, s.postConfirm, "Confirm that the file has gone to the storage", slow, httpx.Refuses(http.StatusTooManyRequests, http.StatusRequestEntityTooLarge))

	httpx.Get(s.HTTP, "/api/media/{upload_id}/", identity.User, s.getMedia, "Get a file", httpx.Produces("application/octet-stream"),
		httpx.Describe("The file itself, with Range and If-None-Match, or, where the storage is S3, a redirect to an address that is good for two minutes. Images and PDFs are shown, everything else is to be saved."),
		answersMedia)

	httpx.Get(s.HTTP, "/api/documents/", identity.User, s.getDocuments, "Documents that you see, newest first")
	httpx.Post(s.HTTP, "/api/documents/", identity.User, s.postDocument, "Add a document", created)
	httpx.Get(s.HTTP, "/api/documents/warranties/", identity.User, s.getWarranties, "Warranties that you see, what ends soonest first")
	httpx.Get(s.HTTP, "/api/documents/{id}/", identity.User, s.getDocument, "Read a document")
	httpx.Put(s.HTTP, "/api/documents/{id}/", identity.User, s.putDocument, "Replace what a document says")
	httpx.Patch(s.HTTP, "/api/documents/{id}/", identity.User, s.patchDocument, "Change some of what a document says")
	httpx.Delete(s.HTTP, "/api/documents/{id}/", identity.User, s.deleteDocument, "Delete a document", gone)
	httpx.Post(s.HTTP, "/api/documents/{id}/activate/", identity.User, s.postActivate(true), "Take a document into use")
	httpx.Post(s.HTTP, "/api/documents/{id}/deactivate/", identity.User, s.postActivate(false), "Take a document out of use")
	httpx.Post(s.HTTP, "/api/documents/{id}/images/", identity.User, s.postImages, "Append images to a document's")
	httpx.Delete(s.HTTP, "/api/documents/{id}/images/{image_id}/", identity.User, s.deleteImage, "Take an image from a document", gone)

	httpx.Post(s.HTTP, "/internal/usage", identity.Internal, s.postUsage, "What a person uses of their plan")
	httpx.Post(s.HTTP, "/internal/residence-papers", identity.Internal, s.postResidencePapers, "Equipment, warranties and other documents of a residence, for its history")
	httpx.Post(s.HTTP, "/internal/sync", identity.User, s.postSync, "What changed for a person since a cursor")
	httpx.Get(s.HTTP, "/internal/media/{upload_id}", identity.Internal, s.getInternalMedia, "A file for another service", httpx.Produces("application/octet-stream"))

	httpx.Get(s.HTTP, "/api/equipment/", identity.User, s.getEquipmentList, "Equipment of every residence that you see, by name")
	httpx.Post(s.HTTP, "/api/equipment/", identity.User, s.postEquipment, "Add a piece of equipment", created)
	httpx.Get(s.HTTP, "/api/equipment/{id}/", identity.User, s.getEquipment, "Read a piece of equipment")
	httpx.Put(s.HTTP, "/api/equipment/{id}/", identity.User, s.putEquipment, "Replace what is said of a piece of equipment")
	httpx.Patch(s.HTTP, "/api/equipment/{id}/", identity.User, s.patchEquipment, "Change some of what is said of a piece of equipment")
	httpx.Delete(s.HTTP, "/api/equipment/{id}/", identity.User, s.deleteEquipment, "Delete a piece of equipment; its documents stay", gone)
	httpx.Get(s.HTTP, "/api/equipment/{id}/history/", identity.User, s.getEquipmentHistory, "What was done to a piece of equipment, newest first, and what it has cost")

	httpx.Post(s.HTTP, "/internal/attachable", identity.Internal, s.postAttachable, "Uploads and equipment that a person may not name")
}
