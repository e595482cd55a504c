package mail_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"hearth.internal/notification/delivery"
	"hearth.internal/notification/mail"
	"hearth.internal/notification/mail/mailtest"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/testkit"
)

func configured(t *testing.T, environ []string) mail.Config {
	t.Helper()
	cfg, err := config.Load[mail.Config](environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func open(t *testing.T, server *mailtest.Server, more ...string) *mail.SMTP {
	t.Helper()
	s, err := mail.Open(configured(t, append(server.Environ(), more...)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func letter(to string) mail.Letter {
	return mail.Letter{ID: uuid.Must(uuid.NewV7()), Purpose: mail.Due, To: to, Name: "Ada", Locale: "en", Body: "“Clean the gutters” is due today."}
}

func send(t *testing.T, s *mail.SMTP, l mail.Letter) delivery.Result {
	t.Helper()
	return s.Send(t.Context(), l)
}

func TestAMailArrivesWhole(t *testing.T) {
	server := mailtest.Start(t)
	s := open(t, server, "HEARTH_MAIL_REPLY_TO=Help <help@hearth.test>", "HEARTH_APP_URL=https://app.hearth.test")
	l := mail.Letter{
		ID: uuid.Must(uuid.NewV7()), Purpose: mail.TasksReport, To: "ada@example.com", Name: "Ada \"A\"\r\nBcc: x@example.com", Locale: "de", Residence: "Straße 5",
		Attached: &mail.Attachment{Name: "Straße \"5\".pdf", ContentType: "application/pdf", Content: []byte("%PDF-1.7\r\n.\r\n\x00\xff")}, Unsubscribe: "https://api.hearth.test/api/notifications/unsubscribe/x/",
	}
	result := send(t, s, l)
	if result.Outcome != delivery.Sent || result.ID == "" {
		t.Fatalf("it came to %+v", result)
	}
	m := server.Wait(t, "ada@example.com", "Aufgabenbericht: Straße 5")
	if !m.Encrypted || m.User != "hearth" || m.From != "no-reply@hearth.test" || len(m.To) != 1 {
		t.Errorf("it came encrypted %v, as %q, from %s to %v", m.Encrypted, m.User, m.From, m.To)
	}
	for header, want := range map[string]string{
		"Message-Id": "<" + l.ID.String() + "@hearth.test>", "Auto-Submitted": "auto-generated", "List-Unsubscribe": "<" + l.Unsubscribe + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Reply-To": `"Help" <help@hearth.test>`, "From": `"Hearth" <no-reply@hearth.test>`, "Bcc": "", "User-Agent": "", "X-Mailer": "",
	} {
		if got := m.Header.Get(header); got != want {
			t.Errorf("%s is %q, wanted %q", header, got, want)
		}
	}
	if date, err := m.Header.Date(); err != nil || time.Since(date) > time.Minute {
		t.Errorf("its date is %v, %v", date, err)
	}
	if len(m.Attachments) != 1 || m.Attachments[0].ContentType != "application/pdf" || !bytes.Equal(m.Attachments[0].Content, l.Attached.Content) || m.Attachments[0].Name != "Straße '5'.pdf" {
		t.Errorf("its attachments are %+v", m.Attachments)
	}
	if !strings.Contains(m.Text, "„Straße 5“") || !strings.Contains(m.HTML, "„Straße 5“") || strings.Index(string(m.Raw), "text/plain") > strings.Index(string(m.Raw), "text/html") {
		t.Error("its text is not whole, or not before the HTML")
	}
	plain := mail.Letter{ID: uuid.Must(uuid.NewV7()), Purpose: mail.Welcome, To: "ben@example.com"}
	send(t, s, plain)
	if got := server.Wait(t, "ben@example.com", "Welcome"); got.Header.Get("List-Unsubscribe") != "" {
		t.Error("a transactional mail can be unsubscribed from")
	}
}

// A name of plain ASCII is not encoded, and then a mail program would decode what is in it.
func TestANameHidesNothingInAHeader(t *testing.T) {
	server := mailtest.Start(t)
	s := open(t, server)
	hidden := "=?utf-8?q?evil=2Eexample?="
	send(t, s, mail.Letter{ID: uuid.Must(uuid.NewV7()), Purpose: mail.Invitation, To: "eve@example.com", Name: hidden, Locale: "en", Residence: hidden, Actor: hidden})
	m := server.Wait(t, "eve@example.com", "invites you")
	if strings.Contains(m.Subject, "evil.example") || strings.Contains(string(m.Raw), hidden) {
		t.Errorf("its subject is %q, and it is\n%s", m.Subject, m.Raw)
	}
}

func TestEveryWayToSignIn(t *testing.T) {
	for _, o := range []mailtest.Options{
		{TLS: "starttls", Username: "u", Password: "p ä"}, {TLS: "tls", Username: "u", Password: "p"}, {TLS: "tls"}, {TLS: "starttls"}, {TLS: "none"},
		{TLS: "none", Username: "u", Password: "p"}, {TLS: "starttls", Username: "u", Password: "p", Mechanisms: []string{"LOGIN"}}, {TLS: "tls", Username: "u", Password: "p", Mechanisms: []string{"LOGIN"}},
	} {
		server := mailtest.StartWith(t, o)
		if got := send(t, open(t, server), letter("ada@example.com")); got.Outcome != delivery.Sent {
			t.Errorf("%+v: %+v", o, got)
			continue
		}
		if m := server.Wait(t, "ada@example.com", "gutters"); m.Encrypted != (o.TLS != "none") || m.User != o.Username {
			t.Errorf("%+v: encrypted %v, as %q", o, m.Encrypted, m.User)
		}
	}
}

func TestNothingGoesInClearTextThatIsToBeEncrypted(t *testing.T) {
	open1 := mailtest.StartWith(t, mailtest.Options{TLS: "none"})
	environ := append(open1.Environ(), "HEARTH_SMTP_TLS=starttls")
	s, err := mail.Open(configured(t, environ))
	if err != nil {
		t.Fatal(err)
	}
	if got := send(t, s, letter("ada@example.com")); got.Outcome != delivery.Later || !got.Provider || !strings.Contains(got.Reason, "STARTTLS") {
		t.Errorf("without STARTTLS: %+v", got)
	}
	stranger := mailtest.StartWith(t, mailtest.Options{}) // whose certificate is not trusted
	var untrusting []string
	for _, variable := range stranger.Environ() {
		if !strings.HasPrefix(variable, "HEARTH_SMTP_CA_FILE") {
			untrusting = append(untrusting, variable)
		}
	}
	s, err = mail.Open(configured(t, untrusting))
	if err != nil {
		t.Fatal(err)
	}
	if got := send(t, s, letter("ada@example.com")); got.Outcome != delivery.Later || !got.Provider || !strings.Contains(got.Reason, "certificate") {
		t.Errorf("with a stranger's certificate: %+v", got)
	}
	if n := len(open1.Mails()) + len(stranger.Mails()); n != 0 {
		t.Errorf("%d mails went", n)
	}
}

func TestConfigurationsThatDoNotFit(t *testing.T) {
	good := []string{"HEARTH_SMTP_HOST=smtp.example.com", "HEARTH_MAIL_FROM=Hearth <no-reply@example.com>", "HEARTH_PUBLIC_URL=https://api.example.com"}
	if s, err := mail.Open(configured(t, good)); err != nil || s == nil {
		t.Errorf("a good one: %v", err)
	}
	if s, err := mail.Open(configured(t, []string{"HEARTH_APP_URL=https://app.example.com", "HEARTH_PUBLIC_URL=https://api.example.com"})); err != nil || s != nil {
		t.Errorf("none: %v, %v", s, err)
	}
	for _, bad := range [][]string{
		{"HEARTH_MAIL_FROM=a@example.com"}, {"HEARTH_SMTP_PASSWORD=swordfish"}, {good[0]}, append(good, "HEARTH_MAIL_FROM=nobody"), append(good, "HEARTH_SMTP_TLS=ssl"),
		append(good, "HEARTH_SMTP_PORT=70000"), good[:2], append(good, "HEARTH_PUBLIC_URL=api.example.com"), append(good, "HEARTH_SMTP_USERNAME=u"), append(good, "HEARTH_SMTP_PASSWORD=swordfish"), append(good, "HEARTH_SMTP_HOST=smtp.example.com:587"),
		append(good, "HEARTH_SMTP_TLS=none", "HEARTH_SMTP_USERNAME=u", "HEARTH_SMTP_PASSWORD=swordfish"), append(good, "HEARTH_SMTP_CA_FILE=/does/not/exist"),
		append(good, "HEARTH_MAIL_REPLY_TO=nobody"), append(good, "HEARTH_APP_URL=app"), append(good, "HEARTH_SMTP_CA_FILE=smtp_test.go"),
	} {
		if s, err := mail.Open(configured(t, bad)); err == nil || s != nil {
			t.Errorf("%v is taken", bad)
		} else if strings.Contains(err.Error(), "swordfish") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
	for _, v := range config.Variables(configured(t, append(good, "HEARTH_SMTP_PASSWORD=swordfish"))) {
		if v.Doc == "" || strings.Contains(v.Value, "swordfish") {
			t.Errorf("%s shows %q", v.Name, v.Value)
		}
	}
}

func TestWhatComesOfARefusal(t *testing.T) {
	for _, c := range []struct {
		fault    mailtest.Fault
		want     delivery.Outcome
		provider bool
		reason   string
	}{
		{mailtest.Fault{At: mailtest.Recipient, Code: 550, Enhanced: "5.1.1"}, delivery.Dead, false, "RCPT: 550 5.1.1"},
		{mailtest.Fault{At: mailtest.Recipient, Code: 551, Enhanced: "5.1.6"}, delivery.Dead, false, "RCPT: 551 5.1.6"},
		{mailtest.Fault{At: mailtest.Recipient, Code: 553}, delivery.Dead, false, "RCPT: 553"},
		{mailtest.Fault{At: mailtest.Recipient, Code: 553, Enhanced: "5.7.1"}, delivery.Refused, false, "RCPT: 553 5.7.1"},
		{mailtest.Fault{At: mailtest.Recipient, Code: 550, Enhanced: "5.7.1"}, delivery.Refused, false, "RCPT: 550 5.7.1"},
		{mailtest.Fault{At: mailtest.Recipient, Code: 550}, delivery.Refused, false, "RCPT: 550"},
		{mailtest.Fault{At: mailtest.Recipient, Code: 450, Enhanced: "4.2.0"}, delivery.Later, false, "RCPT: 450 4.2.0"},
		{mailtest.Fault{At: mailtest.Recipient, Code: 451, Enhanced: "4.7.1"}, delivery.Later, true, "RCPT: 451 4.7.1"},
		{mailtest.Fault{At: mailtest.Sender, Code: 550, Enhanced: "5.1.8"}, delivery.Refused, false, "MAIL: 550 5.1.8"},
		{mailtest.Fault{At: mailtest.Sender, Code: 530, Enhanced: "5.7.0"}, delivery.Later, true, "MAIL: 530 5.7.0"},
		{mailtest.Fault{At: mailtest.Sender, Code: 452, Enhanced: "4.3.1"}, delivery.Later, true, "MAIL: 452 4.3.1"},
		{mailtest.Fault{At: mailtest.End, Code: 554, Enhanced: "5.6.0"}, delivery.Refused, false, "end of DATA: 554 5.6.0"},
		{mailtest.Fault{At: mailtest.End, Code: 550, Enhanced: "5.1.1"}, delivery.Refused, false, "end of DATA: 550 5.1.1"},
		{mailtest.Fault{At: mailtest.End, Code: 451, Enhanced: "4.3.0"}, delivery.Later, true, "end of DATA: 451 4.3.0"},
		{mailtest.Fault{At: mailtest.End, Code: 421, Enhanced: "4.4.5"}, delivery.Later, true, "end of DATA: 421 4.4.5"},
		{mailtest.Fault{At: mailtest.Auth, Code: 535, Enhanced: "5.7.8"}, delivery.Later, true, "connect: 535 5.7.8"},
		{mailtest.Fault{At: mailtest.Auth, Code: 454, Enhanced: "4.7.0"}, delivery.Later, true, "connect: 454 4.7.0"},
		{mailtest.Fault{At: mailtest.Connect, Code: 421, Enhanced: "4.7.0"}, delivery.Later, true, "connect: 421 4.7.0"},
		{mailtest.Fault{At: mailtest.Connect, Code: 554, Enhanced: "5.7.1"}, delivery.Later, true, "connect: 554 5.7.1"},
		{mailtest.Fault{At: mailtest.Connect}, delivery.Later, true, "connect: connection lost"},
		{mailtest.Fault{At: mailtest.Sender}, delivery.Later, true, "MAIL: connection lost"},
		{mailtest.Fault{At: mailtest.Recipient}, delivery.Later, true, "RCPT: connection lost"},
		{mailtest.Fault{At: mailtest.End}, delivery.Later, false, "answer cut off"},
	} {
		server := mailtest.Start(t)
		s := open(t, server)
		server.Fail(c.fault)
		got := send(t, s, letter("ada@example.com"))
		if got.Outcome != c.want || got.Provider != c.provider || got.Reason != c.reason {
			t.Errorf("%+v came to %+v", c.fault, got)
		}
		if got.Provider && got.After <= 0 {
			t.Errorf("%+v: it is not said when to try again", c.fault)
		}
		server.Heal()
		if next := send(t, s, letter("ben@example.com")); next.Outcome != delivery.Sent {
			t.Errorf("%+v: the next mail came to %+v", c.fault, next)
		}
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	server := mailtest.Start(t)
	s := open(t, server)
	for _, bad := range []string{"", "ada", "ada@", "a@b.example, c@d.example", "ada@example.com\r\nRCPT TO:<x@example.com>", "Ada <ada@example.com>"} {
		if got := send(t, s, letter(bad)); got.Outcome != delivery.Dead || strings.Contains(got.Reason, "ada") {
			t.Errorf("%q came to %+v", bad, got)
		}
	}
	if got := send(t, s, mail.Letter{ID: uuid.New(), To: "ada@example.com", Purpose: "spam"}); got.Outcome != delivery.Refused {
		t.Errorf("a purpose that is none came to %+v", got)
	}
	for address, arrives := range map[string]string{"ada@bücher.example": "ada@xn--bcher-kva.example", "jürgen@example.com": "jürgen@example.com"} {
		if got := send(t, s, letter(address)); got.Outcome != delivery.Sent || len(server.To(arrives)) != 1 {
			t.Errorf("%s came to %+v, %v", address, got, server.Mails())
		}
	}
}

func TestABurstCostsAFewConnections(t *testing.T) {
	server := mailtest.Start(t)
	s := open(t, server)
	var burst sync.WaitGroup
	for n := range 100 {
		burst.Go(func() {
			if got := send(t, s, letter(fmt.Sprintf("p%d@example.com", n))); got.Outcome != delivery.Sent {
				t.Errorf("mail %d came to %+v", n, got)
			}
		})
	}
	burst.Wait()
	if mails, connections := len(server.Mails()), server.Connections(); mails != 100 || connections > 4 {
		t.Errorf("%d mails went by %d connections", mails, connections)
	}
	for n := range 20 {
		send(t, s, letter(fmt.Sprintf("q%d@example.com", n)))
	}
	if connections := server.Connections(); connections > 4 {
		t.Errorf("one after another made %d connections", connections)
	}
}

func TestAKeptConnectionThatHasEndedIsReplaced(t *testing.T) {
	server := mailtest.Start(t)
	s := open(t, server)
	send(t, s, letter("ada@example.com"))
	server.HangUp(t)
	if got := send(t, s, letter("ben@example.com")); got.Outcome != delivery.Sent {
		t.Errorf("after the server hung up it came to %+v", got)
	}
	server.Fail(mailtest.Fault{At: mailtest.Sender, Code: 421, Enhanced: "4.4.2", Times: 1})
	if got := send(t, s, letter("cleo@example.com")); got.Outcome != delivery.Sent {
		t.Errorf("after the server said good-bye it came to %+v", got)
	}
	before := server.Connections()
	server.Fail(mailtest.Fault{At: mailtest.End, Times: 1})
	if got := send(t, s, letter("dora@example.com")); got.Outcome != delivery.Later || got.Reason != "answer cut off" {
		t.Errorf("without an answer it came to %+v", got)
	}
	if n := len(server.To("dora@example.com")); n != 1 || server.Connections() != before {
		t.Errorf("a mail that may have been taken was sent %d times", n)
	}
}

func TestAServerThatIsDownAndComesBack(t *testing.T) {
	server := mailtest.Start(t)
	s := open(t, server)
	server.Down()
	if got := send(t, s, letter("ada@example.com")); got.Outcome != delivery.Later || !got.Provider || got.After <= 0 || !strings.Contains(got.Reason, "refused") {
		t.Errorf("while it is down it comes to %+v", got)
	}
	server.Up(t)
	if got := send(t, s, letter("ada@example.com")); got.Outcome != delivery.Sent {
		t.Errorf("when it is back it comes to %+v", got)
	}
}

func TestASlowServerIsNotWaitedForLongerThanTheContextAllows(t *testing.T) {
	for _, stage := range []mailtest.Stage{mailtest.Connect, mailtest.Auth, mailtest.Sender, mailtest.Recipient, mailtest.End} {
		server := mailtest.Start(t)
		s := open(t, server)
		server.Fail(mailtest.Fault{At: stage, Delay: 3 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		got := s.Send(ctx, letter("ada@example.com"))
		cancel()
		if took := time.Since(began); got.Outcome != delivery.Later || took > 2*time.Second {
			t.Errorf("stage %d came to %+v in %v", stage, got, took)
		}
		if stage == mailtest.End && got.Reason != "answer cut off" {
			t.Errorf("the answer did not come, which came to %+v", got)
		}
		server.Heal()
		if got := send(t, s, letter("ben@example.com")); got.Outcome != delivery.Sent {
			t.Errorf("stage %d: the next mail came to %+v", stage, got)
		}
	}
	// Nobody speaks at all.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	s, err := mail.Open(mail.Config{SMTPHost: "127.0.0.1", SMTPTLS: "none", MailFrom: "a@hearth.test", PublicURL: "https://api.hearth.test", SMTPPort: atoi(t, port)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if got := s.Send(ctx, letter("ada@example.com")); got.Outcome != delivery.Later || !got.Provider || got.Reason != "connect: no answer in time" {
		t.Errorf("silence came to %+v", got)
	}
	stopped, stop := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, stop)
	if got := s.Send(stopped, letter("ada@example.com")); got.Outcome != delivery.Later || got.Provider {
		t.Errorf("a stop of ours came to %+v", got)
	}
}

func atoi(t *testing.T, text string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestATraceSaysWhatCameOfAMailButNotWhose(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	ctx, parent := provider.Tracer("test").Start(t.Context(), "send")
	server := mailtest.Start(t)
	server.Fail(mailtest.Fault{At: mailtest.Recipient, Code: 550, Enhanced: "5.1.1", Times: 1})
	s := open(t, server)
	s.Send(ctx, letter("ada@example.com"))
	s.Send(ctx, letter("ada@example.com"))
	parent.End()
	var found int
	for _, span := range spans.Ended() {
		if span.Name() != "smtp send" {
			continue
		}
		found++
		said := fmt.Sprint(span.Attributes(), span.Status(), span.Events())
		if strings.Contains(said, "ada") || strings.Contains(said, "gutters") || span.Parent().SpanID() != parent.SpanContext().SpanID() {
			t.Errorf("it says %s", said)
		}
	}
	if found != 2 {
		t.Errorf("%d mails have a span", found)
	}
}

func TestConnectionsEndWithTheService(t *testing.T) {
	server := mailtest.Start(t)
	s := open(t, server)
	send(t, s, letter("ada@example.com"))
	s.Close()
	testkit.Eventually(t, "the server has nobody connected", func() bool { return server.Connected() == 0 })
	if got := send(t, s, letter("ben@example.com")); got.Outcome != delivery.Sent {
		t.Errorf("a mail that was still to go came to %+v", got)
	}
	testkit.Eventually(t, "the server has nobody connected", func() bool { return server.Connected() == 0 })
}
