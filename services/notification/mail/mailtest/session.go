package mailtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is one that the server has taken.
type Mail struct {
	Number      int    // from 1, in the order in which they came
	From        string // of the envelope, as To
	To          []string
	At          time.Time
	Subject     string
	Text, HTML  string
	Header      mail.Header
	Attachments []Attachment
	Raw         []byte
	Encrypted   bool
	User        string // who has signed in
}

// Attachment is a file in it.
type Attachment struct {
	Name, ContentType string
	Content           []byte
}

// session is one connection's.
type session struct {
	server *Server
	conn   *smtp.Conn
	user   string
	from   string
	to     []string
}

var errPassword = &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "wrong password"}

func (s *session) AuthMechanisms() []string {
	switch {
	case s.server.options.Username == "":
		return nil
	case len(s.server.options.Mechanisms) > 0:
		return s.server.options.Mechanisms
	}
	return []string{sasl.Plain, sasl.Login}
}

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if err := s.server.fault(Auth, "").answer(s.conn, ""); err != nil {
		return nil, err
	}
	if !slices.Contains(s.AuthMechanisms(), mechanism) {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	if mechanism == sasl.Login {
		return &login{check: s.signIn}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return s.signIn(user, password) }), nil
}

func (s *session) signIn(user, password string) error {
	if user != s.server.options.Username || password != s.server.options.Password {
		return errPassword
	}
	s.user = user
	return nil
}

// login is AUTH LOGIN: the name and the password, each asked for by itself.
type login struct {
	check func(user, password string) error
	asked int
	user  string
}

func (l *login) Next(answer []byte) (challenge []byte, done bool, err error) {
	if l.asked == 0 && answer == nil {
		l.asked = 1
		return []byte("Username:"), false, nil
	}
	if l.user == "" {
		l.user = string(answer)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(answer))
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.options.Username != "" && s.user == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "sign in first"}
	}
	s.from = from
	return s.server.fault(Sender, "").answer(s.conn, from)
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return s.server.fault(Recipient, to).answer(s.conn, to)
}

func (s *session) Data(r io.Reader) error {
	if err := s.server.fault(Body, s.to[0]).answer(s.conn, s.to[0]); err != nil {
		return err
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	m, err := read(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "this is no mail"}
	}
	m.From, m.To, m.At, m.User = s.from, s.to, time.Now(), s.user
	_, m.Encrypted = s.conn.TLSConnectionState()
	fault := s.server.fault(End, s.to[0])
	if fault != nil && fault.Code != 0 {
		return fault.answer(s.conn, s.to[0])
	}
	s.server.keep(m)
	return fault.answer(s.conn, s.to[0])
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.connected--
	return nil
}

func (s *Server) keep(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
	m.Number = s.taken
	s.mails = append(s.mails, m)
	if over := len(s.mails) - s.options.Keep; s.options.Keep > 0 && over > 0 {
		s.mails = slices.Delete(s.mails, 0, over)
	}
}

// read takes a mail apart.
func read(raw []byte) (Mail, error) {
	m := Mail{Raw: raw}
	reader, err := mail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return m, fmt.Errorf("header: %w", err)
	}
	m.Header = reader.Header
	if m.Subject, err = reader.Header.Subject(); err != nil {
		return m, fmt.Errorf("subject: %w", err)
	}
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return m, fmt.Errorf("part: %w", err)
		}
		content, err := io.ReadAll(part.Body)
		if err != nil {
			return m, fmt.Errorf("part: %w", err)
		}
		switch header := part.Header.(type) {
		case *mail.AttachmentHeader:
			name, _ := header.Filename()
			kind, _, _ := header.ContentType()
			m.Attachments = append(m.Attachments, Attachment{Name: name, ContentType: kind, Content: content})
		case *mail.InlineHeader:
			if kind, _, _ := header.ContentType(); kind == "text/html" {
				m.HTML = string(content)
			} else {
				m.Text = string(content)
			}
		}
	}
}
