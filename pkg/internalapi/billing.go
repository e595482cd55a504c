package internalapi

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// Billing is the billing service as the others call it.
type Billing struct{ remote }

// Billing answers a client of the billing service.
func (c *Caller) Billing(base string) Billing { return Billing{c.to("billing", base)} }

// Plan is what a person may have at this moment, in all the residences that they own. A limit that is nil does not bind
// them.
type Plan struct {
	Tier        string `json:"tier"`
	Properties  *int   `json:"properties"`
	Tasks       *int   `json:"tasks"`
	Contractors *int   `json:"contractors"`
	Documents   *int   `json:"documents"`
	Equipment   *int   `json:"equipment"`
	// Unlimited says that limits bind nobody in this installation: whoever else is asked about has none either.
	Unlimited bool `json:"unlimited"`
	// Until is when it may change by itself; nil: not by itself.
	Until *time.Time `json:"until,omitempty"`
}

// Plan answers a person's plan: GET /internal/users/{id}/plan. Who is not known is on the free tier.
func (b Billing) Plan(ctx context.Context, user uuid.UUID) (Plan, error) {
	return call[Plan](ctx, b.remote, http.MethodGet, "/internal/users/"+user.String()+"/plan", nil)
}

// UsageQuery asks how much there is in the residences that a person owns: those that the service has heard of, and those
// that are named.
type UsageQuery struct {
	UserID       uuid.UUID   `json:"user_id"`
	ResidenceIDs []uuid.UUID `json:"residence_ids,omitempty"`
}

// TaskUsage is what task counts. A residence that it has not heard of as the person's, and that was not asked about, is
// missing; whether it is theirs is for residence to say.
type TaskUsage struct {
	Homes               map[uuid.UUID]TaskUse `json:"homes"`
	PersonalContractors int                   `json:"personal_contractors"`
}

// TaskUse is what a residence holds.
type TaskUse struct {
	Tasks       int `json:"tasks"`
	Contractors int `json:"contractors"`
}

// Usage answers how many tasks and contractors there are, in one statement: POST /internal/usage.
func (t Task) Usage(ctx context.Context, q UsageQuery) (TaskUsage, error) {
	return call[TaskUsage](ctx, t.remote, http.MethodPost, "/internal/usage", q)
}

// DocumentUsage is what document counts; what TaskUsage says of residences holds here too.
type DocumentUsage struct {
	Homes map[uuid.UUID]DocumentUse `json:"homes"`
}

// DocumentUse is what a residence holds.
type DocumentUse struct {
	Documents int `json:"documents"`
	Equipment int `json:"equipment"`
}

// Usage answers how many documents and pieces of equipment there are, in one statement: POST /internal/usage.
func (d Document) Usage(ctx context.Context, q UsageQuery) (DocumentUsage, error) {
	return call[DocumentUsage](ctx, d.remote, http.MethodPost, "/internal/usage", q)
}
