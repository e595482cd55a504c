// Package document is the service that owns the papers of homes: documents and warranties, the files behind them, and the
// equipment that they are about. Uploads, media, documents and equipment are its nouns, each with its own files here.
//
// Tables: uploads, claims (what keeps an upload and who sees it), loose_blobs (what is to be deleted from the storage),
// documents, equipment; residence_owners is a projection of who owns what; subjects, gone_things and gone_residences mark
// what other services said of their things; tombstones and sync_marks are for the delta sync (package delta).
//
// Events out: document.changed, equipment.changed, which name the owner whose status is stale when there is one more or one
// less. Events in: residence.deleted and user.deleted (erase what was theirs); residence.created, residence.changed and
// residence.members_changed (who owns it); user.changed, task.completed, task.completion_changed and contractor.changed
// (avatars, photos and files are claimed); task.deleted, task.changed and contractor.changed (documents let go of what is
// gone, or is elsewhere).
//
// An upload goes through the spool: it is cleaned as it comes (package filetype), turned upright where it must be (package
// reader, in a process of its own), stored under a key that was reserved ahead, and then has its row. What else is to be
// known of it, thumbnails, pages, words, is work that a row names, done by whoever leases it.
//
// The bytes of files are not in the database: package blob keeps them in a directory or in a bucket, under the keys that
// the rows of uploads name.
//
// Calls billing for an owner's plan and residence for who sees which residence, where the cache does not know; and task for
// what was done to equipment and for where the tasks and contractors are that a document is to name.
// Internal operations: what changed since a cursor for the gateway; documents in numbers, and what a person uses of their
// plan, for billing; which uploads and equipment somebody may name, and where that equipment is, for task and auth; files, and what a residence has on paper,
// for task's reports.
//
// Equipment stays in its residence: its history is made of what was done there. What task knows of that and what is known
// here are read at the same time, because both are bounded by the residences that the person sees.
package document
