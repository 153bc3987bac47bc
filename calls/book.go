package calls

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"leyden"
)

// Errors that callers act on, beside those of package leyden.
var (
	// ErrMismatch means that the key belongs to another call.
	ErrMismatch = errors.New("the key was used for another call")
	// ErrRunning means that the call is under way.
	ErrRunning = errors.New("a call with this key is under way")
)

// An UnknownError means that the call was begun and that nobody knows how it
// ended.
type UnknownError struct{ RequestID string }

func (e *UnknownError) Error() string {
	return "a call with this key was begun (request " + e.RequestID + "), and its outcome is unknown"
}

// Limits of what is kept of one call.
const (
	// MaxExcerpt is how many bytes of a request's body are recorded.
	MaxExcerpt = 2048
	// MaxReply is how long a reply may be that is kept, in bytes.
	MaxReply = 1 << 20
)

// DefaultAuditAge is how long records are kept: a year, and the weeks in which
// its books are closed.
const DefaultAuditAge = 400 * 24 * time.Hour

// A Config is what a [Book] needs.
type Config struct {
	Store Store
	// Secret is key material of the installation, 32 bytes that are not in the
	// Store.
	Secret []byte
	// Mask takes the secrets out of a JSON text; nil records no bodies.
	Mask func(text string) string
	// Now is the clock.
	Now func() time.Time
	// AuditAge is how long records are kept; 0 is [DefaultAuditAge].
	AuditAge time.Duration
	// Share is how many keys of a day one credential may use; 0 is [DefaultShare].
	Share int
}

// A Book keeps records and replies in a Store. It is safe for concurrent use.
// Only one process may claim keys of a Store.
type Book struct {
	Config
	sealer cipher.AEAD
	digest []byte // key of digests: a body may be a secret that can be guessed
	shares shares

	mu      sync.Mutex
	running map[Key][32]byte // calls that hold their claims
}

// NewBook returns a Book over the Store of c.
func NewBook(c Config) (*Book, error) {
	c.AuditAge, c.Share = cmp.Or(c.AuditAge, DefaultAuditAge), cmp.Or(c.Share, DefaultShare)
	b := &Book{Config: c, shares: shares{most: c.Share, used: make(map[string]*share)}, running: make(map[Key][32]byte)}
	key, err := hkdf.Key(sha256.New, c.Secret, nil, "leyden kept replies", 32)
	if err != nil {
		return nil, fmt.Errorf("key of kept replies: %w", err)
	}
	if b.digest, err = hkdf.Key(sha256.New, c.Secret, nil, "leyden digests of calls", 32); err != nil {
		return nil, fmt.Errorf("key of digests: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of kept replies: %w", err)
	}
	b.sealer, err = cipher.NewGCMWithRandomNonce(block)
	return b, err
}

// A Request is a call with a key.
type Request struct {
	Key
	Method    string
	Target    string // path and query
	Body      []byte
	RequestID string
}

// A Reply is what a call was answered with.
type Reply struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
	Lost   bool              `json:"lost,omitempty"` // the body was too long to be kept

	// What it is about, and to what the credential was limited then; "" for nothing.
	// Who reaches less since may not have it.
	Station     leyden.StationID     `json:"station,omitempty"`
	Transaction leyden.TransactionID `json:"transaction,omitempty"`
	LimitedTo   string               `json:"limitedTo,omitempty"`
}

// A Held claim is one whose call may run, and must be settled.
type Held struct {
	key  Key
	book *Book
}

// Claim claims the key of a request. It returns a claim that must be settled; or
// the reply to the same request from before; or [ErrMismatch], [ErrRunning], an
// [UnknownError], [leyden.ErrLimit] for a credential that used its share of keys, or
// an error of the Store.
func (b *Book) Claim(ctx context.Context, r Request) (*Held, *Reply, error) {
	digest, since := b.digestOf(&r), b.Now().Add(-KeyAge)
	kept, err := b.Store.Claimed(ctx, r.Key, since)
	if err == nil && len(kept.Reply) > 0 {
		reply, err := b.kept(&kept, digest)
		return nil, reply, err
	}
	if err != nil && !errors.Is(err, leyden.ErrNotFound) {
		return nil, nil, fmt.Errorf("look up key: %w", err)
	}
	if err := b.enter(r.Key, digest); err != nil {
		return nil, nil, err
	}
	err = leyden.ErrLimit
	if b.shares.take(r.Credential, b.Now()) {
		kept, err = b.Store.Claim(ctx, Claim{Key: r.Key, Digest: digest, RequestID: r.RequestID, At: b.Now()}, since)
	}
	if err == nil {
		return &Held{r.Key, b}, nil, nil
	}
	b.leave(r.Key)
	if !errors.Is(err, leyden.ErrExists) {
		return nil, nil, fmt.Errorf("claim key: %w", err)
	}
	reply, err := b.kept(&kept, digest)
	return nil, reply, err
}

