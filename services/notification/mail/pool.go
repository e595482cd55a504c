package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// How many connections there are at a time, and how long one is kept that nobody needs: a burst of mails is to cost a few
// greetings, not one each, and a server is not to be held.
const (
	mostConnections = 4
	idleTime        = 30 * time.Second
	partingTime     = 2 * time.Second // how long a server may take to say good-bye
)

// pool keeps connections to one server.
type pool struct {
	server *server
	turns  chan struct{} // one for each connection that is in use

	mu     sync.Mutex
	idle   []*connection
	closed bool
}

// connection is one that has been greeted, encrypted and signed in.
type connection struct {
	*smtp.Client
	raw   net.Conn
	timer *time.Timer
}

func newPool(s *server) *pool { return &pool{server: s, turns: make(chan struct{}, mostConnections)} }

// deliver hands a mail over and answers the server's words. A kept connection that turns out to have ended is replaced by a
// fresh one, once, if the server cannot have taken the mail.
func (p *pool) deliver(ctx context.Context, m message) (answer string, failed *failure) {
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return "", &failure{at: connecting, err: ctx.Err()}
	}
	if c := p.take(); c != nil {
		answer, failed = p.use(ctx, c, m)
		if failed == nil || !failed.stale() || ctx.Err() != nil {
			return answer, failed
		}
	}
	c, failed := p.dial(ctx)
	if failed != nil {
		return "", failed
	}
	return p.use(ctx, c, m)
}

// use sends on a connection, and keeps it if it can be used again.
func (p *pool) use(ctx context.Context, c *connection, m message) (string, *failure) {
	release := c.bind(ctx)
	answer, failed := c.send(m)
	healthy := failed == nil || failed.answered() && c.Reset() == nil
	if intime := release(); !intime || !healthy {
		_ = c.raw.Close()
		return answer, failed
	}
	p.keep(c)
	return answer, failed
}

// bind lets the context end what happens on the connection. The function that it answers takes that back, and reports
// whether the context has left the connection alone.
func (c *connection) bind(ctx context.Context) (release func() bool) {
	_ = c.raw.SetDeadline(time.Time{}) // of one that is closed the next command says so
	return context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
}

// send is one mail's transaction.
func (c *connection) send(m message) (string, *failure) {
	if takes, _ := c.Extension("SMTPUTF8"); m.unicode && !takes {
		return "", &failure{at: recipientGiven, err: errUnicode}
	}
	c.SkipSMTPUTF8(!m.unicode)
	if err := c.Mail(m.from); err != nil {
		return "", &failure{at: senderGiven, err: err}
	}
	if err := c.Rcpt(m.to); err != nil {
		return "", &failure{at: recipientGiven, err: err}
	}
	body, err := c.Data()
	if err != nil {
		return "", &failure{at: writing, err: err}
	}
	if _, err := body.Write(m.raw); err != nil {
		return "", &failure{at: writing, err: err}
	}
	if err := body.Close(); err != nil {
		return "", &failure{at: ended, err: err}
	}
	if data, ok := body.(*smtp.DataCloser); ok {
		return data.ServerResponse(), nil
	}
	return "", nil
}

// take answers the connection that was used last, or nil.
func (p *pool) take() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if c.timer.Stop() {
			return c
		} // else its time is over just now
	}
	return nil
}

func (p *pool) keep(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		go c.part()
		return
	}
	c.timer = time.AfterFunc(idleTime, func() { p.drop(c) })
	p.idle = append(p.idle, c)
}

func (p *pool) drop(c *connection) {
	p.mu.Lock()
	p.idle = slices.DeleteFunc(p.idle, func(other *connection) bool { return other == c })
	p.mu.Unlock()
	c.part()
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		if c.timer.Stop() {
			c.part()
		}
	}
}

// part says good-bye.
func (c *connection) part() {
	_ = c.raw.SetDeadline(time.Now().Add(partingTime))
	_ = c.Quit() // it may have been closed already
	_ = c.raw.Close()
}

// dial makes a connection: encrypted as it is to be, or not at all, and signed in.
func (p *pool) dial(ctx context.Context) (*connection, *failure) {
	s := p.server
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil {
		return nil, &failure{at: connecting, err: err}
	}
	c := &connection{raw: raw}
	release := c.bind(ctx)
	if err := c.greet(ctx, s); err != nil {
		release()
		_ = raw.Close()
		return nil, &failure{at: connecting, err: err}
	}
	if !release() {
		_ = raw.Close()
		return nil, &failure{at: connecting, err: ctx.Err()}
	}
	return c, nil
}

func (c *connection) greet(ctx context.Context, s *server) (err error) {
	speaking := c.raw
	if s.mode == implicitTLS {
		encrypted := tls.Client(c.raw, s.tls)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return err // named by the caller
		}
		speaking = encrypted
	}
	if c.Client, err = smtp.NewClient(speaking, s.host); err != nil {
		return err
	}
	if err := c.Hello(s.domain()); err != nil {
		return err
	}
	if s.mode == startTLS {
		if offered, _ := c.Extension("STARTTLS"); !offered {
			return errNoTLS
		}
		if err := c.StartTLS(s.tls); err != nil {
			return err
		}
	}
	if s.username == "" {
		return nil
	}
	_, ways := c.Extension("AUTH")
	offers := strings.Fields(strings.ToUpper(ways))
	switch {
	case slices.Contains(offers, "PLAIN"):
		return c.Auth(smtp.PlainAuth("", s.username, s.password, s.host, false))
	case slices.Contains(offers, "LOGIN"):
		return c.Auth(smtp.LoginAuth(s.username, s.password, s.host, false))
	}
	return errNoAuth
}

// What a server lacks that we cannot do without.
var (
	errNoTLS   = errors.New("the server offers no STARTTLS")
	errNoAuth  = errors.New("the server offers neither AUTH PLAIN nor AUTH LOGIN")
	errUnicode = errors.New("the server takes no address that is not ASCII")
)
