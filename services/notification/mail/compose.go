package mail

import (
	"fmt"
	"time"

	"hearth.internal/notification/language"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
)

// page is what the layout shows, from top to bottom. What is empty is left out.
type page struct {
	Lang             string
	Subject          string
	Preheader        string // what mailboxes show beside the subject
	Heading          string
	Lead             []string
	Code             string
	Until            string
	Facts            []fact
	Sections         []Section
	File             string
	Link, Label      string // the button
	Notes            []string
	Why              string // one gets this mail
	Unsubscribe      string
	UnsubscribeLabel string
	Tagline          string
}

type fact struct{ Name, Value string }

// writer writes one letter's page.
type writer struct {
	language.Speaker
	letter  Letter
	args    language.Args // what any text may have places for
	options Options
	page    page
}

// form is how mails of one purpose are written, and why one gets them.
type form struct {
	why   string
	write func(w *writer)
}

// forms are those of all purposes. What a purpose does not say here, compose says: greeting, heading, and preheader.
var forms = map[string]form{
	VerifyEmail:   {"account", func(w *writer) { w.lead("body"); w.code(); w.note(); w.notes("mail.secret") }},
	ResetPassword: {"account", func(w *writer) { w.lead("body"); w.code(); w.note(); w.notes("mail.secret") }},
	Welcome: {"welcome", func(w *writer) {
		w.lead("body")
		var steps Section
		for _, step := range []string{"home", "tasks", "share"} {
			steps.Items = append(steps.Items, Item{Title: w.own(step), Note: w.own(step + "_note")})
		}
		w.page.Sections = []Section{steps}
		w.open()
	}},
	PasswordChanged: {"account", func(w *writer) { w.lead(either(w.letter.Change == "reset", "reset", "changed")); w.note() }},
	AccountDeleted:  {"account", func(w *writer) { w.lead("body"); w.note() }},
	Invitation: {"invited", func(w *writer) {
		w.lead(either(w.letter.Role == "viewer", "viewer", "member"))
		w.lead("how")
		w.code()
		w.open()
		w.note()
	}},
	ResidenceShared: {"chosen", func(w *writer) {
		change := w.letter.Change
		if change == "role" {
			change = either(w.letter.Role == "viewer", "viewer", "member")
		}
		w.told("residence_shared."+change, "residence_shared.title")
	}},
	TaskAssigned:  {"chosen", func(w *writer) { w.told("task_assigned.body", "task_assigned.title") }},
	TaskCompleted: {"chosen", func(w *writer) { w.told("task_completed.body", "task_completed.title") }},
	Due:           {"chosen", func(w *writer) { w.list("") }},
	Digest: {"chosen", func(w *writer) {
		w.list("digest.nothing")
		w.page.Heading = either(w.letter.Title != "", w.letter.Title, w.Say("digest.title", nil))
		w.page.Subject = w.page.Heading
		if w.letter.Body != "" {
			w.page.Subject = w.Say("mail.digest.subject", language.Args{"Title": w.page.Heading, "Body": sentence(w.letter.Body)})
		}
	}},
	Updates:       {"chosen", func(w *writer) { w.list("updates.body") }},
	Warranty:      {"chosen", func(w *writer) { w.list(""); w.lead("body") }},
	TasksReport:   {"asked", func(w *writer) { w.lead("body"); w.open() }},
	HistoryReport: {"asked", func(w *writer) { w.lead("body"); w.open() }},

	BillingStarted:  {"plan", func(w *writer) { w.lead("body"); w.facts("paid_until"); w.open() }},
	BillingRenewed:  {"plan", func(w *writer) { w.lead("body"); w.facts("paid_until"); w.shop("receipt") }},
	TrialEnding:     {"plan", func(w *writer) { w.lead("body"); w.facts("trial_until"); w.shop("manage"); w.note() }},
	PaymentFailed:   {"plan", func(w *writer) { w.lead("body"); w.facts("pay_until"); w.shop("pay") }},
	PaymentAction:   {"plan", func(w *writer) { w.lead("body"); w.facts("pay_until"); w.shop("pay") }},
	BillingEnded:    {"plan", func(w *writer) { w.lead("body"); w.open() }},
	BillingRefunded: {"plan", func(w *writer) { w.lead("body"); w.facts(""); w.shop("receipt"); w.note() }},
}

// compose writes a letter's page.
func compose(l Letter, o Options) (page, error) {
	f, known := forms[l.Purpose]
	if !known {
		return page{}, fmt.Errorf("mail: there is no purpose %q", clean(l.Purpose, longestName))
	}
	w := &writer{Speaker: language.For(l.Locale), letter: plain(l), options: o}
	actor, home := w.letter.Actor, w.letter.Residence
	if actor == "" {
		actor = w.Say("somebody", nil)
	}
	if home == "" {
		home = w.Say("a_home", nil)
	}
	w.args = language.Args{"Actor": actor, "Residence": home, "Task": w.letter.Task, "Plan": w.Say("mail.plan.pro", nil)}
	w.page = page{Lang: w.Language(), Lead: []string{w.greeting()}, Sections: w.letter.Sections}
	f.write(w)
	if w.page.Subject == "" {
		w.page.Subject = w.own("subject")
	}
	w.page.Subject = clean(w.page.Subject, longestSubject)
	if w.page.Heading == "" {
		w.page.Heading = w.page.Subject
	}
	if len(w.page.Lead) > 1 {
		w.page.Preheader = w.page.Lead[1]
	}
	if a := l.Attached; a != nil {
		w.page.File = w.Say("mail.attached", language.Args{"File": clean(a.Name, longestTitle)})
	}
	w.page.Why, w.page.Tagline = w.Say("mail.why."+f.why, w.args), w.Say("mail.tagline", nil)
	if opens(l.Unsubscribe, "http", "https") {
		w.page.Unsubscribe, w.page.UnsubscribeLabel = l.Unsubscribe, w.Say("mail.unsubscribe", nil)
	}
	return w.page, nil
}

