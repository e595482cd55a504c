// Package task is the service that owns what is to be done in a home: tasks, their completions, contractors, and the
// lookup tables of these. And templates: what there is to do in most homes.
//
// Tables: tasks, completions, task_skips, contractors, contractor_favorites, calendar_feeds, task_categories, task_priorities, task_frequencies,
// contractor_specialties, task_templates; people is a projection of auth's users, and residence_owners of who
// owns what; gone_residences, gone_members and gone_equipment mark what was deleted and who left of late; tombstones and
// sync_marks are for the delta sync (package delta).
//
// Events out: task.created, task.changed, task.deleted, task.completed, task.completion_changed, contractor.changed,
// task.report_requested.
// Events in: user.registered and user.changed (people), residence.created, residence.changed and residence.members_changed
// (who owns it), residence.changed (its zone says on which day something was done),
// residence.deleted (erase what it holds), residence.members_changed (who is gone is assigned to nothing),
// equipment.changed (what names deleted equipment lets go of it).
//
// What an owner's plan has room for (pkg/plans) is counted and added under one lock an owner, over all the residences that
// they own, in the one round trip of the write; without a limit nothing is counted. The events of what is one more or one
// less name the owner, whose status is stale then.
//
// Calls billing for an owner's plan and residence for who sees which residence, where the cache does not know, and for what
// a report says of the residence; and document for where equipment is that somebody names and whether files are theirs to name, for the photos
// of reports, and for what a history says of equipment, warranties and other papers. Internal operations: counts by
// residence for residence, what a person uses of their plan for billing, what was done to equipment for document, lookups and
// what changed since a cursor for the gateway, reports for notification.
//
// A completion names its contractor by id and shows the name that it has now; the name itself is written when the
// contractor is deleted, so that what it has done stays in the log. History, costs and contractors' figures are summed up
// from the completions when they are asked for: no table repeats them.
//
// The hot path is the board: the residence ids and the ETag come from Redis, the tasks from one statement on one table.
// For that a task's row carries what is derived from its log of completions and skips: next due date, whether it is done,
// whose turn it is, count, and the newest ten. They are derived by replaying the log (package recur), and written only
// over the version that was replayed.
package task
