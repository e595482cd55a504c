package mailtest

import (
	"time"

	"github.com/google/uuid"

	"hearth.internal/notification/language"
	"hearth.internal/notification/mail"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
)

// things are what sample letters are about, in each language.
type things struct {
	home, cabin, gutters, filter, alarm, hedge, boiler, washer string
}

var sampled = map[string]things{
	"en": {"Maple Street 12", "Lake cabin", "Clean the gutters", "Change the water filter", "Test the smoke alarms", "Trim the hedge", "Have the boiler serviced", "Washing machine"},
	"de": {"Ahornweg 12", "Hütte am See", "Dachrinnen reinigen", "Wasserfilter wechseln", "Rauchmelder prüfen", "Hecke schneiden", "Heizung warten lassen", "Waschmaschine"},
	"es": {"Calle del Arce 12", "Cabaña del lago", "Limpiar los canalones", "Cambiar el filtro de agua", "Probar los detectores de humo", "Podar el seto", "Revisar la caldera", "Lavadora"},
}

// Letters are samples of every purpose, in a language, as the service would write them.
func Letters(locale string) []mail.Letter {
	s, t := language.For(locale), sampled[language.For(locale).Language()]
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		zone = time.UTC
	}
	today := day.Must("2026-03-10")
	until := time.Date(2026, 3, 11, 13, 30, 0, 0, time.UTC)
	on := func(home string, days int) string {
		return s.Say("digest.item", language.Args{"Residence": home, "Day": s.Day(today.AddDays(days))})
	}
	overdue := mail.Section{Title: s.Say("digest.section_overdue", nil), Tone: "overdue", Items: []mail.Item{{Title: t.gutters, Note: on(t.home, -4)}, {Title: t.filter, Note: on(t.home, -1)}}}
	dueToday := mail.Section{Title: s.Say("digest.section_today", nil), Tone: "today", Items: []mail.Item{{Title: t.alarm, Note: on(t.cabin, 0)}}}
	week := mail.Section{Title: s.Say("digest.section_week", nil), Tone: "soon", Items: []mail.Item{{Title: t.hedge, Note: on(t.home, 3)}, {Title: t.boiler, Note: on(t.cabin, 6)}}}
	warranties := mail.Section{Title: s.Say("digest.section_warranties", nil), Tone: "later", Items: []mail.Item{{Title: t.washer, Note: on(t.home, 30)}}}
	args := language.Args{"Actor": "Ben", "Task": t.gutters, "Residence": t.home, "Day": s.Day(today.AddDays(5)), "Item": t.washer}
	counted := func(key string, n int) string { return s.Say(key, language.Args{"Count": n}) }
	pdf := &mail.Attachment{Name: "hearth.pdf", ContentType: "application/pdf", Content: []byte("%PDF-1.7\n%%EOF\n")}
	notice := func(n events.Notice) *events.Notice {
		n.Tier = "pro"
		if n.Source == "" {
			n.Source = "stripe"
		}
		return &n
	}
	letters := []mail.Letter{
		{Purpose: mail.VerifyEmail, Code: "482913", Until: until},
		{Purpose: mail.ResetPassword, Code: "907315", Until: until},
		{Purpose: mail.Welcome},
		{Purpose: mail.PasswordChanged, Change: "reset"},
		{Purpose: mail.AccountDeleted},
		{Purpose: mail.Invitation, Actor: "Ben", Residence: t.home, Role: "member", Code: "K7QX2MPA", Until: until},
		{Purpose: mail.ResidenceShared, Actor: "Ben", Residence: t.home, Change: "joined", Title: s.Say("residence_shared.title", args), Body: s.Say("residence_shared.joined", args)},
		{Purpose: mail.TaskAssigned, Actor: "Ben", Residence: t.home, Task: t.gutters, Title: s.Say("task_assigned.title", args), Body: s.Say("task_assigned.due", args)},
		{Purpose: mail.TaskCompleted, Actor: "Ben", Residence: t.home, Task: t.gutters, Title: s.Say("task_completed.title", args), Body: s.Say("task_completed.body", args)},
		{Purpose: mail.Due, Sections: []mail.Section{overdue, dueToday}},
		{Purpose: mail.Digest, Title: s.Say("digest.title", nil), Body: counted("digest.overdue", 2) + ", " + counted("digest.today", 1) + ", " + counted("digest.week", 2), Sections: []mail.Section{overdue, dueToday, week, warranties}},
		{Purpose: mail.Updates, Sections: []mail.Section{
			{Title: t.home, Items: []mail.Item{{Title: s.Say("task_completed.body", args)}, {Title: s.Say("residence_shared.joined", args)}}},
			{Title: t.cabin, Items: []mail.Item{{Title: s.Say("task_due_soon.today", language.Args{"Task": t.alarm})}}},
		}},
		{Purpose: mail.Warranty, Title: s.Say("warranty_expiring.title", nil), Body: s.Say("warranty_expiring.days", language.Args{"Item": t.washer, "Count": 30}), Sections: []mail.Section{warranties}},
		{Purpose: mail.TasksReport, Residence: t.home, Attached: pdf},
		{Purpose: mail.HistoryReport, Residence: t.home, Attached: pdf},
		{Purpose: mail.BillingStarted, Notice: notice(events.Notice{Until: "2027-03-10T00:00:00Z"})},
		{Purpose: mail.BillingRenewed, Notice: notice(events.Notice{Amount: 3999, Currency: "EUR", Until: "2027-03-10T00:00:00Z", URL: "https://pay.example.com/receipt"})},
		{Purpose: mail.TrialEnding, Notice: notice(events.Notice{Source: "apple", Until: "2026-03-17T00:00:00Z"})},
		{Purpose: mail.PaymentFailed, Notice: notice(events.Notice{Amount: 3999, Currency: "EUR", Until: "2026-03-17T00:00:00Z", URL: "https://pay.example.com/invoice"})},
		{Purpose: mail.PaymentAction, Notice: notice(events.Notice{Amount: 3999, Currency: "EUR", URL: "https://pay.example.com/invoice"})},
		{Purpose: mail.BillingEnded, Notice: notice(events.Notice{})},
		{Purpose: mail.BillingRefunded, Notice: notice(events.Notice{Amount: 3999, Currency: "EUR"})},
	}
	for n := range letters {
		l := &letters[n]
		l.ID, l.To, l.Name, l.Locale, l.Zone = uuid.NewSHA1(uuid.Nil, []byte(l.Purpose)), "ada@example.com", "Ada", locale, zone
		switch l.Purpose {
		case mail.ResidenceShared, mail.TaskAssigned, mail.TaskCompleted, mail.Due, mail.Digest, mail.Updates, mail.Warranty:
			l.Unsubscribe = "https://api.example.com/api/notifications/unsubscribe/sample/"
		}
	}
	return letters
}
