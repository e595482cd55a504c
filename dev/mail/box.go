// Package mail keeps the mails of a development system on this machine and shows them in a browser, and beside them a
// gallery of all that Hearth can write.
package mail

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"hearth.internal/notification/language"
	"hearth.internal/notification/mail"
	"hearth.internal/notification/mail/mailtest"
)

// kept is how many mails stay; the oldest go first.
const kept = 500

// sampleApp is where the buttons of the gallery's mails lead.
const sampleApp = "https://app.example.com/"

// Box is where mails end up.
type Box struct {
	server   *mailtest.Server // nil: mails go elsewhere
	renderer *mail.Renderer
}

// Open starts a mail server on a free port of this machine, unless mails go elsewhere.
func Open(elsewhere bool) (*Box, error) {
	renderer, err := mail.New(mail.Options{AppURL: sampleApp})
	if err != nil {
		return nil, err
	}
	b := &Box{renderer: renderer}
	if elsewhere {
		return b, nil
	}
	if b.server, err = mailtest.Listen(mailtest.Options{TLS: "none", Keep: kept}); err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return b, nil
}

// Environ are the variables with which notification sends to the box; none when mails go elsewhere.
func (b *Box) Environ() []string {
	if b.server == nil {
		return nil
	}
	return b.server.Environ()
}

// Close stops the server.
func (b *Box) Close() {
	if b.server != nil {
		b.server.Down()
	}
}

// Handler shows the mails: GET /mail/ the latest, /mail/{number} one, /mail/gallery/ the samples.
func (b *Box) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mail/{$}", b.list)
	mux.HandleFunc("GET /mail/{number}", b.show)
	mux.HandleFunc("GET /mail/{number}/html", b.showHTML)
	mux.HandleFunc("GET /mail/gallery/{$}", b.gallery)
	mux.HandleFunc("GET /mail/gallery/{language}/{purpose}", b.sample)
	return mux
}

func (b *Box) mails() []mailtest.Mail {
	if b.server == nil {
		return nil
	}
	return b.server.Mails()
}

// find answers the mail of that number, or answers the request that there is none.
func (b *Box) find(w http.ResponseWriter, r *http.Request) (mailtest.Mail, bool) {
	number, err := strconv.Atoi(r.PathValue("number"))
	for _, m := range b.mails() {
		if err == nil && m.Number == number {
			return m, true
		}
	}
	http.Error(w, "No such mail.", http.StatusNotFound)
	return mailtest.Mail{}, false
}

func (b *Box) list(w http.ResponseWriter, r *http.Request) {
	mails := b.mails()
	latest := make([]mailtest.Mail, 0, len(mails))
	for n := range mails {
		latest = append(latest, mails[len(mails)-1-n])
	}
	if !wantsPage(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, m := range latest {
			_, _ = fmt.Fprintf(w, "%4d  %s  %-32s %s\n", m.Number, m.At.Format("15:04:05"), strings.Join(m.To, ", "), m.Subject)
		}
		return
	}
	render(w, listPage, struct {
		Mails     []mailtest.Mail
		Elsewhere bool
	}{latest, b.server == nil})
}

func (b *Box) show(w http.ResponseWriter, r *http.Request) {
	m, found := b.find(w, r)
	if !found {
		return
	}
	if !wantsPage(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprint(w, m.Text)
		return
	}
	head, _, _ := strings.Cut(string(m.Raw), "\r\n\r\n")
	render(w, mailPage, struct {
		mailtest.Mail
		Head string
	}{m, head})
}

func (b *Box) showHTML(w http.ResponseWriter, r *http.Request) {
	if m, found := b.find(w, r); found {
		letter(w, m.HTML)
	}
}

// look is how the gallery shows its mails.
type look struct{ Language, Scheme, Width string }

func looked(r *http.Request) look {
	l := look{r.FormValue("language"), r.FormValue("scheme"), r.FormValue("width")}
	l.Language = language.For(l.Language).Language()
	if l.Scheme != dark {
		l.Scheme = light
	}
	if l.Width != phone {
		l.Width = desktop
	}
	return l
}

// The looks.
const (
	light, dark    = "light", "dark"
	desktop, phone = "desktop", "phone"
)

func (b *Box) gallery(w http.ResponseWriter, r *http.Request) {
	type sample struct{ Purpose, Subject string }
	l := looked(r)
	var samples []sample
	for _, s := range mailtest.Letters(l.Language) {
		out, err := b.renderer.Render(s)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		samples = append(samples, sample{s.Purpose, out.Subject})
	}
	render(w, galleryPage, struct {
		look
		Languages []string
		Samples   []sample
	}{l, language.Spoken(), samples})
}

// sample is one mail of the gallery, light or dark whatever the browser prefers; ?text shows its other half.
func (b *Box) sample(w http.ResponseWriter, r *http.Request) {
	for _, s := range mailtest.Letters(r.PathValue("language")) {
		if s.Purpose != r.PathValue("purpose") {
			continue
		}
		out, err := b.renderer.Render(s)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if r.URL.Query().Has("text") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = fmt.Fprintf(w, "Subject: %s\n\n%s", out.Subject, out.Text)
			return
		}
		medium := "not all"
		if looked(r).Scheme == dark {
			medium = "all"
		}
		letter(w, strings.NewReplacer("(prefers-color-scheme: dark)", medium, "color-scheme: light dark", "color-scheme: "+looked(r).Scheme).Replace(out.HTML))
		return
	}
	http.Error(w, "No such mail.", http.StatusNotFound)
}
