package feed

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"leyden"
)

// Limits of webhooks.
const (
	MaxWebhooks    = 200
	MaxURL         = 2000 // bytes
	MaxDescription = 500  // characters
	// SecretOverlap is how long a secret signs still, after it was replaced.
	SecretOverlap = 24 * time.Hour
)

// A Webhook is where events are sent.
type Webhook struct {
	ID          string // wh_ + 26 characters
	URL         string
	Events      []string // topics it is sent; none: all
	Description string

	Secret      []byte    // that signs, sealed by a [Vault]
	Former      []byte    // the one before, which signs as well until FormerUntil; nil for none
	FormerUntil time.Time // zero for none

	Paused   string // why nothing is sent; "" for a webhook that runs
	PausedAt time.Time
	// FailingSince is when it began that no attempt succeeded; zero while they
	// do. MarkFailing alone changes it.
	FailingSince time.Time
	// Cursor is the last Seq that was looked at for it. EnqueueDeliveries alone
	// changes it.
	Cursor int64
	// Reach limits what it is sent to what the credential that made it may see.
	Reach *Reach

	By        string // the credential that made it
	CreatedAt time.Time
	UpdatedAt time.Time
	Version   int // guards changes
}

// A Reach says of which stations events are sent: those that are listed, and those
// of the sites. A nil Reach is all stations.
type Reach struct {
	Stations []leyden.StationID `json:"stations,omitempty"`
	Sites    []string           `json:"sites,omitempty"`
}

// Why a webhook is paused.
const (
	PausedByOperator = "an operator paused it"
	PausedGone       = "the receiver answered 410 Gone"
)

// A FieldError says which field of a webhook is not as it must be. It is a
// [leyden.ErrInvalid].
type FieldError struct {
	Field  string // as the REST API spells it
	Reason string // for people, without the value of a secret
}

// Error names the field and says what is wrong with it.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Unwrap returns [leyden.ErrInvalid].
func (e *FieldError) Unwrap() error { return leyden.ErrInvalid }

// Check returns an error if w breaks an invariant of its record. Stores check
// what they write.
func (w *Webhook) Check() error {
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{w.ID == "", "it has no id"},
		{w.URL == "", "it has no URL"},
		{len(w.Secret) == 0, "it has no secret"},
		{len(w.Former) == 0 != w.FormerUntil.IsZero(), "a former secret has an end, and nothing else"},
		{w.Version < 1, "its version is not positive"},
		{slices.ContainsFunc(w.Events, func(e string) bool { return e == "" || strings.Contains(e, " ") }), "an event has no name"},
	} {
		if rule.broken {
			return fmt.Errorf("webhook %q: %s: %w", w.ID, rule.text, leyden.ErrInvalid)
		}
	}
	return nil
}

// WebhookEvents returns the topics that a webhook may be sent.
func WebhookEvents() []string { return Topics() }

// EventsOf returns the topics with these names, each once, in the order of
// [WebhookEvents]. A name that no event has is a [FieldError].
func EventsOf(names []string) ([]string, error) {
	known := WebhookEvents()
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, &FieldError{"events", fmt.Sprintf("%.40q is no event", name)}
		}
	}
	return slices.DeleteFunc(known, func(k string) bool { return !slices.Contains(names, k) }), nil
}

// CheckURL says what is wrong with the URL of a webhook, as far as the text tells:
// the address behind a name is looked at by every connection. http is for
// addresses that the guard allows expressly.
func CheckURL(text string, g *Guard) error {
	bad := func(reason string) error { return &FieldError{"url", reason} }
	if len(text) > MaxURL || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return bad(fmt.Sprintf("must be a URL of at most %d bytes, without spaces", MaxURL))
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return bad("must be a URL, https://HOST/PATH")
	case !validPort(u.Port()):
		return bad("must have a port from 1 to 65535, or none")
	case u.User != nil:
		return bad("must not hold a user or a password: verify the signature instead")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return bad("must not have a fragment")
	case u.Scheme == "http" && !g.allowsAny():
		return bad("must be https: http is for addresses that --webhooks-allow lists")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := g.check(addr, u.Scheme == "https"); err != nil {
			return bad(err.Error())
		}
	}
	return nil
}

// validPort reports whether a server may listen there; "" is the scheme's own port.
func validPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

// CheckDescription says what is wrong with a description.
func CheckDescription(text string) error {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > MaxDescription || strings.ContainsFunc(text, unicode.IsControl) {
		return &FieldError{"description", fmt.Sprintf("must be readable text of at most %d characters", MaxDescription)}
	}
	return nil
}

// Rotate replaces the secret; the one that signed until now signs as well for
// [SecretOverlap].
func (w *Webhook) Rotate(sealed []byte, now time.Time) {
	w.Former, w.FormerUntil = w.Secret, now.Add(SecretOverlap)
	w.Secret = sealed
}

// Resume lets a paused webhook run again.
func (w *Webhook) Resume() { w.Paused, w.PausedAt = "", time.Time{} }

// Pause stops what is sent, until [Webhook.Resume].
func (w *Webhook) Pause(reason string, now time.Time) { w.Paused, w.PausedAt = reason, now }