// plain makes lines of all that people have typed.
func plain(l Letter) Letter {
	l.Name, l.Actor, l.Residence = name(l.Name), name(l.Actor), name(l.Residence)
	l.Code, l.Task, l.Title = clean(l.Code, longestName), clean(l.Task, longestTitle), clean(l.Title, longestTitle)
	l.Body = clean(l.Body, 5*longestTitle)
	sections := make([]Section, len(l.Sections))
	for n, s := range l.Sections {
		sections[n] = Section{Title: clean(s.Title, longestTitle), Tone: s.Tone, Items: make([]Item, len(s.Items))}
		for i, item := range s.Items {
			sections[n].Items[i] = Item{Title: clean(item.Title, longestTitle), Note: clean(item.Note, longestTitle)}
		}
	}
	l.Sections = sections
	return l
}

func (w *writer) greeting() string {
	if w.letter.Name == "" {
		return w.Say("mail.hello", nil)
	}
	return w.Say("mail.greeting", language.Args{"Name": w.letter.Name})
}

// own says what only this purpose has to say.
func (w *writer) own(what string) string { return w.Say("mail."+w.letter.Purpose+"."+what, w.args) }

func (w *writer) lead(what string) { w.page.Lead = append(w.page.Lead, w.own(what)) }

// note is what stands small below the rest.
func (w *writer) note() { w.page.Notes = append(w.page.Notes, w.own("note")) }

func (w *writer) notes(key string) { w.page.Notes = append(w.page.Notes, w.Say(key, nil)) }

func (w *writer) code() {
	w.page.Code = w.letter.Code
	if !w.letter.Until.IsZero() {
		w.page.Until = w.Say("mail.until", language.Args{"Until": w.Instant(w.letter.Until, w.letter.Zone)})
	}
}

// open is the button that opens Hearth.
func (w *writer) open() {
	if w.options.AppURL != "" {
		w.page.Link, w.page.Label = w.options.AppURL, w.Say("mail.open", nil)
	}
}

// told says what the inbox says, with the words that are there, or those of the inbox's keys.
func (w *writer) told(body, title string) {
	brief := w.Say(body, w.args)
	w.page.Subject = sentence(brief)
	w.page.Heading = either(w.letter.Title != "", w.letter.Title, w.Say(title, w.args))
	w.page.Lead = append(w.page.Lead, either(w.letter.Body != "", w.letter.Body, brief))
	w.open()
}

// list is a mail whose sections say the most. One thing alone is named in the subject; of several it says how many.
func (w *writer) list(otherwise string) {
	count := 0
	for _, s := range w.letter.Sections {
		count += len(s.Items)
	}
	switch {
	case w.letter.Body != "":
		w.page.Lead = append(w.page.Lead, w.letter.Body)
	case otherwise != "" && (count == 0 || w.letter.Purpose == Updates):
		w.page.Lead = append(w.page.Lead, w.Say("mail."+otherwise, nil))
	}
	w.page.Heading = w.letter.Title
	switch {
	case w.letter.Purpose == Digest: // it says itself
	case count > 1 || w.letter.Body == "":
		w.page.Subject = w.Say("mail."+w.letter.Purpose+".subject", language.Args{"Count": count})
	default:
		w.page.Subject = sentence(w.letter.Body)
	}
	w.open()
}

func (w *writer) notice() events.Notice {
	if w.letter.Notice == nil {
		return events.Notice{}
	}
	return *w.letter.Notice
}

// facts are the table of a subscription; until says of which kind the notice's time is.
func (w *writer) facts(until string) {
	n := w.notice()
	add := func(key, value string) {
		w.page.Facts = append(w.page.Facts, fact{w.Say("mail."+key, nil), value})
	}
	add("plan", w.Say("mail.plan.pro", nil))
	if n.Amount != 0 && n.Currency != "" {
		add("amount", w.Money(n.Amount, clean(n.Currency, 3)))
	}
	if at, err := time.Parse(time.RFC3339, n.Until); err == nil && until != "" {
		zone := w.letter.Zone
		if zone == nil {
			zone = time.UTC
		}
		add(until, w.Day(day.In(at, zone)))
	}
	switch n.Source {
	case "apple", "google", "stripe":
		add("store", w.Say("mail.store."+n.Source, nil))
	}
}

// shop is the button that leads to where one pays or sees the receipt. Only Stripe has a page for each payment; the stores
// have one for subscriptions.
func (w *writer) shop(label string) {
	n := w.notice()
	if opens(n.URL, "https") {
		w.page.Link, w.page.Label = n.URL, w.Say("mail."+either(n.Source == "stripe", label, "manage"), nil)
		return
	}
	switch n.Source {
	case "apple", "google":
		w.notes("mail.manage." + n.Source)
	}
	w.open()
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
