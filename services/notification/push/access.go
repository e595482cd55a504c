package push

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	oauthjwt "golang.org/x/oauth2/jwt"
	"golang.org/x/sync/singleflight"

	"hearth.internal/notification/delivery"
)

// margin is how long before its end an access token is not shown any more.
const margin = time.Minute

// access gets the access tokens of a service account, each once for all who wait for it.
type access struct {
	account *oauthjwt.Config
	client  *http.Client
	flight  singleflight.Group

	mu      sync.Mutex
	current *oauth2.Token
}

// token answers a token that is good for a while, and waits for a new one no longer than ctx allows.
func (a *access) token(ctx context.Context) (string, error) {
	if kept := a.kept(); kept != "" {
		return kept, nil
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-a.flight.DoChan("", a.fetch):
		text, _ := got.Val.(string)
		return text, got.Err
	}
}

func (a *access) kept() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil || time.Until(a.current.Expiry) < margin {
		return ""
	}
	return a.current.AccessToken
}

// fetch asks Google. It goes on when who wanted the token has gone: others wait for the same.
func (a *access) fetch() (any, error) {
	if kept := a.kept(); kept != "" {
		return kept, nil
	}
	fresh, err := a.account.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, a.client)).Token()
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = fresh
	return fresh.AccessToken, nil
}

// forget drops a token that Google does not take, so that the next push asks for another.
func (a *access) forget(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current != nil && a.current.AccessToken == text {
		a.current = nil
	}
}

// noAccess is what it means that there is no access token. Google's text stays out, but for the code of the error.
func noAccess(ctx context.Context, err error) delivery.Result {
	const no = "no access token: "
	refusal, refused := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return delivery.Result{Outcome: delivery.Later, Reason: no + "given up before an answer came"}
	case !refused || refusal.Response == nil:
		return delivery.Result{Outcome: delivery.Later, Provider: true, Reason: no + "the token endpoint does not answer"}
	}
	x := &exchange{status: refusal.Response.StatusCode, header: refusal.Response.Header}
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(refusal.Body, &said) // without it the status has to do
	reason := no + x.named(said.Error)
	if x.status == http.StatusTooManyRequests || x.status >= http.StatusInternalServerError {
		return delivery.Result{Outcome: delivery.Later, Provider: true, Reason: reason, After: x.after(time.Now())}
	}
	return refusesUs(reason)
}
