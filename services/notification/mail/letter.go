// Package mail writes letters and hands them to a mail server.
package mail

import (
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/events"
)

// Letter is one mail to one person, before it is put into words and a layout.
type Letter struct {
	ID      uuid.UUID // names the mail for ever: its Message-ID is made of it, so that a second try is the same mail
	Purpose string    // which template; the constants below
	To      string    // the address
	Name    string    // the person's first name; may be empty
	Locale  string    // BCP 47, as the person has set it; what is not spoken becomes English
	Zone    *time.Location

	// What the purpose needs; the rest is zero.
	Code      string    // verify_email, reset_password, invitation
	Until     time.Time // until when it is good
	Residence string    // its name
	Actor     string    // who did it
	Task      string    // its title
	Role      string    // invitation, residence_shared: member, viewer, owner
	Change    string    // residence_shared: joined, removed, role, transferred; password_changed: changed, reset
	Title     string    // what the inbox says, in the person's language
	Body      string
	Sections  []Section // digest, due, updates, warranty_expiring
	Notice    *events.Notice
	Attached  *Attachment

	// Unsubscribe is the address of one click that ends mails of this kind (RFC 8058); empty: the mail is transactional.
	Unsubscribe string
}

// Section is a list in a letter, in the person's language.
type Section struct {
	Title string
	Tone  string // overdue, today, soon, later, or empty
	Items []Item
}

// Item is one line of it.
type Item struct {
	Title string
	Note  string // where, and when
}

// Attachment is a file in a letter.
type Attachment struct {
	Name        string
	ContentType string
	Content     []byte
}

// The purposes.
const (
	VerifyEmail     = "verify_email"
	ResetPassword   = "reset_password" //nolint:gosec // the name of a purpose
	Welcome         = "welcome"
	PasswordChanged = "password_changed" //nolint:gosec // the name of a purpose
	AccountDeleted  = "account_deleted"
	Invitation      = "invitation"
	ResidenceShared = "residence_shared"
	TaskAssigned    = "task_assigned"
	TaskCompleted   = "task_completed"
	Due             = "due"     // what one is reminded of: tasks that are due soon or overdue
	Digest          = "digest"  // the day at a glance
	Updates         = "updates" // several of the others in one, when they have waited
	Warranty        = "warranty_expiring"
	TasksReport     = "tasks_report"
	HistoryReport   = "history_report"
	BillingStarted  = "billing_started"
	BillingRenewed  = "billing_renewed"
	TrialEnding     = "billing_trial_ending"
	PaymentFailed   = "billing_payment_failed"
	PaymentAction   = "billing_payment_action"
	BillingEnded    = "billing_ended"
	BillingRefunded = "billing_refunded"
)
