package notification

import (
	"net/http"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// routes is every operation of the service.
func (s *Service) routes() {
	httpx.Get(s.HTTP, "/api/notifications/", identity.User, s.getNotifications, "Your inbox, newest first")
	httpx.Get(s.HTTP, "/api/notifications/unread-count/", identity.User, s.getUnreadCount, "How many you have not read")
	httpx.Post(s.HTTP, "/api/notifications/mark-all-read/", identity.User, s.postMarkAllRead, "Mark all as read",
		httpx.Describe("With `until`, the `created_at` of the newest that you have seen, what came meanwhile stays unread. What was not pushed yet no longer is."))
	httpx.Post(s.HTTP, "/api/notifications/clear/", identity.User, s.postClear, "Delete all that you have read",
		httpx.Describe("What is snoozed stays, to come back."))
	httpx.Post(s.HTTP, "/api/notifications/{id}/read/", identity.User, s.postRead, "Mark one as read",
		httpx.Describe("If it was not pushed yet, it no longer is."))
	httpx.Post(s.HTTP, "/api/notifications/{id}/unread/", identity.User, s.postUnread, "Mark one as not read")
	httpx.Post(s.HTTP, "/api/notifications/{id}/snooze/", identity.User, s.postSnooze, "Read it later: it comes back then",
		httpx.Describe("Without a body, after your `snooze_minutes`. Snoozed again, the last one counts."))
	httpx.Delete(s.HTTP, "/api/notifications/{id}/", identity.User, s.deleteNotification, "Delete one")

	httpx.Get(s.HTTP, "/api/notifications/preferences/", identity.User, s.getPreferences, "What you want to hear of, how and when")
	httpx.Put(s.HTTP, "/api/notifications/preferences/", identity.User, s.putPreferences, "Replace your preferences")
	httpx.Patch(s.HTTP, "/api/notifications/preferences/", identity.User, s.patchPreferences, "Change parts of your preferences")

	httpx.Get(s.HTTP, "/api/notifications/devices/", identity.User, s.getDevices, "Your devices that are pushed to, the last seen first")
	httpx.Post(s.HTTP, "/api/notifications/devices/", identity.User, s.postDevice, "Have a device pushed to", httpx.Status(http.StatusCreated),
		httpx.Describe("Send it at every start of the app. A token that is known is yours from then on. Of more than 20 devices the longest unseen goes. "+
			"409: `id_taken`."))
	httpx.Delete(s.HTTP, "/api/notifications/devices/{id}/", identity.User, s.deleteDevice, "Push to a device no more")

	page := httpx.Produces("text/html")
	httpx.Get(s.HTTP, "/api/notifications/unsubscribe/{token}/", identity.Anyone, s.getUnsubscribe, "The page behind the link in an e-mail", page,
		httpx.Describe("It changes nothing: mail scanners follow links."))
	httpx.Post(s.HTTP, "/api/notifications/unsubscribe/{token}/", identity.Anyone, s.postUnsubscribe, "No more e-mails of this kind", page,
		httpx.Describe("For the page and for mail programs (RFC 8058): the body may be anything."))
	httpx.Post(s.HTTP, "/api/notifications/unsubscribe/{token}/resubscribe/", identity.Anyone, s.postResubscribe, "E-mails of this kind after all", page)
}
