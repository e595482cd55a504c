// Package mailtest is a mail server for tests and for development: it takes every mail, keeps it, and can be told to fail
// as real ones do. It also has sample letters of every purpose.
package mailtest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"hearth.internal/pkg/testkit"
)

// Options say how the server speaks.
type Options struct {
	// TLS is as in HEARTH_SMTP_TLS: starttls, tls or none. Empty: starttls.
	TLS string
	// Username and Password are asked for, unless they are empty.
	Username, Password string
	// Mechanisms are the ways to sign in; none: PLAIN and LOGIN.
	Mechanisms []string
	// Keep is how many mails are kept; 0: all.
	Keep int
	// Addr is where it listens; empty: a free port of 127.0.0.1.
	Addr string
	// Dir is where the file with its CA is put, when it has one.
	Dir string
}

// Server is a running one.
type Server struct {
	options Options
	tls     *tls.Config
	ca      string // file
	address string

	mu          sync.Mutex
	server      *smtp.Server
	listener    net.Listener
	mails       []Mail
	taken       int
	faults      []*Fault
	connections int
	connected   int
}

// Start starts a server with STARTTLS and a password, which stops with the test. Options of another kind go to Listen.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartWith(t, Options{Username: "hearth", Password: "mailtest"})
}

// StartWith starts a server that stops with the test.
func StartWith(t testing.TB, o Options) *Server {
	t.Helper()
	o.Dir = t.TempDir()
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Down)
	return s
}

// Listen starts a server.
func Listen(o Options) (*Server, error) {
	if o.TLS == "" {
		o.TLS = "starttls"
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	s := &Server{options: o, address: o.Addr}
	if o.TLS != "none" {
		config, ca, err := certificates()
		if err != nil {
			return nil, err
		}
		s.tls, s.ca = config, filepath.Join(o.Dir, "ca.pem")
		if err := os.WriteFile(s.ca, ca, 0o600); err != nil {
			return nil, fmt.Errorf("CA: %w", err)
		}
	}
	return s, s.listen()
}

func (s *Server) listen() error {
	listener, err := net.Listen("tcp", s.address) //nolint:noctx // it lasts until Down
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = listener.Addr().String()
	server := smtp.NewServer(smtp.BackendFunc(s.greet))
	server.Domain, server.ErrorLog = "mail.test", log.New(io.Discard, "", 0)
	server.EnableSMTPUTF8, server.AllowInsecureAuth = true, s.options.TLS == "none"
	listener = &door{Listener: listener, server: s}
	switch s.options.TLS {
	case "tls":
		listener = tls.NewListener(listener, s.tls)
	case "starttls":
		server.TLSConfig = s.tls
	}
	s.server, s.listener = server, listener
	go func() { _ = server.Serve(listener) }() // until Down
	return nil
}

func (s *Server) greet(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected++
	return &session{server: s, conn: c}, nil
}

// Down closes the server and all its connections, as a crash would.
func (s *Server) Down() {
	s.mu.Lock()
	server, listener := s.server, s.listener
	s.server = nil
	s.mu.Unlock()
	if server != nil {
		_ = listener.Close() // the server knows of it only once it serves
		_ = server.Close()
	}
}

// Up brings it back to the address that it had.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	if err := s.listen(); err != nil {
		t.Fatal(err)
	}
}

// HangUp ends the connections of everybody who is connected, as a server does with whom it has not heard for long.
func (s *Server) HangUp(t testing.TB) {
	t.Helper()
	s.Down()
	s.Up(t)
}

// Environ are the variables with which a part of Hearth sends through this server.
func (s *Server) Environ() []string {
	host, port, _ := net.SplitHostPort(s.address)
	env := []string{"HEARTH_SMTP_HOST=" + host, "HEARTH_SMTP_PORT=" + port, "HEARTH_SMTP_TLS=" + s.options.TLS, "HEARTH_MAIL_FROM=Hearth <no-reply@hearth.test>",
		"HEARTH_PUBLIC_URL=https://api.hearth.test"}
	if s.options.Username != "" {
		env = append(env, "HEARTH_SMTP_USERNAME="+s.options.Username, "HEARTH_SMTP_PASSWORD="+s.options.Password)
	}
	if s.ca != "" {
		env = append(env, "HEARTH_SMTP_CA_FILE="+s.ca)
	}
	return env
}

// Connections is how many there have been.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// Connected is how many sessions there are now.
func (s *Server) Connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected
}

// Mails are all that it has taken, in the order in which they came.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// To are those to one address.
func (s *Server) To(address string) []Mail {
	return slices.DeleteFunc(s.Mails(), func(m Mail) bool { return !slices.Contains(m.To, address) })
}

// Wait waits for a mail to the address with these words in its subject, and answers the newest.
func (s *Server) Wait(t testing.TB, address, subject string) Mail {
	t.Helper()
	var found Mail
	testkit.Eventually(t, fmt.Sprintf("%s has a mail about %q", address, subject), func() bool {
		for _, m := range s.To(address) {
			if strings.Contains(m.Subject, subject) {
				found = m
			}
		}
		return found.Subject != "" || len(found.Raw) > 0
	})
	return found
}

// door counts who comes in, and turns them away when it is told to.
type door struct {
	net.Listener
	server *Server
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err // the server knows what it means
		}
		d.server.mu.Lock()
		d.server.connections++
		d.server.mu.Unlock()
		fault := d.server.fault(Connect, "")
		if fault == nil {
			return conn, nil
		}
		go func() {
			defer func() { _ = conn.Close() }()
			time.Sleep(fault.Delay)
			if fault.Code != 0 {
				_, _ = fmt.Fprintf(conn, "%d %s no\r\n", fault.Code, fault.Enhanced)
				_, _ = bufio.NewReader(conn).ReadString('\n') // what the client says to that
			}
		}()
	}
}
