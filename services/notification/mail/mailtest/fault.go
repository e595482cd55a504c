package mailtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Stage is when a fault happens.
type Stage int

// The stages.
const (
	Connect   Stage = iota + 1 // instead of a greeting
	Auth                       // when somebody signs in
	Sender                     // at MAIL
	Recipient                  // at RCPT
	Body                       // while the mail comes in: it is not kept
	End                        // when it has come in: a refusal does not keep it, a cut does
)

// Fault is how the server fails.
type Fault struct {
	At Stage
	// To is the address that it is about, from Recipient on; empty: any.
	To string
	// Code and Enhanced are the answer, such as 550 and "5.1.1"; no code: the connection is cut, unless there is a Delay alone.
	Code     int
	Enhanced string
	// Delay is how slow the server is there.
	Delay time.Duration
	// Times is how often it happens; 0: until Heal.
	Times int
}

// Fail makes the server fail.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal makes it well again.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault answers what goes wrong now, or nil.
func (s *Server) fault(at Stage, to string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, f := range s.faults {
		if f.At != at || f.To != "" && f.To != to {
			continue
		}
		found := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:n:n], s.faults[n+1:]...)
			}
		}
		return &found
	}
	return nil
}

// answer makes the fault happen on a connection. What it says repeats the address, as servers do.
func (f *Fault) answer(c *smtp.Conn, to string) error {
	if f == nil {
		return nil
	}
	time.Sleep(f.Delay)
	if f.Code == 0 {
		if f.Delay == 0 {
			_ = c.Conn().Close()
			return fmt.Errorf("cut")
		}
		return nil
	}
	var enhanced smtp.EnhancedCode
	if _, err := fmt.Sscanf(strings.ReplaceAll(f.Enhanced, ".", " "), "%d %d %d", &enhanced[0], &enhanced[1], &enhanced[2]); err != nil {
		enhanced = smtp.NoEnhancedCode
	}
	return &smtp.SMTPError{Code: f.Code, EnhancedCode: enhanced, Message: "<" + to + ">: no"}
}
