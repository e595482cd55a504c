package events

import (
	"encoding/hex"

	"github.com/google/uuid"

	"hearth.internal/pkg/cache"
)

// The services.
const (
	Auth         = "auth"
	Residence    = "residence"
	Task         = "task"
	Document     = "document"
	Notification = "notification"
	Billing      = "billing"
	Admin        = "admin"
)

// Catalogue lists every event there is. An event that is not here is not published.
func Catalogue() []definition {
	return []definition{
		UserRegistered, UserChanged, UserDeleted, CodeIssued, PasswordChanged, SessionsEnded,
		ResidenceCreated, ResidenceChanged, ResidenceDeleted, MembersChanged, Invited,
		TaskCreated, TaskChanged, TaskDeleted, TaskCompleted, CompletionChanged, ContractorChanged, ReportRequested,
		DocumentChanged, EquipmentChanged,
		SubscriptionChanged, TermsChanged, OffersChanged, BillingNotice,
		NotificationsChanged,
	}
}

// User is a person as the other services know them. A projection takes it only when Version is newer than what it has.
type User struct {
	ID        uuid.UUID `json:"id"`
	Email     string    `json:"email"`
	Username  string    `json:"username"`
	FirstName string    `json:"first_name"`
	LastName  string    `json:"last_name"`
	Timezone  string    `json:"timezone"`
	Locale    string    `json:"locale"`
	AvatarID  uuid.UUID `json:"avatar_upload_id,omitzero"`
	// EmailVerified says whether the address is known to be theirs; nil: the event is from before that was told.
	EmailVerified *bool `json:"email_verified,omitempty"`
	Version       int   `json:"version"`
}

// UserRegistered: a new account.
var UserRegistered = Event[User]{
	Name: "user.registered", Producer: Auth, Consumers: []string{Residence, Task, Notification, Billing, Admin},
}

// UserChanged: profile, e-mail address, zone or state of an account. Tokens names the sessions to be read anew.
var UserChanged = Event[UserChange]{
	Name: "user.changed", Producer: Auth, Consumers: []string{Residence, Task, Document, Notification},
	Keys: func(c UserChange) []string { return tokenKeys(c.TokenHashes) },
	Live: func(c UserChange) Update { return liveMember(c.ID, c.ID, c.Version) },
}

// UserChange is the person after the change, and the hashes (hex) of the tokens whose cached session has changed with it.
type UserChange struct {
	User
	TokenHashes []string `json:"token_hashes"`
}

// UserDeleted: the person is gone, and what is theirs alone is to go with them. What they left in residences of others
// stays there.
var UserDeleted = Event[Person]{
	Name: "user.deleted", Producer: Auth, Consumers: []string{Document, Billing, Notification},
}

// Person is somebody by their id alone.
type Person struct {
	ID uuid.UUID `json:"id"`
}

// CodeIssued: somebody is to be sent a code. The code itself is sealed for notification.
var CodeIssued = Event[Code]{
	Name: "auth.code_issued", Producer: Auth, Consumers: []string{Notification},
}

// Code is a code on its way to a person.
type Code struct {
	UserID    uuid.UUID `json:"user_id"`
	Purpose   string    `json:"purpose"` // verify_email, reset_password
	Email     string    `json:"email"`
	FirstName string    `json:"first_name"`
	Locale    string    `json:"locale"`
	Sealed    []byte    `json:"sealed"` // a CodeBox in JSON, in an anonymous NaCl box for notification's key
	ExpiresAt string    `json:"expires_at"`
}

// CodeBox is what Code.Sealed holds. It travels sealed alone.
type CodeBox struct {
	Code string `json:"code"`
}

// PasswordChanged: a person has another password, by themselves we hope.
var PasswordChanged = Event[NewPassword]{
	Name: "auth.password_changed", Producer: Auth, Consumers: []string{Notification},
}

// NewPassword says how it came about: changed by who knew the old one, or reset with a code.
type NewPassword struct {
	UserID uuid.UUID `json:"user_id"`
	How    string    `json:"how"` // changed, reset
}

