// Package notification tells people what concerns them: the inbox in the app, what each person wants to hear of, and the
// codes that they are sent.
//
// Tables: notifications, the inbox; preferences, a row for each person and kind; messages, codes on their way to a
// person, sealed until they are sent, reports that they have ordered, and what there is to say about their subscription;
// and the projections people, residences, members and warranties.
//
// Events in: user.registered (preferences, people), user.changed (people), auth.code_issued (messages),
// residence.created, residence.members_changed, residence.deleted (residences, members, warranties), task.completed (notifications),
// task.report_requested, billing.notice (messages), document.changed (warranties).
// Events out: none. Services called: none.
//
// A code comes in a box that only this service's key opens (pkg/seal). A worker opens it when it hands the message to a
// transport. Without a transport messages wait until they expire; so do reports and what there is to say about a
// subscription, which the terminal does not show.
package notification
