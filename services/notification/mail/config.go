package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"slices"
	"strings"
)

// Config is how mails go out; without it none are sent.
type Config struct {
	SMTPHost     string `env:"SMTP_HOST" doc:"The mail server that takes Hearth's mails, such as smtp.example.com; empty: no mails are sent"`
	SMTPPort     int    `env:"SMTP_PORT" doc:"Its port; empty: 587 with starttls, 465 with tls, 25 with none"`
	SMTPTLS      string `env:"SMTP_TLS" envDefault:"starttls" doc:"starttls: encrypted after a greeting, or not at all; tls: from the first byte; none: in clear text, for a server on the same machine or in the same cluster"`
	SMTPUsername string `env:"SMTP_USERNAME" doc:"Who signs in there; empty: nobody does"`
	SMTPPassword string `env:"SMTP_PASSWORD" secret:"true" doc:"The password of that user"`
	SMTPCAFile   string `env:"SMTP_CA_FILE" doc:"A PEM file with the certificates that the server's has to lead up to; empty: the system's"`
	MailFrom     string `env:"MAIL_FROM" doc:"Whom mails are from, such as Hearth <no-reply@example.com>"`
	MailReplyTo  string `env:"MAIL_REPLY_TO" doc:"Where answers to mails go; empty: to whom they are from"`
	AppURL       string `env:"APP_URL" doc:"Where the buttons in mails lead: a web page, or a link that the app opens; empty: mails have no such buttons"`
	PublicURL    string `env:"PUBLIC_URL" doc:"Where the gateway is reached from outside, such as https://api.example.com: needed with a mail server: links to end mails lead there"`
}

// How a connection is encrypted.
const (
	startTLS    = "starttls"
	implicitTLS = "tls"
	clearText   = "none"
)

// server is what a configuration says, looked into.
type server struct {
	host     string
	port     int
	mode     string
	tls      *tls.Config
	username string
	password string
	from     *mail.Address
	replyTo  *mail.Address // nil: none
}

// read looks into a configuration. nil: there is none.
func (c Config) read() (*server, error) {
	if c.SMTPHost == "" {
		for name, value := range map[string]string{
			"SMTP_USERNAME": c.SMTPUsername, "SMTP_PASSWORD": c.SMTPPassword, "SMTP_CA_FILE": c.SMTPCAFile, "MAIL_FROM": c.MailFrom, "MAIL_REPLY_TO": c.MailReplyTo,
		} {
			if value != "" {
				return nil, fmt.Errorf("HEARTH_%s is set without HEARTH_SMTP_HOST", name)
			}
		}
		return nil, nil //nolint:nilnil // not configured
	}
	s := &server{host: c.SMTPHost, port: c.SMTPPort, mode: c.SMTPTLS, username: c.SMTPUsername, password: c.SMTPPassword}
	if s.mode == "" {
		s.mode = startTLS
	}
	standard, known := map[string]int{startTLS: 587, implicitTLS: 465, clearText: 25}[s.mode]
	switch {
	case !known:
		return nil, fmt.Errorf("HEARTH_SMTP_TLS is %q, not starttls, tls or none", c.SMTPTLS)
	case s.port < 0 || s.port > 65535:
		return nil, fmt.Errorf("HEARTH_SMTP_PORT is %d, which is no port", s.port)
	case s.port == 0:
		s.port = standard
	}
	switch {
	case strings.ContainsAny(s.host, ":/@ \r\n") && strings.Count(s.host, ":") < 2:
		return nil, errors.New("HEARTH_SMTP_HOST is a name or an address alone: the port is HEARTH_SMTP_PORT")
	case (s.username == "") != (s.password == ""):
		return nil, errors.New("HEARTH_SMTP_USERNAME and HEARTH_SMTP_PASSWORD belong together")
	case s.username != "" && s.mode == clearText && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, s.host):
		return nil, errors.New("HEARTH_SMTP_TLS=none would send the password in clear text")
	case !opens(c.PublicURL, "http", "https"):
		return nil, errors.New("HEARTH_PUBLIC_URL has to say where the gateway is reached: what is mailed must be possible to end")
	case c.SMTPCAFile != "" && s.mode == clearText:
		return nil, errors.New("HEARTH_SMTP_CA_FILE is of no use with HEARTH_SMTP_TLS=none")
	}
	return s, errors.Join(s.readAddresses(c), s.readRoots(c.SMTPCAFile))
}

func (s *server) readAddresses(c Config) (err error) {
	if s.from, err = mail.ParseAddress(c.MailFrom); err != nil || !isASCII(s.from.Address) {
		return errors.New("HEARTH_MAIL_FROM has to be an address such as Hearth <no-reply@example.com>")
	}
	if c.MailReplyTo == "" {
		return nil
	}
	if s.replyTo, err = mail.ParseAddress(c.MailReplyTo); err != nil {
		return errors.New("HEARTH_MAIL_REPLY_TO has to be an address such as Hearth <help@example.com>")
	}
	return nil
}

func (s *server) readRoots(file string) error {
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("HEARTH_SMTP_CA_FILE: %w", err)
	}
	s.tls.RootCAs = x509.NewCertPool()
	if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
		return errors.New("HEARTH_SMTP_CA_FILE has no certificate in it")
	}
	return nil
}

// domain is that of whom mails are from: it says who is calling, and names the mails.
func (s *server) domain() string { return s.from.Address[strings.LastIndex(s.from.Address, "@")+1:] }

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '\x7f' })
}