// SessionsEnded: these tokens are dead. What was registered in these sessions hears no more.
var SessionsEnded = Event[Sessions]{
	Name: "auth.sessions_ended", Producer: Auth, Consumers: []string{Notification},
	Keys: func(s Sessions) []string { return tokenKeys(s.TokenHashes) },
}

// Sessions are a person's sessions: their ids, and the SHA-256 (hex) of their tokens, in no order.
type Sessions struct {
	UserID      uuid.UUID   `json:"user_id"`
	SessionIDs  []uuid.UUID `json:"session_ids,omitempty"`
	TokenHashes []string    `json:"token_hashes"`
}

// Home is a residence as the other services know it, with everybody who sees it.
type Home struct {
	ID        uuid.UUID   `json:"id"`
	OwnerID   uuid.UUID   `json:"owner_id"`
	Name      string      `json:"name"`
	Timezone  string      `json:"timezone"`
	Currency  string      `json:"currency"`
	MemberIDs []uuid.UUID `json:"member_ids"`
	ActorID   uuid.UUID   `json:"actor_id"`
	Version   int         `json:"version"`
}

func homeKeys(h Home) []string { return append(memberKeys(h.MemberIDs), cache.RevisionKey(h.ID)) }

// ResidenceCreated: a new residence.
var ResidenceCreated = Event[Home]{
	Name: "residence.created", Producer: Residence, Consumers: []string{Task, Document, Notification}, Keys: homeKeys, Live: liveMembersHome,
}

// ResidenceChanged: its name, zone, currency, address or owner. Task derives due dates anew: the zone says on which day
// something was done.
var ResidenceChanged = Event[Home]{
	Name: "residence.changed", Producer: Residence, Consumers: []string{Task, Document, Notification}, Keys: homeKeys, Live: liveHome,
}

// ResidenceDeleted: everything that it holds is to go, in every service.
var ResidenceDeleted = Event[Home]{
	Name: "residence.deleted", Producer: Residence, Consumers: []string{Task, Document, Notification}, Keys: homeKeys, Live: liveMembersHome,
}

// MembersChanged: somebody joined, left, was removed or has another role.
var MembersChanged = Event[Membership]{
	Name: "residence.members_changed", Producer: Residence, Consumers: []string{Task, Document, Notification},
	Keys: func(m Membership) []string {
		return append(memberKeys(m.AffectedIDs), cache.RevisionKey(m.ResidenceID))
	},
	Live: liveMembership,
}

// Membership is one person's change in a residence.
type Membership struct {
	ResidenceID uuid.UUID `json:"residence_id"`
	OwnerID     uuid.UUID `json:"owner_id"`
	UserID      uuid.UUID `json:"user_id"`
	Change      string    `json:"change"` // joined, left, removed, role, transferred
	Role        string    `json:"role"`   // now; empty when gone
	ActorID     uuid.UUID `json:"actor_id"`
	// AffectedIDs are all members before and after.
	AffectedIDs []uuid.UUID `json:"affected_ids"`
}

// Invited: somebody is to be sent the code with which they can join. The code itself is sealed for notification.
var Invited = Event[Invitation]{
	Name: "residence.invited", Producer: Residence, Consumers: []string{Notification},
}

// Invitation is a code on its way to an address, which need not be anybody's whom we know.
type Invitation struct {
	ResidenceID   uuid.UUID `json:"residence_id"`
	ResidenceName string    `json:"residence_name"`
	InviterID     uuid.UUID `json:"inviter_id"`
	InviterName   string    `json:"inviter_name"`
	Email         string    `json:"email"`
	Locale        string    `json:"locale"` // the inviter's
	Role          string    `json:"role"`   // member, viewer
	Sealed        []byte    `json:"sealed"` // a CodeBox in JSON, in an anonymous NaCl box for notification's key
	ExpiresAt     string    `json:"expires_at"`
}

