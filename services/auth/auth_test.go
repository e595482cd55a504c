package auth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/auth"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// service is a running auth service, with the key that opens what it seals.
type service struct {
	*testkit.Service
	key seal.PrivateKey
	cfg auth.Config
}

func run(t *testing.T, options ...func(*boot.Options)) service {
	t.Helper()
	return runWith(t, testkit.Config(t, "auth"), options...)
}

func runWith(t *testing.T, base config.Service, options ...func(*boot.Options)) service {
	t.Helper()
	public, private, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg := auth.Config{Service: base, CodeKeys: config.Keys{bytes.Repeat([]byte("c"), 32)}, SealPublicKey: public}
	return service{testkit.Run(t, base, auth.New(cfg), options...), private, cfg}
}

// person has an account and is signed in.
type person struct {
	*testkit.Client
	id, session               uuid.UUID
	email, username, password string
	token                     string
}

const goodPassword = "correct horse battery"

func (s service) register(t *testing.T, name string) person {
	t.Helper()
	email := name + "@example.com"
	a := s.AsNobody(t).Want(201, "POST", "/api/auth/register/", map[string]any{
		"email": email, "username": name, "password": goodPassword, "first_name": "First", "last_name": "Last",
	})
	return s.signedIn(t, a, email, name)
}

func (s service) login(t *testing.T, p person) person {
	t.Helper()
	a := s.AsNobody(t).Want(200, "POST", "/api/auth/login/", map[string]any{"email": p.email, "password": p.password})
	return s.signedIn(t, a, p.email, p.username)
}

func (s service) signedIn(t *testing.T, a testkit.Answer, email, username string) person {
	t.Helper()
	in := testkit.JSON[auth.SignedIn](t, a)
	session := testkit.JSON[internalapi.Session](t, s.lookUp(t, in.Token))
	client := s.As(t, in.User.ID)
	client.Actor.SessionID = session.ID
	return person{client, in.User.ID, session.ID, email, username, goodPassword, in.Token}
}

func hexHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// lookUp asks what the gateway asks.
func (s service) lookUp(t *testing.T, token string) testkit.Answer {
	t.Helper()
	return s.AsPart(t, "gateway").Call("GET", "/internal/sessions/"+hexHash(token), nil)
}

func (s service) wantLive(t *testing.T, live bool, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		a := s.lookUp(t, token)
		if live && a.Status != 200 || !live && (a.Status != 401 || a.Code() != "invalid_token") {
			t.Fatalf("live, wanted %t: %d %s", live, a.Status, a.Body)
		}
	}
}

// codes are those sent for a purpose, opened, oldest first.
func (s service) codes(t *testing.T, purpose string) []string {
	t.Helper()
	var all []string
	for _, raw := range s.Outbox(t, "auth.code_issued") {
		var issued events.Code
		if err := json.Unmarshal(raw, &issued); err != nil {
			t.Fatal(err)
		}
		if issued.Purpose != purpose {
			continue
		}
		plain, err := seal.Open(s.key, issued.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		var box struct{ Code string }
		if err := json.Unmarshal(plain, &box); err != nil || len(box.Code) != 6 {
			t.Fatalf("sealed %q: %v", plain, err)
		}
		all = append(all, box.Code)
	}
	return all
}

func (s service) code(t *testing.T, purpose string) string {
	t.Helper()
	all := s.codes(t, purpose)
	if len(all) == 0 {
		t.Fatalf("no code for %s was sent", purpose)
	}
	return all[len(all)-1]
}

// wrong is a code that is not this one.
func wrong(code string) string {
	n := 0
	_, _ = fmt.Sscanf(code, "%d", &n) //nolint:errcheck // six digits
	return fmt.Sprintf("%06d", (n+1)%1_000_000)
}

func wantTrips(t *testing.T, a testkit.Answer, most int) {
	t.Helper()
	if n := roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB); n == 0 || n > most {
		t.Errorf("%d round trips to the database, wanted %d at most", n, most)
	}
}

func from(c *testkit.Client, ip string) *testkit.Client {
	copied := *c
	copied.Actor.ClientIP = ip
	return &copied
}

func inZone(c *testkit.Client, zone string) *testkit.Client {
	copied := *c
	copied.Actor.Zone = zone
	return &copied
}
