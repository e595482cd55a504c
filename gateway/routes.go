package gateway

import (
	"time"

	"hearth.internal/pkg/identity"
)

// Route is one line of the table.
type Route struct {
	Method   string
	Path     string // with its trailing slash; without it the answer is the same
	Service  string
	Guard    identity.Guard
	Rate     Rate
	Body     Body
	Deadline time.Duration // for the whole request, retry included
}

// The parts that answer.
const (
	auth      = "auth"
	residence = "residence"
	task      = "task"
	papers    = "document" // files, documents and equipment
	billing   = "billing"
	notice    = "notification"
	itself    = "gateway"
)

// Rate names the class by which calls are counted and limited.
type Rate string

// The classes. Sign-in and feeds are counted by address, mail by address and recipient, the others by person.
const (
	signIn Rate = "sign_in" // guesses at passwords and codes
	mail   Rate = "mail"    // makes us send an e-mail
	read   Rate = "read"
	write  Rate = "write"
	bulk   Rate = "bulk" // many rows at once
	feed   Rate = "feed" // guesses at keys in addresses
	hook   Rate = "hook" // what the shops tell; counted by address
	live   Rate = "live" // opens a stream; how many may be open is bounded as well
	free   Rate = "free" // not limited
)

// Body names how much a request may carry, and how it passes.
type Body int

// small is read whole before anything is forwarded: up to Config.BodyLimit. streamed passes through as it comes, in both
// directions: up to Config.UploadLimit.
const (
	small Body = iota
	streamed
)

// A service bounds its work at 15 seconds; the gateway waits a little longer, so that the service's own answer wins.
const quick = 17 * time.Second

// slow is for files, which take as long as the client's line does; the service bounds them at ten minutes.
const slow = 10*time.Minute + 5*time.Second

const (
	get, post, put, patch, del = "GET", "POST", "PUT", "PATCH", "DELETE"
)

