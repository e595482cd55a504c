package billing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/page"
)

// WebhookView is what a shop has told, without its words.
type WebhookView struct {
	ID         uuid.UUID  `json:"id" format:"uuid"`
	Source     Source     `json:"source" enum:"stripe,apple,google"`
	ExternalID string     `json:"external_id" doc:"The shop's own id"`
	Type       string     `json:"type"`
	Subject    *string    `json:"subject" doc:"The shop's id of the purchase that it is about"`
	State      string     `json:"state" enum:"pending,done,ignored,unclaimed,failed"`
	Outcome    string     `json:"outcome" doc:"What came of it, or the last error"`
	Tries      int        `json:"tries"`
	OccurredAt time.Time  `json:"occurred_at" doc:"By the shop's clock"`
	ReceivedAt time.Time  `json:"received_at"`
	NextAt     time.Time  `json:"next_at" doc:"When a pending one is worked off, at the earliest"`
	DoneAt     *time.Time `json:"done_at"`
}

// WholeWebhook is what a shop has told, as it is kept.
type WholeWebhook struct {
	WebhookView
	Body []byte `json:"-"`
	Text string `json:"body" db:"-"`
}

// ErrandView is what is to be done in a shop.
type ErrandView struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	UserID     uuid.UUID `json:"user_id" format:"uuid"`
	Source     Source    `json:"source" enum:"stripe,apple,google"`
	Kind       string    `json:"kind" enum:"cancel,acknowledge,forget"`
	ExternalID string    `json:"external_id" doc:"The shop's id of what it is to be done to"`
	ProductID  string    `json:"product_id"`
	State      string    `json:"state" enum:"pending,failed"`
	Outcome    string    `json:"outcome" doc:"The last error"`
	Tries      int       `json:"tries"`
	NextAt     time.Time `json:"next_at"`
	CreatedAt  time.Time `json:"created_at"`
}

// place is where a row stands in a list that begins with the latest.
type place struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// Webhooks lists what the shops have told, the latest first; an empty state or source leaves out none.
func (s *Service) Webhooks(ctx context.Context, state, source string, q page.Query) (page.List[WebhookView], error) {
	after, err := page.After[place](q)
	if err != nil {
		return page.List[WebhookView]{}, err
	}
	rows, err := readWebhooks(ctx, s.DB, state, source, after, q.Limit+1)
	if err != nil {
		return page.List[WebhookView]{}, err
	}
	return page.Cut(rows, q.Limit, func(w WebhookView) place { return place{w.ReceivedAt, w.ID} })
}

// WebhookOf answers one with what the shop said.
func (s *Service) WebhookOf(ctx context.Context, id uuid.UUID) (WholeWebhook, error) {
	hook, found, err := readWebhook(ctx, s.DB, id)
	if err == nil && !found {
		err = noSuchWebhook()
	}
	hook.Text = string(hook.Body)
	return hook, err
}

// Replay has a webhook worked off again, whatever came of it before: what it tells is taken once, however often.
func (s *Service) Replay(ctx context.Context, id uuid.UUID, by By) (WebhookView, error) {
	if err := by.refuse(); err != nil {
		return WebhookView{}, err
	}
	hook, found, err := replayWebhook(ctx, s.DB, id, by, s.Clock.Now())
	if err == nil && !found {
		err = noSuchWebhook()
	}
	if err != nil {
		return WebhookView{}, err
	}
	s.work.ringAll()
	return hook, nil
}

func noSuchWebhook() error { return apperr.NoSuchThing.New("There is no such webhook.") }

// Errands lists what is to be done in the shops, the latest first.
func (s *Service) Errands(ctx context.Context, state string, q page.Query) (page.List[ErrandView], error) {
	after, err := page.After[place](q)
	if err != nil {
		return page.List[ErrandView]{}, err
	}
	rows, err := readErrands(ctx, s.DB, state, after, q.Limit+1)
	if err != nil {
		return page.List[ErrandView]{}, err
	}
	return page.Cut(rows, q.Limit, func(e ErrandView) place { return place{e.CreatedAt, e.ID} })
}

// Retry has an errand tried now, as if it had not been tried before.
func (s *Service) Retry(ctx context.Context, id uuid.UUID, by By) (ErrandView, error) {
	if err := by.refuse(); err != nil {
		return ErrandView{}, err
	}
	errand, found, err := retryErrand(ctx, s.DB, id, by, s.Clock.Now())
	if err == nil && !found {
		err = apperr.NoSuchThing.New("There is no such errand: what has been done is not kept.")
	}
	if err != nil {
		return ErrandView{}, err
	}
	s.work.ringAll()
	return errand, nil
}