// TaskRef is a task as the other services know it.
type TaskRef struct {
	ID           uuid.UUID `json:"id"`
	ResidenceID  uuid.UUID `json:"residence_id"`
	Title        string    `json:"title"`
	NextDueDate  string    `json:"next_due_date,omitempty"` // YYYY-MM-DD
	AssignedToID uuid.UUID `json:"assigned_to_id,omitzero"`
	Open         bool      `json:"open"`     // not cancelled, archived or done for good
	ActorID      uuid.UUID `json:"actor_id"` // who did it; zero: it came about by itself
	// Version grows with every change and with the deletion, and goes on when the task is added again under its id.
	Version int `json:"version"`
	// PreviousResidenceID is where it was, when the change moved it.
	PreviousResidenceID uuid.UUID `json:"previous_residence_id,omitzero"`
	Counted
}

// Counted says in whose usage something is one more or one less; nobody's is another when it was only edited.
type Counted struct {
	OwnerID         uuid.UUID `json:"owner_id,omitzero"`          // of the residence
	PreviousOwnerID uuid.UUID `json:"previous_owner_id,omitzero"` // of the one where it was, when the change moved it
}

func (c Counted) keys() []string { return statusKeys(c.OwnerID, c.PreviousOwnerID) }

func taskKeys(t TaskRef) []string {
	return append(movedKeys(t.ResidenceID, t.PreviousResidenceID), t.Counted.keys()...)
}

// movedKeys are those of where something is, and of where it was if it has moved.
func movedKeys(residence, previous uuid.UUID) []string {
	if previous != uuid.Nil {
		return revisionKeys([]uuid.UUID{residence, previous})
	}
	return revisionKeys([]uuid.UUID{residence})
}

// TaskCreated: a new task.
var TaskCreated = Event[TaskRef]{
	Name: "task.created", Producer: Task, Consumers: []string{Notification}, Keys: taskKeys, Live: liveTask,
}

// TaskChanged: its fields or its state.
var TaskChanged = Event[TaskRef]{
	Name: "task.changed", Producer: Task, Consumers: []string{Document, Notification}, Keys: taskKeys, Live: liveTask,
}

// TaskDeleted: it is gone, with its completions.
var TaskDeleted = Event[TaskRef]{
	Name: "task.deleted", Producer: Task, Consumers: []string{Document, Notification}, Keys: taskKeys, Live: liveTask,
}

// Completion is one doing of a task.
type Completion struct {
	ID          uuid.UUID `json:"id"`
	Task        TaskRef   `json:"task"`
	CompletedBy uuid.UUID `json:"completed_by_id"`
	CompletedAt string    `json:"completed_at"`
	// UploadIDs are the photos that the completion has now.
	UploadIDs []uuid.UUID `json:"upload_ids"`
	Gone      bool        `json:"gone,omitempty"` // it was undone: it has no photos any more
	// Version is the task's. It grows with every change of the completion, also when it is undone and added again under the
	// same id.
	Version int `json:"version"`
}

func completionKeys(c Completion) []string { return taskKeys(c.Task) }

// TaskCompleted: somebody did it.
var TaskCompleted = Event[Completion]{
	Name: "task.completed", Producer: Task, Consumers: []string{Document, Notification}, Keys: completionKeys, Live: liveCompletion,
}

// CompletionChanged: a completion was edited or undone; the task stands as it says.
var CompletionChanged = Event[Completion]{
	Name: "task.completion_changed", Producer: Task, Consumers: []string{Document, Notification}, Keys: completionKeys, Live: liveCompletion,
}

// ContractorChanged: created, edited, shared, made a favourite or deleted. ResidenceIDs are those that it is, or was,
// shared with or named in. A person's list has a revision of its own, for what no residence holds.
var ContractorChanged = Event[Contractor]{
	Name: "contractor.changed", Producer: Task, Consumers: []string{Document},
	Keys: func(c Contractor) []string {
		return append(revisionKeys(append([]uuid.UUID{c.CreatedBy, c.ActorID}, c.ResidenceIDs...)), statusKeys(c.OwnerIDs...)...)
	},
	Live: liveContractor,
}

