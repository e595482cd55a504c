package notification

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/google/uuid"

	"hearth.internal/notification/language"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/seal"
)

// unsubscribeKey is what the links in mails are signed with. They are good as long as the key that it is derived from.
func unsubscribeKey(from seal.PrivateKey) []byte {
	key, err := hkdf.Key(sha256.New, from[:], nil, "hearth unsubscribe", sha256.Size)
	if err != nil {
		panic(fmt.Sprintf("unsubscribe key: %v", err)) // it is short enough for the hash
	}
	return key
}

// A link holds whose it is, a bit for each kind, and the beginning of their HMAC-SHA256.
const (
	linkMAC  = 16
	linkSize = len(uuid.UUID{}) + 1 + linkMAC
)

// linkKinds are the kinds by the bits in a link, the lowest first. Mails are kept for years: a bit never gets another meaning.
func linkKinds() []string {
	return []string{TaskDueSoon, TaskOverdue, TaskCompleted, TaskAssigned, ResidenceShared, WarrantyExpiring, Digest}
}

func bitsOf(kinds []string) (bits byte) {
	for i, kind := range linkKinds() {
		if slices.Contains(kinds, kind) {
			bits |= 1 << i
		}
	}
	return bits
}

func kindsOf(bits byte) (kinds []string) {
	for i, kind := range linkKinds() {
		if bits&(1<<i) != 0 {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

const unsubscribePath = "/api/notifications/unsubscribe/"

// unsubscribeURL is the address that ends the person's mails of some kinds, by one click (RFC 8058) or on the page that is
// there.
func (s *Service) unsubscribeURL(user uuid.UUID, kinds ...string) string {
	return strings.TrimSuffix(s.publicURL, "/") + unsubscribePath + s.linkToken(user, kinds) + "/"
}

func (s *Service) linkToken(user uuid.UUID, kinds []string) string {
	signed := append(user[:], bitsOf(kinds))
	return base64.RawURLEncoding.EncodeToString(append(signed, s.signature(signed)...))
}

func (s *Service) signature(signed []byte) []byte {
	mac := hmac.New(sha256.New, s.unsubscribeKey)
	_, _ = mac.Write(signed) // a hash never fails
	return mac.Sum(nil)[:linkMAC]
}

// link is what somebody was mailed who may want no more of it.
type link struct {
	token string
	user  uuid.UUID
	kinds []string
}

// openLink fails with not_found for a token that was not made here.
func (s *Service) openLink(token string) (link, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != linkSize || !hmac.Equal(raw[linkSize-linkMAC:], s.signature(raw[:linkSize-linkMAC])) {
		return link{}, apperr.NoSuchThing.New("There is no such link.")
	}
	l := link{token: token, user: uuid.UUID(raw[:16]), kinds: kindsOf(raw[16])}
	if len(l.kinds) == 0 {
		return link{}, apperr.NoSuchThing.New("There is no such link.")
	}
	return l, nil
}

// LookAtLink is the page behind a link: how it stands with mails of those kinds. It changes nothing.
func (s *Service) LookAtLink(ctx context.Context, token string) (linkPage, error) {
	l, err := s.openLink(token)
	if err != nil {
		return linkPage{}, err
	}
	mailed, err := readMailed(ctx, s.DB, l)
	if err != nil {
		return linkPage{}, err
	}
	if mailed.Email {
		return l.page(mailed.Locale, asks)
	}
	return l.page(mailed.Locale, unsubscribed)
}

// Unsubscribe ends the mails of the link's kinds, those that wait included. Done again it changes nothing.
func (s *Service) Unsubscribe(ctx context.Context, token string) (linkPage, error) {
	return s.followLink(ctx, token, false, unsubscribed)
}

// Resubscribe undoes it.
func (s *Service) Resubscribe(ctx context.Context, token string) (linkPage, error) {
	return s.followLink(ctx, token, true, resubscribed)
}

func (s *Service) followLink(ctx context.Context, token string, email bool, then linkState) (linkPage, error) {
	l, err := s.openLink(token)
	if err != nil {
		return linkPage{}, err
	}
	locale, err := setMailed(ctx, s.DB, l, email, s.Clock.Now())
	if err != nil {
		return linkPage{}, err
	}
	return l.page(locale, then)
}

// linkState is what a page says, by the name of its texts.
type linkState string

const (
	asks         linkState = "ask"
	unsubscribed linkState = "done"
	resubscribed linkState = "undone"
)

var (
	//go:embed unsubscribe.css
	linkStyle string
	//go:embed unsubscribe.html
	linkLayout string

	linkTemplate = template.Must(template.New("unsubscribe").Parse(linkLayout))
)

// linkPage is a page in HTML, and its language.
type linkPage struct {
	Language string
	HTML     []byte
}

// page puts a state into words. It names nobody: whoever has the mail has the link.
func (l link) page(locale string, state linkState) (linkPage, error) {
	speaker := language.For(locale)
	kinds := make([]string, len(l.kinds))
	for i, kind := range l.kinds {
		kinds[i] = speaker.Say("unsubscribe.kind."+kind, nil)
	}
	text := func(key string) string {
		return speaker.Say("unsubscribe."+key, language.Args{"Kind": strings.Join(kinds, ", ")})
	}
	base, _ := speaker.Tag.Base()
	action := unsubscribePath + l.token + "/"
	if state == unsubscribed {
		action += "resubscribe/"
	}
	out := linkPage{Language: base.String()}
	var html bytes.Buffer
	err := linkTemplate.Execute(&html, map[string]any{
		"Language": out.Language, "Style": template.CSS(linkStyle), "Done": state != asks, //nolint:gosec // the style is ours
		"Title": text(string(state) + ".title"), "Text": text(string(state) + ".text"), "Button": text(string(state) + ".button"),
		"Rest": text("rest"), "Action": action,
	})
	if err != nil {
		return linkPage{}, fmt.Errorf("unsubscribe page: %w", err)
	}
	out.HTML = html.Bytes()
	return out, nil
}

// linkPolicy lets the page use its own style, send its form here, and nothing else.
func linkPolicy() string {
	sum := sha256.Sum256([]byte(linkStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}
