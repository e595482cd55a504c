// Package notification tells people what concerns them: the inbox in the app, pushes to their devices, mails, and reminders of
// what is due.
//
// What happens elsewhere comes as events (events.go), what is due by the clock as reminders (reminder.go plans them, fire.go
// fires them, schedule.go knows the hours). Either becomes a notification in an inbox (inbox.go), and there it is decided, for
// every kind and channel in one place (recipient.go), what goes where. What goes somewhere is a message: a row for each address,
// that a sender takes under a lease (send.go), folds with others to the same address (parcel.go) and hands to a provider
// (deliver.go; push and mail are the ways). A letter (letter.go) is a mail that a person gets whatever they prefer.
//
// Tables: notifications, the inboxes; preferences and settings, what a person wants to hear of, how and when; devices;
// messages, what goes to which address, and what became of it; reminders, what a person is reminded of next; and the
// projections people, residences, members, tasks and warranties.
//
// Events in: user.registered, user.changed, user.deleted, auth.code_issued, auth.password_changed, auth.sessions_ended,
// residence.created, residence.changed, residence.deleted, residence.members_changed, residence.invited, task.created,
// task.changed, task.deleted, task.completed, task.completion_changed, task.report_requested, document.changed, billing.notice.
// Events out: notification.changed. Services called: task, for reports that are mailed.
//
// Codes come in a box that only this service's key opens (pkg/seal). It is opened when the mail is written, and nowhere kept.
package notification