// Contractor is one as the other services know it.
type Contractor struct {
	ID           uuid.UUID   `json:"id"`
	CreatedBy    uuid.UUID   `json:"created_by_id"`
	ResidenceIDs []uuid.UUID `json:"residence_ids"`
	// OwnerIDs are those in whose usage it is one more or one less: a residence's owner, or who added a personal one.
	OwnerIDs []uuid.UUID `json:"owner_ids,omitempty"`
	ActorID  uuid.UUID   `json:"actor_id"`
	Change   string      `json:"change"` // created, changed, favorite, deleted
	// ResidenceID is where it is shared now; nil: it is a personal one of CreatedBy's.
	ResidenceID *uuid.UUID `json:"residence_id"`
	// UploadIDs are the files that it has now; none when it was deleted.
	UploadIDs []uuid.UUID `json:"upload_ids"`
	// Version grows with every change and with the deletion. A favourite changes nothing of the contractor: there it is 0,
	// and no files are told of.
	Version int `json:"version"`
}

// memberKeys are what those who see a residence have cached of who sees and owns what.
func memberKeys(users []uuid.UUID) []string {
	keys := make([]string, 0, 2*len(users)+1)
	for _, id := range users {
		keys = append(keys, cache.HomesKey(id))
	}
	return append(keys, statusKeys(users...)...)
}

// statusKeys are of those whose usage a change counts for; who is nobody has none.
func statusKeys(owners ...uuid.UUID) []string {
	keys := make([]string, 0, len(owners))
	for _, id := range owners {
		if id != uuid.Nil {
			keys = append(keys, cache.StatusKey(id))
		}
	}
	return keys
}

func revisionKeys(residences []uuid.UUID) []string {
	keys := make([]string, 0, len(residences))
	for _, id := range residences {
		keys = append(keys, cache.RevisionKey(id))
	}
	return keys
}

func tokenKeys(hashes []string) []string {
	keys := make([]string, 0, len(hashes))
	for _, h := range hashes {
		raw, err := hex.DecodeString(h)
		if err == nil { // ours are always hex
			keys = append(keys, cache.TokenKey(raw))
		}
	}
	return keys
}

// ReportRequested: somebody wants a report by e-mail.
var ReportRequested = Event[ReportRequest]{
	Name: "task.report_requested", Producer: Task, Consumers: []string{Notification},
}

// ReportRequest says which report whom.
type ReportRequest struct {
	Kind        string    `json:"kind"` // tasks, history
	ResidenceID uuid.UUID `json:"residence_id"`
	UserID      uuid.UUID `json:"user_id"`
	From        string    `json:"from,omitempty"` // YYYY-MM-DD, of tasks
	To          string    `json:"to,omitempty"`
	Paper       string    `json:"paper"`
	Locale      string    `json:"locale"`
}

// DocumentChanged: added, edited or deleted. What ends on a day is to be reminded of before.
var DocumentChanged = Event[DocumentRef]{
	Name: "document.changed", Producer: Document, Consumers: []string{Notification},
	Keys: func(d DocumentRef) []string {
		return append(movedKeys(d.ResidenceID, d.PreviousResidenceID), d.Counted.keys()...)
	},
	Live: func(d DocumentRef) Update {
		return Update{
			ResidenceIDs: liveMoved(d.ResidenceID, d.PreviousResidenceID), Subject: d.ID, Version: d.Version, Change: d.Change, ActorID: d.ActorID,
		}
	},
}

// DocumentRef is a paper as the other services know it.
type DocumentRef struct {
	ID          uuid.UUID `json:"id"`
	ResidenceID uuid.UUID `json:"residence_id"`
	Type        string    `json:"document_type"`
	Title       string    `json:"title"`
	ItemName    string    `json:"item_name,omitempty"`
	EndDate     string    `json:"end_date,omitempty"` // YYYY-MM-DD
	IsActive    bool      `json:"is_active"`
	ActorID     uuid.UUID `json:"actor_id"`
	Change      string    `json:"change"` // created, changed, deleted
	Version     int       `json:"version"`
	// PreviousResidenceID is where it was, when the change moved it.
	PreviousResidenceID uuid.UUID `json:"previous_residence_id,omitzero"`
	Counted
}

