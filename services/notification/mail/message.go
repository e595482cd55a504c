package mail

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// message is a letter as a mail server takes it.
type message struct {
	from, to string // as commands have them, in angle brackets
	unicode  bool   // the address is not ASCII: only servers with SMTPUTF8 take it
	raw      []byte
}

// errAddress says that a letter's address is none.
var errAddress = errors.New("no address")

// build writes a letter as a mail. The errors repeat nothing of it.
func (s *SMTP) build(l Letter) (message, error) {
	to, err := recipient(l)
	if err != nil {
		return message{}, err
	}
	words, err := s.renderer.Render(l)
	if err != nil {
		return message{}, err
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.server.from)
	m.ToMailAddress(to)
	if s.server.replyTo != nil {
		m.ReplyToMailAddress(s.server.replyTo)
	}
	m.Subject(header(words.Subject))
	m.SetDate()
	m.SetMessageIDWithValue(l.ID.String() + "@" + s.server.domain())
	// Nobody has written it (RFC 3834), and nobody's holiday is to be answered to it.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	if opens(l.Unsubscribe, "http", "https") { // RFC 8058
		m.SetListUnsubscribe(l.Unsubscribe)
		m.SetListUnsubscribePost()
	}
	m.SetBodyString(gomail.TypeTextPlain, words.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, words.HTML)
	if a := l.Attached; a != nil {
		file := strings.NewReplacer(`"`, "'", "/", "-", `\`, "-").Replace(clean(a.Name, longestTitle))
		if err := m.AttachReader(file, bytes.NewReader(a.Content), gomail.WithFileContentType(gomail.ContentType(clean(a.ContentType, longestTitle)))); err != nil {
			return message{}, errors.New("the attachment cannot be read")
		}
	}
	var raw bytes.Buffer
	if _, err := m.WriteTo(&raw); err != nil {
		return message{}, errors.New("the mail cannot be written")
	}
	from := mail.Address{Address: s.server.from.Address}
	bare := mail.Address{Address: to.Address}
	return message{from: from.String(), to: bare.String(), unicode: !isASCII(to.Address), raw: raw.Bytes()}, nil
}

// recipient reads a letter's address. A domain goes as DNS has it; what stands before the @ is the domain's own.
func recipient(l Letter) (*mail.Address, error) {
	read, err := mail.ParseAddress(l.To)
	if err != nil || read.Address != l.To || strings.ContainsAny(l.To, "\r\n") {
		return nil, errAddress
	}
	at := strings.LastIndex(l.To, "@")
	domain, err := idna.Lookup.ToASCII(l.To[at+1:])
	if err != nil || domain == "" {
		return nil, fmt.Errorf("%w: its domain is none", errAddress)
	}
	return &mail.Address{Name: header(clean(l.Name, longestName)), Address: l.To[:at+1] + domain}, nil
}
