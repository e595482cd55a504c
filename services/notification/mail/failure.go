package mail

import (
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth.internal/notification/delivery"
)

// How soon a provider is worth another try: one that could not be reached, and one that has said no.
const (
	afterSilence = time.Minute
	afterNo      = 5 * time.Minute
)

// stage is how far a mail had come. It can have been taken only when it had ended.
type stage int

const (
	connecting stage = iota
	senderGiven
	recipientGiven
	writing
	ended
)

func (s stage) String() string {
	return [...]string{"connect", "MAIL", "RCPT", "DATA", "end of DATA"}[s]
}

// failure is why a mail did not go.
type failure struct {
	at  stage
	err error
}

// reply answers what the server said: the code, and the enhanced one (RFC 3463); 0: it said nothing. The words are left
// out: they tend to repeat the address.
func (f *failure) reply() (code int, enhanced string) {
	said, ok := errors.AsType[*textproto.Error](f.err)
	if !ok {
		return 0, ""
	}
	return said.Code, enhancedCode.FindString(said.Msg)
}

var enhancedCode = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// answered reports whether the connection lives: the server has said no and waits for what comes next.
func (f *failure) answered() bool {
	code, _ := f.reply()
	return code != 0 && code != 421 || errors.Is(f.err, errUnicode)
}

// stale reports whether it looks as if a kept connection had ended before, and the mail cannot have been taken.
func (f *failure) stale() bool { return f.at < ended && !f.answered() }

// result is what came of it.
func (f *failure) result(ctx context.Context) delivery.Result {
	code, enhanced := f.reply()
	reason := f.at.String() + ": " + f.words(code, enhanced)
	later := func(after time.Duration, provider bool) delivery.Result {
		return delivery.Result{Outcome: delivery.Later, Reason: reason, After: after, Provider: provider}
	}
	switch {
	case errors.Is(f.err, errUnicode):
		return delivery.Result{Outcome: delivery.Refused, Reason: reason}
	case code == 0 && f.at == ended:
		return delivery.Result{Outcome: delivery.Later, Reason: "answer cut off"}
	case code == 0 && errors.Is(ctx.Err(), context.Canceled):
		return delivery.Result{Outcome: delivery.Later, Reason: "stopped"} // by us: it says nothing of the provider
	case code == 0:
		return later(afterSilence, true)
	case f.at == connecting, code == 421, signIn(code, enhanced):
		return later(afterNo, true)
	case code < 500:
		return later(afterNo, strings.HasPrefix(enhanced, "4.3.") || strings.HasPrefix(enhanced, "4.7."))
	case f.at == recipientGiven && nobody(code, enhanced):
		return delivery.Result{Outcome: delivery.Dead, Reason: reason}
	}
	return delivery.Result{Outcome: delivery.Refused, Reason: reason}
}

// signIn reports whether the server wants to know who we are, or does not believe it: no mail at all would go.
func signIn(code int, enhanced string) bool {
	return slices.Contains([]int{530, 534, 535, 538}, code) || enhanced == "5.7.8" || enhanced == "5.7.9"
}

// nobody reports whether a refused recipient means that there is no such address. Many servers say 550 and 553 also to what
// their policy forbids, or to the sender: then the enhanced code says so. A bare 550 can mean either, so that it is not
// enough.
func nobody(code int, enhanced string) bool {
	switch enhanced {
	case "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1": // no such mailbox, domain, syntax; moved; null MX; disabled
		return true
	case "", "5.0.0":
		return code == 551 || code == 553
	}
	return false
}

func (f *failure) words(code int, enhanced string) string {
	if code != 0 {
		return strings.TrimSpace(strconv.Itoa(code) + " " + enhanced)
	}
	if f.at != connecting && !errors.Is(f.err, errUnicode) {
		return "connection lost"
	}
	if op, ok := errors.AsType[*net.OpError](f.err); ok && !op.Timeout() {
		return op.Err.Error()
	}
	switch {
	case errors.Is(f.err, os.ErrDeadlineExceeded), errors.Is(f.err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(f.err, io.EOF), errors.Is(f.err, io.ErrUnexpectedEOF):
		return "connection lost"
	}
	return f.err.Error()
}

// providerID is what the server calls a mail that it has taken: what its answer says, if that is short and names nobody.
func providerID(answer string) string {
	answer = clean(enhancedCode.ReplaceAllString(answer, ""), longestTitle)
	if strings.Contains(answer, "@") {
		return ""
	}
	return answer
}
