// Package residence owns the residences, who belongs to each, and the codes that let somebody join.
//
// Tables: residences, members (one owner each), primary_homes (at most one a person), share_codes, join_tries,
// invitations_sent, residence_types, and the projection people; tombstones and sync_marks for the delta sync (package delta).
//
// Events out: residence.created, residence.changed, residence.deleted, residence.members_changed. They carry everybody
// who sees, or saw, the residence, so that each person's cached access is dropped, and their status. residence.invited:
// a share code that is to be mailed, sealed for notification.
//
// Events in: user.registered, user.changed (the projection people).
//
// Calls: task, for the counts of open, overdue and soon due tasks; billing, for how many residences somebody may own, where
// the cache does not know.
//
// A change to a residence or its members takes the lock of the residence's row first, in the same round trip (see
// underLock): two changes of one residence follow each other, and the second sees what the first has done. That is why
// a transfer and a leave at the same moment leave exactly one owner, and why a code is used once.
package residence
