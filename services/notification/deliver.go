package notification

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"hearth.internal/notification/delivery"
	"hearth.internal/notification/language"
	"hearth.internal/notification/mail"
	"hearth.internal/notification/push"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/seal"
)

// mailer hands letters over: a mail server, or while developing the terminal.
type mailer interface {
	Send(ctx context.Context, l mail.Letter) delivery.Result
}

// taskCategory is what apps show the actions complete and snooze with.
const taskCategory = "TASK"

// pushTo is a lane's way to a provider of push.
func (s *Service) pushTo(provider push.Pusher, sandbox bool) func(context.Context, parcel) delivery.Result {
	return func(ctx context.Context, p parcel) delivery.Result {
		m := p.messages[0]
		if m.Token == nil {
			return delivery.Result{Outcome: delivery.Refused, Reason: "no device"}
		}
		out := push.Message{ID: m.ID, Token: *m.Token, Sandbox: sandbox, Title: m.Title, Body: m.Body, Badge: m.Unread, Expires: m.ExpiresAt,
			Data: map[string]string{"kind": m.kind()}}
		if m.NotificationID != nil {
			out.Collapse, out.Data["notification_id"] = m.NotificationID.String(), m.NotificationID.String()
		}
		if m.ResidenceID != nil {
			out.Thread, out.Data["residence_id"] = m.ResidenceID.String(), m.ResidenceID.String()
		}
		if m.SubjectID != nil {
			out.Data["subject_id"] = m.SubjectID.String()
		}
		switch m.kind() {
		case TaskDueSoon, TaskOverdue:
			out.Category = taskCategory
			if m.SubjectID != nil { // what is said of a task takes the place of what was said before
				out.Collapse = "task-" + m.SubjectID.String()
			}
		case TaskAssigned:
			out.Category = taskCategory
		case TaskCompleted:
			out.Quiet = true
		case Digest:
			out.Collapse = "digest"
		}
		if p.folded {
			say := language.For(m.Locale)
			out.Title = say.Say("folded.title", language.Args{"Count": len(p.messages)})
			out.Body = say.Say("folded.body", language.Args{"First": m.Body})
			out.Category, out.Thread, out.Data = "", "", map[string]string{"kind": "folded"}
		}
		return provider.Push(ctx, out)
	}
}

// mailTo is the lane to the mail server.
func (s *Service) mailTo(server mailer) func(context.Context, parcel) delivery.Result {
	return func(ctx context.Context, p parcel) delivery.Result {
		l, err := s.letterOf(ctx, p)
		if err != nil {
			return unwritten(err)
		}
		return server.Send(ctx, l)
	}
}

// errUnreadable: what a message holds cannot be read, now or ever. errSealed: not with the key that this process has; another
// may have the right one.
var (
	errUnreadable = errors.New("unreadable")
	errSealed     = errors.New("its box does not open")
)

// unwritten is what becomes of a letter that could not be written.
func unwritten(err error) delivery.Result {
	switch e := apperr.Of(err); {
	case errors.Is(err, errUnreadable):
		return delivery.Result{Outcome: delivery.Refused, Reason: err.Error()}
	case e.Code.Kind.Status() == http.StatusNotFound, e.Code.Kind.Status() == http.StatusForbidden:
		return delivery.Result{Outcome: delivery.Refused, Reason: "the report is not theirs any more"}
	}
	return delivery.Result{Outcome: delivery.Later, Reason: cause(err)}
}

func cause(err error) string {
	if errors.Is(err, errSealed) {
		return errSealed.Error()
	}
	return "what it is made from could not be had"
}

// letterOf writes the letter of a parcel.
func (s *Service) letterOf(ctx context.Context, p parcel) (mail.Letter, error) {
	m := p.messages[0]
	zone, err := time.LoadLocation(m.Timezone)
	if err != nil {
		zone = time.UTC
	}
	l := mail.Letter{ID: m.ID, Purpose: m.Purpose, To: m.Email, Name: m.FirstName, Locale: m.Locale, Zone: zone, Until: m.ExpiresAt,
		Title: m.Title, Body: m.Body}
	var c content
	if len(m.Data) > 0 {
		if err := json.Unmarshal(m.Data, &c); err != nil {
			return l, fmt.Errorf("%w: content", errUnreadable)
		}
	}
	l.Residence, l.Actor, l.Role, l.Change, l.Notice, l.Sections = c.Residence, c.Actor, c.Role, c.Change, c.Notice, c.Sections
	if len(m.Sealed) > 0 {
		if l.Code, err = s.unseal(m); err != nil {
			return l, err
		}
	}
	if c.Report != nil {
		if l.Attached, err = s.report(ctx, c.Report); err != nil {
			return l, err
		}
	}
	if m.Kind != nil {
		s.notice(&l, p)
	}
	return l, nil
}

