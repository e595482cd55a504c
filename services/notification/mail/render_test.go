package mail_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"hearth.internal/notification/language"
	"hearth.internal/notification/mail"
	"hearth.internal/notification/mail/mailtest"
	"hearth.internal/pkg/events"
)

const app = "https://app.hearth.test/"

func renderer(t *testing.T, o mail.Options) *mail.Renderer {
	t.Helper()
	r, err := mail.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func render(t *testing.T, o mail.Options, l mail.Letter) mail.Rendered {
	t.Helper()
	out, err := renderer(t, o).Render(l)
	if err != nil {
		t.Fatalf("%s: %v", l.Purpose, err)
	}
	return out
}

// purposes are all of letter.go.
var purposes = []string{
	mail.VerifyEmail, mail.ResetPassword, mail.Welcome, mail.PasswordChanged, mail.AccountDeleted, mail.Invitation, mail.ResidenceShared, mail.TaskAssigned,
	mail.TaskCompleted, mail.Due, mail.Digest, mail.Updates, mail.Warranty, mail.TasksReport, mail.HistoryReport, mail.BillingStarted, mail.BillingRenewed,
	mail.TrialEnding, mail.PaymentFailed, mail.PaymentAction, mail.BillingEnded, mail.BillingRefunded,
}

var leftOver = regexp.MustCompile(`{{|}}|<no value>|ZgotmplZ|%!|\bmail\.[a-z_]+|\b(digest|task_\w+|residence_shared|warranty_expiring)\.[a-z_]+`)

func checkWhole(t *testing.T, r *mail.Renderer, locale string, l mail.Letter) {
	t.Helper()
	out, err := r.Render(l)
	if err != nil {
		t.Fatalf("%s: %v", l.Purpose, err)
	}
	for what, text := range map[string]string{"subject": out.Subject, "HTML": out.HTML, "text": out.Text} {
		if found := leftOver.FindString(text); found != "" || strings.TrimSpace(text) == "" {
			t.Errorf("%s in %s: %q is left over in the %s", l.Purpose, locale, found, what)
		}
	}
	if strings.ContainsFunc(out.Subject, unicode.IsControl) || len([]rune(out.Subject)) > 150 {
		t.Errorf("%s in %s has the subject %q", l.Purpose, locale, out.Subject)
	}
	if want := `<html lang="` + locale + `"`; !strings.Contains(out.HTML, want) {
		t.Errorf("%s in %s does not say its language", l.Purpose, locale)
	}
	if l.Code != "" && (!strings.Contains(out.HTML, ">"+l.Code+"<") || !strings.Contains(out.Text, "    "+l.Code+"\n")) {
		t.Errorf("%s in %s does not show its code", l.Purpose, locale)
	}
	if strings.Contains(out.Subject, l.Code) && l.Code != "" {
		t.Errorf("%s in %s shows its code in the subject, which servers log", l.Purpose, locale)
	}
	for _, text := range []string{out.HTML, out.Text} {
		if has := strings.Contains(text, "/unsubscribe/"); has != (l.Unsubscribe != "") {
			t.Errorf("%s in %s: a link to unsubscribe: %v", l.Purpose, locale, has)
		}
		for _, section := range l.Sections {
			for _, item := range section.Items {
				if !strings.Contains(text, item.Title) || !strings.Contains(text, item.Note) {
					t.Errorf("%s in %s leaves out %q", l.Purpose, locale, item.Title)
				}
			}
		}
	}
}

func TestEveryPurposeIsWrittenInEveryLanguage(t *testing.T) {
	r := renderer(t, mail.Options{AppURL: app})
	for _, locale := range language.Spoken() {
		letters := mailtest.Letters(locale)
		for _, purpose := range purposes {
			written := 0
			for _, l := range letters {
				if l.Purpose == purpose {
					written++
					checkWhole(t, r, locale, l)
				}
			}
			if written == 0 {
				t.Errorf("%s has no sample", purpose)
			}
		}
		for _, l := range []mail.Letter{
			{Purpose: mail.ResidenceShared, Change: "removed", Residence: "Home"}, {Purpose: mail.ResidenceShared, Change: "left", Residence: "Home", Actor: "Ben"},
			{Purpose: mail.ResidenceShared, Change: "role", Role: "viewer", Residence: "Home"}, {Purpose: mail.ResidenceShared, Change: "role", Role: "member", Residence: "Home"},
			{Purpose: mail.ResidenceShared, Change: "transferred", Residence: "Home"}, {Purpose: mail.PasswordChanged, Change: "changed"},
			{Purpose: mail.Invitation, Role: "viewer", Actor: "Ben", Residence: "Home", Code: "K7QX2MPA"},
		} {
			l.Locale = locale
			checkWhole(t, r, locale, l)
		}
	}
}

func TestALetterThatKnowsLittleIsWrittenAllTheSame(t *testing.T) {
	r := renderer(t, mail.Options{AppURL: app})
	for _, locale := range language.Spoken() {
		for _, purpose := range purposes {
			l := mail.Letter{Purpose: purpose, Locale: locale, Change: "joined"}
			checkWhole(t, r, locale, l)
		}
	}
	if _, err := r.Render(mail.Letter{Purpose: "spam"}); err == nil {
		t.Error("a purpose that is none is written")
	}
}

func TestWhatPeopleTypeIsTextAndNothingElse(t *testing.T) {
	const evil = `<script>alert("1")</script>` + "\r\nBcc: all@evil.example\u2028\u202edrow{{.Code}}"
	l := mail.Letter{
		Purpose: mail.Digest, Name: evil, Title: evil, Body: evil,
		Sections:    []mail.Section{{Title: evil, Tone: `x" onload="1`, Items: []mail.Item{{Title: evil, Note: evil}}}},
		Unsubscribe: "javascript:alert(1)",
	}
	letters := []mail.Letter{l}
	for _, purpose := range purposes {
		letters = append(letters, mail.Letter{
			Purpose: purpose, Name: evil, Actor: evil, Residence: evil, Task: evil, Role: evil, Change: evil, Code: evil, Title: evil, Body: evil,
			Attached: &mail.Attachment{Name: evil}, Notice: &events.Notice{Source: evil, Currency: evil, Amount: 1, Until: evil, URL: "javascript:alert(1)"},
		})
	}
	for _, l := range letters {
		out := render(t, mail.Options{AppURL: app}, l)
		if strings.ContainsAny(out.Subject, "\r\n\u2028\u202e") {
			t.Errorf("%s: the subject is %q", l.Purpose, out.Subject)
		}
		for _, bad := range []string{"<script", "javascript:", "onload=", "\u202e"} {
			if strings.Contains(out.HTML, bad) {
				t.Errorf("%s: %q is in the HTML", l.Purpose, bad)
			}
		}
		if strings.Contains(out.Text, "\nBcc:") || strings.Contains(out.Text, "javascript:") {
			t.Errorf("%s: the text became\n%s", l.Purpose, out.Text)
		}
	}
}

func TestAStrangersNameIsNoLink(t *testing.T) {
	out := render(t, mail.Options{}, mail.Letter{Purpose: mail.Invitation, Actor: "Win at https://evil.example/now", Residence: "www.evil.example evil\u3002example", Code: "K7QX2MPA"})
	for _, text := range []string{out.Subject, out.HTML, out.Text} {
		if strings.Contains(text, "evil.example") || strings.Contains(text, "evil\u3002example") || strings.Contains(text, "https://evil") {
			t.Errorf("a mail program makes a link of it: %s", text)
		}
	}
	long := render(t, mail.Options{}, mail.Letter{Purpose: mail.Invitation, Actor: strings.Repeat("buy now ", 500), Residence: "Home"})
	if n := len([]rune(long.Text)); n > 2000 {
		t.Errorf("a long name makes a mail of %d characters", n)
	}
}

func TestButtonsLeadWhereTheyAreToldTo(t *testing.T) {
	welcome := mail.Letter{Purpose: mail.Welcome}
	if out := render(t, mail.Options{AppURL: app}, welcome); !strings.Contains(out.HTML, `href="`+app+`"`) || !strings.Contains(out.Text, app) {
		t.Error("there is no button to the app")
	}
	if out := render(t, mail.Options{}, welcome); strings.Contains(out.HTML, "<a ") || strings.Contains(out.Text, "Open Hearth") {
		t.Error("a button leads nowhere")
	}
	failed := mail.Letter{Purpose: mail.PaymentFailed, Notice: &events.Notice{Source: "stripe", URL: "https://pay.example.com/i?a=1&b=2"}}
	if out := render(t, mail.Options{AppURL: app}, failed); !strings.Contains(out.HTML, `href="https://pay.example.com/i?a=1&amp;b=2"`) || strings.Contains(out.HTML, app) {
		t.Error("there is no button to pay with")
	}
	apple := mail.Letter{Purpose: mail.TrialEnding, Notice: &events.Notice{Source: "apple"}}
	if out := render(t, mail.Options{AppURL: app}, apple); !strings.Contains(out.Text, "App Store, under your name") {
		t.Error("it does not say where a subscription of Apple's is managed")
	}
	for _, bad := range []string{"app.hearth.test", "javascript:alert(1)", "https://", "https://a:b@hearth.test"} {
		if _, err := mail.New(mail.Options{AppURL: bad}); err == nil {
			t.Errorf("buttons lead to %q", bad)
		}
	}
}

func TestTimesAndAmountsAreWrittenAsInThePersonsCountry(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2026, 3, 10, 20, 15, 0, 0, time.UTC)
	for locale, want := range map[string][2]string{
		"en": {"March 11, 2026 at 5:15 AM", "€1,299.00"}, "de-DE": {"11. März 2026, 05:15 Uhr", "1.299,00 €"}, "es": {"11 de marzo de 2026, 05:15 h", "1.299,00 €"},
	} {
		code := render(t, mail.Options{}, mail.Letter{Purpose: mail.VerifyEmail, Locale: locale, Code: "1", Until: until, Zone: tokyo})
		paid := render(t, mail.Options{}, mail.Letter{Purpose: mail.BillingRenewed, Locale: locale, Zone: tokyo, Notice: &events.Notice{Amount: 129900, Currency: "EUR", Until: until.Format(time.RFC3339)}})
		paid.Text = strings.ReplaceAll(paid.Text, "\u00a0", " ")
		if !strings.Contains(code.Text, want[0]) || !strings.Contains(paid.Text, want[1]) || !strings.Contains(paid.Text, want[0][:8]) {
			t.Errorf("%s, wanted %q:\n%s\n%s", locale, want, code.Text, paid.Text)
		}
	}
}

func TestWhatIsReadWithoutEyesAndOnSmallAndDarkScreens(t *testing.T) {
	for _, l := range mailtest.Letters("en") {
		html := render(t, mail.Options{AppURL: app}, l).HTML
		tables, layouts := strings.Count(html, "<table"), strings.Count(html, `<table role="presentation"`)
		if data := strings.Count(html, `<th scope="row"`); tables-layouts != min(data, 1) {
			t.Errorf("%s has %d tables, %d for the layout and %d rows of data", l.Purpose, tables, layouts, data)
		}
		for _, need := range []string{"prefers-color-scheme: dark", `<meta name="color-scheme" content="light dark">`, "max-width: 480px", "<h1 ", "<!--[if mso]>", "<title>"} {
			if !strings.Contains(html, need) {
				t.Errorf("%s lacks %s", l.Purpose, need)
			}
		}
		if len(html) > 90_000 {
			t.Errorf("%s has %d bytes; Gmail cuts at 102 kB", l.Purpose, len(html))
		}
	}
}
