package mail_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/dev/mail"
	"hearth.internal/notification/delivery"
	letters "hearth.internal/notification/mail"
	"hearth.internal/pkg/config"
)

func get(t *testing.T, url, accept string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

const page, terminal = "text/html", "*/*"

func TestWhatIsMailedIsShown(t *testing.T) {
	box, err := mail.Open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	server := httptest.NewServer(box.Handler())
	defer server.Close()
	cfg, err := config.Load[letters.Config](box.Environ())
	if err != nil {
		t.Fatal(err)
	}
	smtp, err := letters.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer smtp.Close()
	l := letters.Letter{ID: uuid.New(), Purpose: letters.TaskCompleted, To: "ada@example.com", Actor: "Ben", Task: "<b>Mow</b> & rest"}
	if got := smtp.Send(t.Context(), l); got.Outcome != delivery.Sent {
		t.Fatalf("it came to %+v", got)
	}
	for _, look := range []struct{ path, accept, want string }{
		{"/mail/", page, `<a href="/mail/1">Ben completed “&lt;b&gt;Mow&lt;/b&gt; &amp; rest”</a>`}, {"/mail/", terminal, "ada@example.com"},
		{"/mail/1", page, `sandbox="allow-popups"`}, {"/mail/1", page, "Message-ID: &lt;" + l.ID.String()}, {"/mail/1", terminal, "<b>Mow</b> & rest"},
		{"/mail/1/html", page, "&lt;b&gt;Mow&lt;/b&gt;"},
	} {
		status, header, body := get(t, server.URL+look.path, look.accept)
		if status != http.StatusOK || !strings.Contains(body, look.want) {
			t.Errorf("%s as %s answers %d without %q:\n%s", look.path, look.accept, status, look.want, body)
		}
		if csp := header.Get("Content-Security-Policy"); look.accept == page && !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s has the policy %q", look.path, csp)
		}
	}
	for _, nothing := range []string{"/mail/2", "/mail/x/html", "/mail/gallery/en/spam"} {
		if status, _, _ := get(t, server.URL+nothing, page); status != http.StatusNotFound {
			t.Errorf("%s answers %d", nothing, status)
		}
	}
}

func TestTheGalleryShowsEveryMailLightAndDark(t *testing.T) {
	box, err := mail.Open(true)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box.Handler())
	defer server.Close()
	if len(box.Environ()) > 0 {
		t.Error("mails that go elsewhere come here")
	}
	for url, want := range map[string]string{
		"/mail/": "HEARTH_SMTP_HOST", "/mail/gallery/?language=de&scheme=dark&width=phone": "/mail/gallery/de/digest?scheme=dark",
		"/mail/gallery/es/digest?scheme=dark": "@media all {", "/mail/gallery/es/digest": "@media not all {", "/mail/gallery/de/welcome?text": "Subject: Willkommen",
	} {
		if status, _, body := get(t, server.URL+url, page); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d without %q", url, status, want)
		}
	}
}