// notice fills a letter about notifications in: one, or several that are told of in one.
func (s *Service) notice(l *mail.Letter, p parcel) {
	m := p.messages[0]
	say := language.For(m.Locale)
	kind := m.kind()
	l.Residence, l.Actor, l.Task, l.Change, l.Role = m.Args["residence"], m.Args["actor"], m.Args["task"], m.Args["change"], m.Args["role"]
	switch kind {
	case TaskDueSoon, TaskOverdue:
		l.Purpose = mail.Due
	default:
		l.Purpose = kind
	}
	var kinds []string
	for _, other := range p.messages {
		kinds = append(kinds, other.kind())
		if purposeOf(other.kind()) != l.Purpose {
			l.Purpose = mail.Updates
		}
	}
	if len(p.messages) > 1 && l.Purpose != mail.Due && l.Purpose != mail.Warranty {
		l.Purpose = mail.Updates
	}
	if l.Purpose == mail.Due || l.Purpose == mail.Warranty || l.Purpose == mail.Updates {
		l.Sections = sectionsOf(p.messages, say)
	}
	l.Unsubscribe = s.unsubscribeURL(m.UserID, kinds...)
}

func purposeOf(kind string) string {
	if kind == TaskDueSoon || kind == TaskOverdue {
		return mail.Due
	}
	return kind
}

// sectionsOf lists notifications under their titles, in the order in which the titles first come.
func sectionsOf(messages []message, say language.Speaker) []mail.Section {
	var out []mail.Section
	at := map[string]int{}
	for _, m := range messages {
		item := mail.Item{Title: m.Body, Note: m.Args["residence"]}
		tone := "later"
		switch m.kind() {
		case TaskOverdue, TaskDueSoon:
			item.Title, tone = m.Args["task"], "soon"
			if m.kind() == TaskOverdue {
				tone = "overdue"
			}
			if due, err := day.Parse(m.Args["due_date"]); err == nil {
				item.Note = noteOf(m.Args["residence"], due, say)
			}
		case WarrantyExpiring:
			item.Title = m.Args["item"]
			if end, err := day.Parse(m.Args["end_date"]); err == nil {
				item.Note = noteOf(m.Args["residence"], end, say)
			}
		}
		i, there := at[m.Title]
		if !there {
			i = len(out)
			at[m.Title], out = i, append(out, mail.Section{Title: m.Title, Tone: tone})
		}
		out[i].Items = append(out[i].Items, item)
	}
	return out
}

// noteOf says where something is, and when.
func noteOf(residence string, d day.Day, say language.Speaker) string {
	if residence == "" {
		return say.Day(d)
	}
	return say.Say("digest.item", language.Args{"Residence": residence, "Day": say.Day(d)})
}

// report asks for what somebody has ordered, as it is now.
func (s *Service) report(ctx context.Context, r *events.ReportRequest) (*mail.Attachment, error) {
	q := internalapi.ReportQuery{Kind: r.Kind, UserID: r.UserID, ResidenceID: r.ResidenceID, Paper: r.Paper, Locale: r.Locale}
	for text, to := range map[string]**day.Day{r.From: &q.From, r.To: &q.To} {
		if d, err := day.Parse(text); err == nil {
			*to = &d
		}
	}
	pdf, err := s.tasks.Report(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return &mail.Attachment{Name: r.Kind + "-report.pdf", ContentType: "application/pdf", Content: pdf}, nil
}

func (s *Service) unseal(m message) (string, error) {
	plain, err := seal.Open(s.key, m.Sealed)
	if err != nil {
		return "", errSealed // the error itself says no more
	}
	var box events.CodeBox
	if json.Unmarshal(plain, &box) != nil || box.Code == "" {
		return "", fmt.Errorf("%w: the box holds no code", errUnreadable) // the decoder's own words could repeat what it holds
	}
	return box.Code, nil
}

// terminal prints letters in a line each, codes and all: for development, where no mail leaves the machine. Where there is a
// mail server too, it prints the codes alone.
type terminal struct {
	out  io.Writer
	next mailer
}

// Send prints the letter, and hands it on if there is whom to.
func (t terminal) Send(ctx context.Context, l mail.Letter) delivery.Result {
	if l.Code != "" || t.next == nil {
		if _, err := io.WriteString(t.out, terminalLine(l)); err != nil {
			return delivery.Result{Outcome: delivery.Later, Reason: "the terminal does not take it"}
		}
	}
	if t.next != nil {
		return t.next.Send(ctx, l)
	}
	return delivery.Result{Outcome: delivery.Sent}
}

// terminalLine is what a developer reads instead of an e-mail.
func terminalLine(l mail.Letter) string {
	line := fmt.Sprintf("[dev mail] to %s %s", l.To, subject(l.Purpose))
	if l.Code != "" {
		line += fmt.Sprintf(": %s (until %s UTC)", l.Code, l.Until.UTC().Format("Mon 15:04"))
	} else if l.Body != "" {
		line += ": " + l.Body
	}
	return strings.Map(func(r rune) rune { // an address must not steer the terminal
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, line) + "\n"
}

func subject(purpose string) string {
	switch purpose {
	case mail.VerifyEmail:
		return "verify your e-mail"
	case mail.ResetPassword:
		return "reset your password"
	default:
		return strings.ReplaceAll(purpose, "_", " ")
	}
}