// enter notes that a call runs.
func (b *Book) enter(k Key, digest [32]byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	other, runs := b.running[k]
	switch {
	case !runs:
		b.running[k] = digest
		return nil
	case other != digest:
		return ErrMismatch
	}
	return ErrRunning
}

func (b *Book) leave(k Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, k)
}

// kept returns the reply of a claim that was made before.
func (b *Book) kept(c *Claim, digest [32]byte) (*Reply, error) {
	if c.Digest != digest {
		return nil, ErrMismatch
	}
	if len(c.Reply) == 0 {
		return nil, &UnknownError{c.RequestID}
	}
	return b.unseal(c)
}

// Settle records how a call ended. held is its claim, nil if it had no key; reply
// is what the same call gets from now on, nil if it may run again.
func (b *Book) Settle(ctx context.Context, r *Record, held *Held, reply *Reply) error {
	s := Settlement{Record: r}
	if held != nil {
		defer b.leave(held.key)
		s.Claim = held.key
	}
	if held != nil && reply != nil {
		sealed, err := b.seal(held.key, reply)
		if err != nil {
			return err
		}
		s.Reply = sealed
	}
	if s.Record == nil && held == nil {
		return nil
	}
	if err := b.Store.Settle(ctx, &s); err != nil {
		return fmt.Errorf("record call: %w", err)
	}
	return nil
}

// seal returns a reply that nobody can read without the key of the installation,
// nor pass off as one to another claim.
func (b *Book) seal(k Key, r *Reply) ([]byte, error) {
	kept := *r
	if len(kept.Body) > MaxReply {
		kept.Body, kept.Lost = nil, true
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("keep reply: %w", err)
	}
	return b.sealer.Seal(nil, nil, text, bound(k)), nil
}

func (b *Book) unseal(c *Claim) (*Reply, error) {
	text, err := b.sealer.Open(nil, nil, c.Reply, bound(c.Key))
	if err != nil {
		return nil, fmt.Errorf("kept reply to request %s: %w", c.RequestID, err)
	}
	r := new(Reply)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("kept reply to request %s: %w", c.RequestID, err)
	}
	return r, nil
}

func bound(k Key) []byte { return appendPart(appendPart(nil, []byte(k.Credential)), []byte(k.Text)) }

func (b *Book) digestOf(r *Request) (d [32]byte) {
	mac := hmac.New(sha256.New, b.digest)
	for _, part := range [][]byte{[]byte(r.Method), []byte(r.Target), r.Body} {
		mac.Write(appendPart(nil, part))
	}
	mac.Sum(d[:0])
	return d
}

// appendPart precedes a part by its length, so that no two lists of parts are the
// same.
func appendPart(dst, part []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(part))), part...)
}

// Excerpt returns what is recorded of a request's body: JSON without secrets, cut
// where it is long; of anything else its length.
func (b *Book) Excerpt(body []byte) string {
	if len(body) == 0 || b.Mask == nil {
		return ""
	}
	var compact bytes.Buffer
	if len(body) > maxMasked || json.Compact(&compact, body) != nil {
		return fmt.Sprintf(`"(%d bytes)"`, len(body))
	}
	return cut(b.Mask(compact.String()))
}

// maxMasked is how long a body may be that is looked at.
const maxMasked = 64 << 10

// cut keeps the begin of a long text, whole characters of it.
func cut(text string) string {
	if len(text) <= MaxExcerpt {
		return text
	}
	const mark = "…"
	end := MaxExcerpt - len(mark)
	for text[end]&0xc0 == 0x80 {
		end--
	}
	return text[:end] + mark
}

// forgetEvery and forgetLimit keep what is forgotten from slowing anybody down.
const (
	forgetEvery = 10 * time.Minute
	forgetLimit = 500
)

// Run forgets what is old until ctx is done. Errors go to failed.
func (b *Book) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		if _, err := b.Forget(ctx); err != nil && ctx.Err() == nil {
			failed(fmt.Errorf("forget old calls: %w", err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Forget forgets all that is old, a little at a time, and returns how much that
// was.
func (b *Book) Forget(ctx context.Context) (forgotten int, err error) {
	now := b.Now()
	f := Forgetting{Records: now.Add(-b.AuditAge), Claims: now.Add(-KeyAge), Limit: forgetLimit}
	for {
		n, err := b.Store.Forget(ctx, f)
		forgotten += n
		if err != nil || n == 0 {
			return forgotten, err
		}
	}
}
