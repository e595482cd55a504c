package residence

import (
	"net/http"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

func (s *Service) routes() {
	httpx.Get(s.HTTP, "/api/residences/", identity.User, s.getResidences, "List my residences")
	httpx.Post(s.HTTP, "/api/residences/", identity.User, s.postResidence, "Add a residence", httpx.Status(http.StatusCreated))
	httpx.Get(s.HTTP, "/api/residences/my-residences/", identity.User, s.getMyResidences, "List my residences with their task counts")
	httpx.Get(s.HTTP, "/api/residences/summary/", identity.User, s.getSummary, "Count over all my residences")
	httpx.Get(s.HTTP, "/api/residences/types/", identity.User, s.getTypes, "List the types of residences")
	httpx.Post(s.HTTP, "/api/residences/join-with-code/", identity.User, s.postJoin, "Join a residence with a code or a package",
		httpx.Describe("Ten wrong codes an hour are answered; after that it is 429."))

	httpx.Get(s.HTTP, "/api/residences/{id}/", identity.User, s.getResidence, "Read a residence")
	httpx.Put(s.HTTP, "/api/residences/{id}/", identity.User, s.putResidence, "Replace a residence's fields")
	httpx.Patch(s.HTTP, "/api/residences/{id}/", identity.User, s.patchResidence, "Change a residence's fields",
		httpx.Describe("Only the owner, but every member may change `is_primary`, which is their own, when it is sent alone."))
	httpx.Delete(s.HTTP, "/api/residences/{id}/", identity.User, s.deleteResidence, "Delete a residence and all that it holds",
		httpx.Status(http.StatusNoContent))
	httpx.Post(s.HTTP, "/api/residences/{id}/transfer/", identity.User, s.postTransfer, "Give a residence to another of its members")

	httpx.Post(s.HTTP, "/api/residences/{id}/generate-share-code/", identity.User, s.postShareCode, "Make a share code",
		httpx.Describe("It replaces the one before. One person can use it, once. With an `email` it is mailed there as well, twenty a day at most."),
		httpx.Status(http.StatusCreated), httpx.Refuses(http.StatusTooManyRequests))
	httpx.Get(s.HTTP, "/api/residences/{id}/share-code/", identity.User, s.getShareCode, "Read the active share code", httpx.Refuses(http.StatusForbidden))
	httpx.Delete(s.HTTP, "/api/residences/{id}/share-code/", identity.User, s.deleteShareCode, "Withdraw the active share code",
		httpx.Status(http.StatusNoContent))
	httpx.Post(s.HTTP, "/api/residences/{id}/generate-share-package/", identity.User, s.postSharePackage, "Make a signed file that invites somebody",
		httpx.Describe("It holds a new share code, which replaces the one before."), httpx.Status(http.StatusCreated))

	httpx.Get(s.HTTP, "/api/residences/{id}/users/", identity.User, s.getUsers, "List who belongs to a residence")
	httpx.Patch(s.HTTP, "/api/residences/{id}/users/{user_id}/", identity.User, s.patchUser, "Change a member's role")
	httpx.Delete(s.HTTP, "/api/residences/{id}/users/{user_id}/", identity.User, s.deleteUser, "Remove a member, or leave",
		httpx.Status(http.StatusNoContent))

	httpx.Get(s.HTTP, "/internal/users/{id}/homes", identity.Internal, s.getHomes, "What a person sees")
	httpx.Get(s.HTTP, "/internal/residences/{id}", identity.Internal, s.getPlace, "A residence's name and address")
	httpx.Get(s.HTTP, "/internal/residences/{id}/members", identity.Internal, s.getMembers, "Who sees a residence")
	httpx.Post(s.HTTP, "/internal/sync", identity.User, s.postSync, "What changed for a person since a cursor")
	httpx.Get(s.HTTP, "/internal/lookups", identity.Internal, s.getLookups, "The service's lookup tables")
}
