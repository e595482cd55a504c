package notification_test

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
)

// form is what a mail program posts (RFC 8058), and a browser.
var form = []string{"Content-Type", "application/x-www-form-urlencoded"}

const oneClick = "List-Unsubscribe=One-Click"

func TestMailsOfAKindEndByOneClick(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Username: "ann", Locale: "en-GB", Version: 1})
	me, nobody := s.As(t, ann), s.AsNobody(t)
	mailed := func() map[string]bool {
		k := preferencesOf(t, me.Want(200, "GET", preferences, nil)).Kinds
		return map[string]bool{
			"task_due_soon": k.TaskDueSoon.Email, "task_overdue": k.TaskOverdue.Email, "task_completed": k.TaskCompleted.Email, "task_assigned": k.TaskAssigned.Email,
			"residence_shared": k.ResidenceShared.Email, "warranty_expiring": k.WarrantyExpiring.Email, "digest": k.Digest.Email,
		}
	}
	for _, kind := range notification.Kinds() {
		link := notification.UnsubscribeURL(cfg.SealPrivateKey, ann, kind)
		if !regexp.MustCompile(`^/api/notifications/unsubscribe/[A-Za-z0-9_-]{44}/$`).MatchString(link) {
			t.Fatal(link)
		}
		nobody.Want(200, "GET", link, nil) // as scanners do
		if !mailed()[kind] {
			t.Fatalf("%s ended by looking at it", kind)
		}
		a := nobody.Want(200, "POST", link, oneClick, form...)
		wantTrips(t, a, 1)
		for other, on := range mailed() {
			if want := other != kind; on != want {
				t.Errorf("after the link of %s, %s is mailed: %t", kind, other, on)
			}
		}
		nobody.Want(200, "POST", link+"resubscribe/", "", form...)
	}
	if p := preferencesOf(t, me.Want(200, "GET", preferences, nil)); p.Version != 1+2*len(notification.Kinds()) || !p.Kinds.Digest.Email {
		t.Errorf("%+v", p)
	}
}

func TestUnsubscribingIsOnceAndStopsWhatWaits(t *testing.T) {
	cfg := configuration(t)
	cfg.DatabasePrepare = false
	s := run(t, cfg)
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Username: "ann", Version: 1})
	id, others := notify(t, s, ann, "Mow"), notify(t, s, bob, "Mow")
	exec(t, s, `INSERT INTO messages (id, user_id, purpose, trace, created_at, expires_at, next_at) VALUES (gen_random_uuid(), @ann, 'welcome', '', now(), 'infinity', 'infinity')`,
		pgx.NamedArgs{"ann": ann})
	link, nobody := notification.UnsubscribeURL(cfg.SealPrivateKey, ann, "task_completed"), s.AsNobody(t)
	for _, body := range []struct{ body, contentType string }{
		{oneClick, form[1]}, {"", ""}, {"{", "application/json"}, {"--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n", "multipart/form-data; boundary=x"},
	} {
		nobody.Want(200, "POST", link, body.body, "Content-Type", body.contentType)
	}
	if got := waiting(t, s, id) + "; " + waiting(t, s, others); got != "email suppressed unsubscribed, push pending; email pending, push pending" {
		t.Errorf("messages: %s", got)
	}
	letters := all[struct{ State string }](t, s, `SELECT state FROM messages WHERE purpose = 'welcome'`, nil)
	if p := preferencesOf(t, s.As(t, ann).Want(200, "GET", preferences, nil)); p.Version != 2 || letters[0].State != "pending" {
		t.Errorf("%+v, %+v", p, letters)
	}
}

