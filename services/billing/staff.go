package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
)

// Because says who of the staff changes what a person has, and why.
type Because struct {
	By
	Reason string `json:"reason" required:"true" minLength:"1" maxLength:"500" pattern:"\\S" doc:"Why; it is kept with the change"`
}

// GrantFields are what staff give.
type GrantFields struct {
	RequestID *uuid.UUID `json:"request_id" format:"uuid" doc:"A UUID of your own: the same request again gives nothing more"`
	Tier      string     `json:"tier" required:"true" enum:"pro"`
	Until     *time.Time `json:"until" required:"true" doc:"Null: for good"`
}

// AccountView is a person's subscription as staff see it.
type AccountView struct {
	UserID uuid.UUID `json:"user_id"`
	Subscription
	IsFree           bool    `json:"is_free" doc:"Never limited, whatever the tier"`
	StripeCustomerID *string `json:"stripe_customer_id"`
}

func (a *Account) view(now time.Time) AccountView {
	return AccountView{UserID: a.UserID, Subscription: a.subscription(now), IsFree: a.IsFree, StripeCustomerID: a.Customer}
}

// AccountOf answers a person's subscription. It fails with not_found where nobody has heard of them, or they are gone.
func (s *Service) AccountOf(ctx context.Context, user uuid.UUID) (AccountView, error) {
	account, err := loadAccount(ctx, s.DB, whose{User: user, Certain: true})
	if err == nil {
		err = account.known()
	}
	if err != nil {
		return AccountView{}, err
	}
	return account.view(s.Clock.Now()), nil
}

// known refuses an account of nobody.
func (a *Account) known() error {
	if a.Gone || a.version == 0 {
		return noSuchPerson()
	}
	return nil
}

func noSuchPerson() error { return apperr.NoSuchThing.New("There is no such person.") }

// reviseByStaff is revise of an account that is somebody's, by staff.
func (s *Service) reviseByStaff(ctx context.Context, who whose, b Because, action string, change func(*Account) error) (AccountView, error) {
	if err := b.refuse(); err != nil {
		return AccountView{}, err
	}
	cause := Cause{Actor: "staff", ActorID: b.StaffID, Action: action, Reason: strings.TrimSpace(b.Reason)}
	account, err := s.revise(ctx, who, cause, func(a *Account) error {
		if err := a.known(); err != nil {
			return err
		}
		return change(a)
	})
	if errors.Is(err, errUnclaimed) { // the zero UUID is nobody's
		err = noSuchPerson()
	}
	if err == nil {
		err = account.known() // of one who is gone nothing is changed
	}
	if err != nil {
		return AccountView{}, err
	}
	return account.view(s.Clock.Now()), nil
}

// GiveTier grants a person a tier, and reports whether that is new: the same grant again is there once.
func (s *Service) GiveTier(ctx context.Context, user uuid.UUID, in GrantFields, b Because) (AccountView, bool, error) {
	id := uuid.Must(uuid.NewV7())
	request := id
	if in.RequestID != nil {
		request = *in.RequestID
	}
	until, ends := "for good", exactly(in.Until)
	switch {
	case request == uuid.Nil:
		return AccountView{}, false, apperr.InvalidField("body.request_id", "must not be the zero UUID")
	case ends != nil && (!ends.After(s.Clock.Now()) || !ends.Before(lastInstant)):
		return AccountView{}, false, apperr.InvalidField("body.until", "must be to come, and before the year 2200")
	case ends != nil:
		until = "until " + ends.Format(time.RFC3339)
	}
	var given bool
	who := whose{User: user, Certain: true, Source: Grant, External: request.String()}
	view, err := s.reviseByStaff(ctx, who, b, fmt.Sprintf("gave %s %s (%s)", in.Tier, until, id), func(a *Account) error {
		owner, taken := a.boughtBy[who.External]
		if given = !taken; taken {
			if owner != user {
				return apperr.IDTaken.New("That request was another person's.")
			}
			return nil
		}
		now := exact(s.Clock.Now())
		a.Purchases = append(a.Purchases, Purchase{
			ID: id, UserID: user, Source: Grant, ExternalID: request.String(), Tier: in.Tier, State: Active, Environment: "production",
			StartedAt: now, ExpiresAt: ends, ObservedAt: now, CreatedAt: now,
		})
		return nil
	})
	return view, given, err
}

// EndGrant ends a grant now; one that has ended stays as it is. It fails with not_found where the person has no such grant.
func (s *Service) EndGrant(ctx context.Context, user, grant uuid.UUID, b Because) (AccountView, error) {
	who := whose{User: user, Certain: true}
	return s.reviseByStaff(ctx, who, b, fmt.Sprintf("ended a grant (%s)", grant), func(a *Account) error {
		i := slices.IndexFunc(a.Purchases, func(p Purchase) bool { return p.Source == Grant && p.ID == grant })
		if i < 0 {
			return apperr.NoSuchThing.New("There is no such grant.")
		}
		if p, now := &a.Purchases[i], exact(s.Clock.Now()); !p.Ended(now) {
			p.State, p.ExpiresAt, p.ObservedAt = Expired, &now, now
		}
		return nil
	})
}

// SetFree frees a person from every limit, whatever their tier, or binds them again.
func (s *Service) SetFree(ctx context.Context, user uuid.UUID, free bool, b Because) (AccountView, error) {
	action := "freed from limits"
	if !free {
		action = "bound by limits again"
	}
	return s.reviseByStaff(ctx, whose{User: user, Certain: true}, b, action, func(a *Account) error {
		a.IsFree = free
		return nil
	})
}