// Table lists every operation that can be reached from outside, and who may. What is not here does not exist.
func Table() []Route {
	anyone, user := identity.Anyone, identity.User
	return []Route{
		// Accounts and sessions.
		{post, "/api/auth/register/", auth, anyone, signIn, small, quick},
		{post, "/api/auth/login/", auth, anyone, signIn, small, quick},
		{post, "/api/auth/logout/", auth, user, write, small, quick},
		{post, "/api/auth/logout-all/", auth, user, write, small, quick},
		{get, "/api/auth/me/", auth, user, read, small, quick},
		{put, "/api/auth/profile/", auth, user, write, small, quick},
		{patch, "/api/auth/profile/", auth, user, write, small, quick},
		{post, "/api/auth/verify-email/", auth, user, signIn, small, quick},
		{post, "/api/auth/resend-verification/", auth, user, mail, small, quick},
		{post, "/api/auth/forgot-password/", auth, anyone, mail, small, quick},
		{post, "/api/auth/verify-reset-code/", auth, anyone, signIn, small, quick},
		{post, "/api/auth/reset-password/", auth, anyone, signIn, small, quick},
		{post, "/api/auth/change-password/", auth, user, signIn, small, quick},
		{get, "/api/auth/sessions/", auth, user, read, small, quick},
		{del, "/api/auth/sessions/{id}/", auth, user, write, small, quick},

		// Residences and who shares them.
		{get, "/api/residences/", residence, user, read, small, quick},
		{post, "/api/residences/", residence, user, write, small, quick},
		{get, "/api/residences/{id}/", residence, user, read, small, quick},
		{put, "/api/residences/{id}/", residence, user, write, small, quick},
		{patch, "/api/residences/{id}/", residence, user, write, small, quick},
		{del, "/api/residences/{id}/", residence, user, write, small, quick},
		{get, "/api/residences/my-residences/", residence, user, read, small, quick},
		{get, "/api/residences/summary/", residence, user, read, small, quick},
		{get, "/api/residences/types/", residence, user, read, small, quick},
		{post, "/api/residences/{id}/generate-share-code/", residence, user, write, small, quick},
		{get, "/api/residences/{id}/share-code/", residence, user, read, small, quick},
		{del, "/api/residences/{id}/share-code/", residence, user, write, small, quick},
		{post, "/api/residences/{id}/generate-share-package/", residence, user, write, small, quick},
		{post, "/api/residences/join-with-code/", residence, user, signIn, small, quick},
		{get, "/api/residences/{id}/users/", residence, user, read, small, quick},
		{patch, "/api/residences/{id}/users/{user_id}/", residence, user, write, small, quick},
		{del, "/api/residences/{id}/users/{user_id}/", residence, user, write, small, quick},
		{post, "/api/residences/{id}/transfer/", residence, user, write, small, quick},
		{post, "/api/residences/{id}/generate-tasks-report/", task, user, bulk, small, quick},
		{post, "/api/residences/{id}/generate-history-report/", task, user, bulk, small, quick},

		// Tasks.
		{get, "/api/tasks/", task, user, read, small, quick},
		{post, "/api/tasks/", task, user, write, small, quick},
		{post, "/api/tasks/bulk/", task, user, bulk, small, quick},
		{get, "/api/tasks/by-residence/{residence_id}/", task, user, read, small, quick},
		{get, "/api/tasks/categories/", task, user, read, small, quick},
		{get, "/api/tasks/priorities/", task, user, read, small, quick},
		{get, "/api/tasks/frequencies/", task, user, read, small, quick},
		{get, "/api/tasks/templates/", task, user, read, small, quick},
		{get, "/api/tasks/templates/grouped/", task, user, read, small, quick},
		{get, "/api/tasks/templates/search/", task, user, read, small, quick},
		{get, "/api/tasks/templates/by-category/{id}/", task, user, read, small, quick},
		{get, "/api/tasks/templates/{id}/", task, user, read, small, quick},
		{post, "/api/tasks/templates/apply/", task, user, bulk, small, quick},
		{get, "/api/tasks/{id}/", task, user, read, small, quick},
		{put, "/api/tasks/{id}/", task, user, write, small, quick},
		{patch, "/api/tasks/{id}/", task, user, write, small, quick},
		{del, "/api/tasks/{id}/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/mark-in-progress/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/cancel/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/uncancel/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/archive/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/unarchive/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/quick-complete/", task, user, write, small, quick},
		{get, "/api/tasks/{id}/completions/", task, user, read, small, quick},
		{post, "/api/tasks/preview/", task, user, read, small, quick},
		{get, "/api/tasks/{id}/occurrences/", task, user, read, small, quick},
		{post, "/api/tasks/{id}/skip/", task, user, write, small, quick},
		{get, "/api/tasks/{id}/skips/", task, user, read, small, quick},
		{del, "/api/tasks/{id}/skips/{skip_id}/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/pause/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/resume/", task, user, write, small, quick},
		{post, "/api/tasks/by-residence/{residence_id}/pause/", task, user, bulk, small, quick},
		{post, "/api/tasks/by-residence/{residence_id}/resume/", task, user, bulk, small, quick},
		{post, "/api/tasks/{id}/checklist/{item_id}/check/", task, user, write, small, quick},
		{post, "/api/tasks/{id}/checklist/{item_id}/uncheck/", task, user, write, small, quick},
		{get, "/api/tasks/{id}/history/", task, user, read, small, quick},
		{get, "/api/residences/{id}/history/", task, user, read, small, quick},
		{get, "/api/residences/{id}/costs/", task, user, read, small, quick},

		// Completions.
		{get, "/api/task-completions/", task, user, read, small, quick},
		{post, "/api/task-completions/", task, user, write, small, quick},
		{get, "/api/task-completions/{id}/", task, user, read, small, quick},
		{put, "/api/task-completions/{id}/", task, user, write, small, quick},
		{del, "/api/task-completions/{id}/", task, user, write, small, quick},

		// Contractors.
		{get, "/api/contractors/", task, user, read, small, quick},
		{post, "/api/contractors/", task, user, write, small, quick},
		{get, "/api/contractors/specialties/", task, user, read, small, quick},
		{get, "/api/contractors/by-residence/{residence_id}/", task, user, read, small, quick},
		{get, "/api/contractors/{id}/", task, user, read, small, quick},
		{put, "/api/contractors/{id}/", task, user, write, small, quick},
		{patch, "/api/contractors/{id}/", task, user, write, small, quick},
		{del, "/api/contractors/{id}/", task, user, write, small, quick},
		{post, "/api/contractors/{id}/toggle-favorite/", task, user, write, small, quick},
		{get, "/api/contractors/{id}/tasks/", task, user, read, small, quick},
		{get, "/api/contractors/{id}/history/", task, user, read, small, quick},

		// Files.
		{post, "/api/uploads/", papers, user, write, streamed, slow},
		{post, "/api/uploads/direct/", papers, user, write, small, quick},
		{get, "/api/uploads/{id}/", papers, user, read, small, quick},
		{del, "/api/uploads/{id}/", papers, user, write, small, quick},
		{post, "/api/uploads/{id}/confirm/", papers, user, bulk, small, slow},
		{get, "/api/media/{upload_id}/", papers, user, read, streamed, slow},

		// Equipment.
		{get, "/api/equipment/", papers, user, read, small, quick},
		{post, "/api/equipment/", papers, user, write, small, quick},
		{get, "/api/equipment/{id}/", papers, user, read, small, quick},
		{put, "/api/equipment/{id}/", papers, user, write, small, quick},
		{patch, "/api/equipment/{id}/", papers, user, write, small, quick},
		{del, "/api/equipment/{id}/", papers, user, write, small, quick},
		{get, "/api/equipment/{id}/history/", papers, user, read, small, quick},

		// Calendar apps, which send a key in the address and no token.
		{get, "/api/calendar/", task, user, read, small, quick},
		{post, "/api/calendar/", task, user, write, small, quick},
		{del, "/api/calendar/", task, user, write, small, quick},
		{get, "/api/calendar/{key}/tasks.ics", task, anyone, feed, small, quick},

		// Documents and warranties.
		{get, "/api/documents/", papers, user, read, small, quick},
		{post, "/api/documents/", papers, user, write, small, quick},
		{get, "/api/documents/warranties/", papers, user, read, small, quick},
		{get, "/api/documents/{id}/", papers, user, read, small, quick},
		{put, "/api/documents/{id}/", papers, user, write, small, quick},
		{patch, "/api/documents/{id}/", papers, user, write, small, quick},
		{del, "/api/documents/{id}/", papers, user, write, small, quick},
		{post, "/api/documents/{id}/activate/", papers, user, write, small, quick},
		{post, "/api/documents/{id}/deactivate/", papers, user, write, small, quick},
		{post, "/api/documents/{id}/images/", papers, user, write, small, quick},
		{del, "/api/documents/{id}/images/{image_id}/", papers, user, write, small, quick},

		// Notifications. Links in e-mails carry a token of their own.
		{get, "/api/notifications/", notice, user, read, small, quick},
		{get, "/api/notifications/unread-count/", notice, user, read, small, quick},
		{post, "/api/notifications/mark-all-read/", notice, user, write, small, quick},
		{post, "/api/notifications/clear/", notice, user, write, small, quick},
		{post, "/api/notifications/{id}/read/", notice, user, write, small, quick},
		{post, "/api/notifications/{id}/unread/", notice, user, write, small, quick},
		{post, "/api/notifications/{id}/snooze/", notice, user, write, small, quick},
		{del, "/api/notifications/{id}/", notice, user, write, small, quick},
		{get, "/api/notifications/preferences/", notice, user, read, small, quick},
		{put, "/api/notifications/preferences/", notice, user, write, small, quick},
		{patch, "/api/notifications/preferences/", notice, user, write, small, quick},
		{get, "/api/notifications/devices/", notice, user, read, small, quick},
		{post, "/api/notifications/devices/", notice, user, write, small, quick},
		{del, "/api/notifications/devices/{id}/", notice, user, write, small, quick},
		{get, "/api/notifications/unsubscribe/{token}/", notice, anyone, feed, small, quick},
		{post, "/api/notifications/unsubscribe/{token}/", notice, anyone, feed, small, quick},
		{post, "/api/notifications/unsubscribe/{token}/resubscribe/", notice, anyone, feed, small, quick},

		// Subscriptions. The shops prove themselves by what they send.
		{get, "/api/subscription/", billing, user, read, small, quick},
		{get, "/api/subscription/status/", billing, user, read, small, quick},
		{get, "/api/subscription/features/", billing, user, read, small, quick},
		{get, "/api/subscription/upgrade-triggers/", billing, user, read, small, quick},
		{get, "/api/subscription/upgrade-trigger/{key}/", billing, user, read, small, quick},
		{get, "/api/subscription/promotions/", billing, user, read, small, quick},
		{get, "/api/subscription/products/", billing, user, read, small, quick},
		{post, "/api/subscription/checkout/", billing, user, write, small, quick},
		{post, "/api/subscription/portal/", billing, user, write, small, quick},
		{post, "/api/subscription/cancel/", billing, user, write, small, quick},
		{post, "/api/subscription/resume/", billing, user, write, small, quick},
		{post, "/api/subscription/change/", billing, user, write, small, quick},
		{post, "/api/subscription/purchase/", billing, user, write, small, quick},
		{post, "/api/subscription/restore/", billing, user, bulk, small, quick},
		{post, "/api/subscription/webhook/stripe/", billing, anyone, hook, small, quick},
		{post, "/api/subscription/webhook/apple/", billing, anyone, hook, small, quick},
		{post, "/api/subscription/webhook/google/", billing, anyone, hook, small, quick},

		// The gateway's own.
		{get, "/api/static_data/", itself, user, read, small, quick},
		{get, "/api/sync/", itself, user, read, small, quick},
		{get, "/api/events/", itself, user, live, small, quick},
		{get, "/api/health/", itself, anyone, free, small, quick},
		{get, "/api/openapi.json", itself, anyone, free, small, quick},
		{get, "/api/docs/", itself, anyone, free, small, quick},
		{get, "/api/docs/{asset}/", itself, anyone, free, small, quick},
	}
}