// EquipmentChanged: a piece of equipment was added, edited or deleted. What names one that is deleted lets go of it.
var EquipmentChanged = Event[EquipmentRef]{
	Name: "equipment.changed", Producer: Document, Consumers: []string{Task},
	Keys: func(e EquipmentRef) []string {
		return append(movedKeys(e.ResidenceID, e.PreviousResidenceID), e.Counted.keys()...)
	},
	Live: func(e EquipmentRef) Update {
		return Update{
			ResidenceIDs: liveMoved(e.ResidenceID, e.PreviousResidenceID), Subject: e.ID, Version: e.Version, Change: e.Change, ActorID: e.ActorID,
		}
	},
}

// EquipmentRef is an appliance or a system of a home as the other services know it.
type EquipmentRef struct {
	ID          uuid.UUID `json:"id"`
	ResidenceID uuid.UUID `json:"residence_id"`
	Name        string    `json:"name"`
	ActorID     uuid.UUID `json:"actor_id"`
	Change      string    `json:"change"` // created, changed, deleted
	Version     int       `json:"version"`
	// PreviousResidenceID is where it was, when the change moved it.
	PreviousResidenceID uuid.UUID `json:"previous_residence_id,omitzero"`
	Counted
}

// SubscriptionChanged: what a person has by their subscription is another: its tier, source or state.
var SubscriptionChanged = Event[Subscription]{
	Name: "subscription.changed", Producer: Billing,
	Keys: func(s Subscription) []string { return []string{cache.PlanKey(s.UserID), cache.StatusKey(s.UserID)} },
	Live: func(s Subscription) Update { return liveMember(s.UserID, uuid.Nil, s.Version) },
}

// Subscription is what a person has, as the other services know it.
type Subscription struct {
	UserID  uuid.UUID `json:"user_id"`
	Tier    string    `json:"tier"`
	Source  string    `json:"source"`
	State   string    `json:"state"`
	IsFree  bool      `json:"is_free"`
	Version int       `json:"version"`
}

// TermsChanged: what a tier allows, or whether limits bind at all.
var TermsChanged = Event[Terms]{
	Name: "billing.terms_changed", Producer: Billing,
	Keys: func(Terms) []string { return []string{cache.EveryPlan, cache.EveryStatus} },
}

// Terms says which table has changed, and who of the staff changed it.
type Terms struct {
	What    string    `json:"what"`
	ActorID uuid.UUID `json:"actor_id"`
}

// OffersChanged: one of the lists of what is offered: what the apps show of the tiers, or what is for sale.
var OffersChanged = Event[Terms]{
	Name: "billing.offers_changed", Producer: Billing,
	Keys: func(t Terms) []string { return []string{cache.OffersKey(t.What)} },
}

// BillingNotice: a person is to be written to about their subscription.
var BillingNotice = Event[Notice]{
	Name: "billing.notice", Producer: Billing, Consumers: []string{Notification},
}

// Notice is one thing to write about. What the kind has no use for is left out.
type Notice struct {
	UserID   uuid.UUID `json:"user_id"`
	Kind     string    `json:"kind"` // started, renewed, trial_ending, payment_failed, payment_action, ended, refunded
	Source   string    `json:"source"`
	Tier     string    `json:"tier"`
	Amount   int64     `json:"amount,omitempty"`   // in the currency's minor units
	Currency string    `json:"currency,omitempty"` // ISO 4217
	Until    string    `json:"until,omitempty"`    // RFC 3339: paid, tried or waited for until then
	URL      string    `json:"url,omitempty"`      // where to pay, or to see the receipt
}

// NotificationsChanged: what these people find in their inbox is another. A person's inbox goes by their own revision.
var NotificationsChanged = Event[Inboxes]{
	Name: "notification.changed", Producer: Notification,
	Keys: func(i Inboxes) []string {
		keys := revisionKeys(i.UserIDs)
		for _, id := range i.UserIDs {
			keys = append(keys, cache.UnreadKey(id))
		}
		return keys
	},
	Live: func(i Inboxes) Update { return Update{UserIDs: i.UserIDs} },
}

// Inboxes are those of these people.
type Inboxes struct {
	UserIDs []uuid.UUID `json:"user_ids"`
}