func TestForgedLinksAreNone(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Username: "ann", Version: 1})
	link := notification.UnsubscribeURL(cfg.SealPrivateKey, ann, "digest")
	token := strings.TrimSuffix(strings.TrimPrefix(link, "/api/notifications/unsubscribe/"), "/")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	forged := []string{"x", "%20", token[1:], token + "A", strings.ToLower(token), strings.Repeat("A", 44), strings.Repeat("A", 65)}
	for i := range raw {
		other := append([]byte{}, raw...)
		other[i] ^= 1
		forged = append(forged, base64.RawURLEncoding.EncodeToString(other))
	}
	foreign := notification.UnsubscribeURL(configuration(t).SealPrivateKey, ann, "digest")
	forged = append(forged, strings.TrimSuffix(strings.TrimPrefix(foreign, "/api/notifications/unsubscribe/"), "/"))
	unknown := notification.UnsubscribeURL(cfg.SealPrivateKey, ann, "weather")
	forged = append(forged, strings.TrimSuffix(strings.TrimPrefix(unknown, "/api/notifications/unsubscribe/"), "/"))
	for _, token := range forged {
		for _, c := range []struct{ method, end string }{{"GET", "/"}, {"POST", "/"}, {"POST", "/resubscribe/"}} {
			a := s.AsNobody(t).Call(c.method, "/api/notifications/unsubscribe/"+token+c.end, nil)
			if a.Status != 404 && (len(token) <= 64 || a.Status != 422) {
				t.Errorf("%s %s: %d %s", c.method, token, a.Status, a.Body)
			}
		}
	}
	if a := s.As(t, ann).Want(200, "GET", preferences, nil); string(a.Body) != usual {
		t.Errorf("%s", a.Body)
	}
	// Whoever is gone is mailed nothing, and gets no rows by an old link.
	gone := notification.UnsubscribeURL(cfg.SealPrivateKey, uuid.New(), "digest")
	s.AsNobody(t).Want(200, "GET", gone, nil)
	s.AsNobody(t).Want(200, "POST", gone, oneClick, form...)
	s.AsNobody(t).Want(200, "POST", gone+"resubscribe/", oneClick, form...)
	if n := all[struct{ N int }](t, s, `SELECT count(*) AS n FROM settings`, nil)[0].N; n != 1 {
		t.Errorf("%d people have settings", n)
	}
}

func TestThePageOfALinkSpeaksOnesLanguage(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	for i, c := range []struct{ locale, language, ask, done, undone string }{
		{"", "en", "No more of these e-mails?", "Undo", "You get e-mails about your day at a glance again."},
		{"sv", "en", "You will no longer get e-mails about your day at a glance.", "You are unsubscribed", "You are subscribed again"},
		{"de-AT", "de", "Abbestellen", "Rückgängig machen", "Du bekommst wieder E-Mails über deinen Tag im Überblick."},
		{"es", "es", "¿No quieres más correos como este?", "Deshacer", "Vuelves a recibir correos sobre el resumen de tu día."},
	} {
		user := uuid.NewSHA1(ann, []byte{byte(i)})
		testkit.Deliver(t, s, events.UserRegistered, events.User{ID: user, Username: "secret", Email: "secret@example.org", Locale: c.locale, Version: 1})
		link, nobody := notification.UnsubscribeURL(cfg.SealPrivateKey, user, "digest"), s.AsNobody(t)
		page := func(method, path, says, action string) {
			t.Helper()
			a := nobody.Want(200, method, path, nil)
			html := string(a.Body)
			if !strings.Contains(html, says) || !strings.Contains(html, `<html lang="`+c.language+`">`) || !strings.Contains(html, `<form method="post" action="`+action+`">`) {
				t.Errorf("%s %s in %q: %s", method, path, c.locale, html)
			}
			if strings.Contains(html, "secret") || strings.Contains(html, "unsubscribe.") || strings.Contains(html, "<script") {
				t.Errorf("the page says too much: %s", html)
			}
			if a.Header.Get("Content-Type") != "text/html; charset=utf-8" || a.Header.Get("Content-Language") != c.language {
				t.Errorf("%v", a.Header)
			}
			style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(html)[1]
			sum := sha256.Sum256([]byte(style))
			policy := a.Header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; form-action 'self'") ||
				!strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("policy %s", policy)
			}
		}
		page("GET", link, c.ask, link)
		page("POST", link, c.done, link+"resubscribe/")
		page("GET", link, c.done, link+"resubscribe/")
		page("POST", link+"resubscribe/", c.undone, link)
		page("GET", link, c.ask, link)
	}
}
