package leyden

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Authorize answers whether a token is good, and remembers tokens that nobody
// listed so that an operator can admit them. How many transactions it runs is
// asked at a start alone (OCPP 1.6 §7.2): otherwise nobody could stop a charge
// with the card that began it.
func (l *Ledger) Authorize(ctx context.Context, tok IDToken) (TokenInfo, error) {
	var h holder
	return l.authorize(ctx, tok, &h)
}

// A holder is whoever shows an idTag: what is kept of the idTag, and of its
// group. A group that nobody listed as an idTag of its own is a mere name.
type holder struct {
	Token
	group Token // zero: none, or a mere name
}

// authorize is Authorize, and tells who shows the idTag.
func (l *Ledger) authorize(ctx context.Context, tok IDToken, h *holder) (TokenInfo, error) {
	var err error
	h.Token, err = l.registry.RecentToken(ctx, tok.Value)
	if errors.Is(err, ErrNotFound) {
		h.Token, err = Token{Value: tok.Value, Status: TokenAccepted, CreatedAt: l.Now()}, nil
	}
	if err != nil {
		return TokenInfo{}, fmt.Errorf("idTag: %w", err)
	}
	if !h.Listed && tok.Value != "" {
		l.remember(&h.Token)
	}
	if h.group, err = l.groupOf(ctx, &h.Token); err != nil {
		return TokenInfo{}, err
	}
	info := TokenInfo{Status: l.tokenStatus(&h.Token), Expiry: earliest(h.Expiry, h.group.Expiry), Parent: h.Parent}
	if info.Accepted() && h.group.Listed {
		info.Status = l.tokenStatus(&h.group)
	}
	return info, nil
}

// groupOf returns the group of an idTag, if it is listed as an idTag itself. A
// group of the group is not asked: an idTag has one group (OCPP 1.6 §7.27).
func (l *Ledger) groupOf(ctx context.Context, t *Token) (Token, error) {
	if t.Parent == "" || same(IDToken{Value: t.Parent}, IDToken{Value: t.Value}) {
		return Token{}, nil
	}
	group, err := l.registry.RecentToken(ctx, t.Parent)
	if errors.Is(err, ErrNotFound) || err == nil && !group.Listed {
		return Token{}, nil
	}
	if err != nil {
		return Token{}, fmt.Errorf("group of an idTag: %w", err)
	}
	return group, nil
}

// authorizeStart is authorize for a start, which ends the transactions in its
// way: those are not counted. The limit of a group is for all that its members
// run. It returns the vehicle of the idTag, too.
func (l *Ledger) authorizeStart(ctx context.Context, tok IDToken, ends []*Transaction) (info TokenInfo, vehicle string, err error) {
	var h holder
	info, err = l.authorize(ctx, tok, &h)
	if err != nil || !info.Accepted() {
		return info, h.VehicleID, err
	}
	for _, limit := range []*Token{&h.Token, &h.group} {
		full, err := l.full(ctx, limit, ends)
		if err != nil {
			return TokenInfo{}, "", err
		}
		if full {
			info.Status = TokenConcurrentTx
		}
	}
	return info, h.VehicleID, nil
}

// full reports whether an idTag, or the group that it is, runs as many
// transactions as it may when ends have ended.
func (l *Ledger) full(ctx context.Context, t *Token, ends []*Transaction) (bool, error) {
	if t.MaxActive == 0 {
		return false, nil
	}
	limited := IDToken{Value: t.Value}
	n, err := l.store.OpenWith(ctx, limited.Fold())
	if err != nil {
		return false, fmt.Errorf("open transactions of an idTag: %w", err)
	}
	for i := range ends {
		counted, err := l.counts(ctx, limited, ends[i].Token)
		if err != nil {
			return false, err
		}
		if counted {
			n--
		}
	}
	return n >= t.MaxActive, nil
}

// counts reports whether what tok runs counts for limited: it is the same, or
// its group.
func (l *Ledger) counts(ctx context.Context, limited, tok IDToken) (bool, error) {
	if same(limited, tok) {
		return true, nil
	}
	known, err := l.registry.RecentToken(ctx, tok.Value)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("idTag: %w", err)
	}
	return same(limited, IDToken{Value: known.Parent}), nil
}

func (l *Ledger) tokenStatus(t *Token) string {
	switch {
	case t.Status == TokenBlocked:
		return TokenBlocked
	case !t.Listed && l.opt.Tokens == TokensListed:
		return TokenInvalid
	case !t.Expiry.IsZero() && !t.Expiry.After(l.Now()):
		return TokenExpired
	}
	return TokenAccepted
}

// maxSeen bounds how many unlisted tokens wait to be remembered: a station may
// send as many as it likes.
const maxSeen = 10_000

func (l *Ledger) remember(t *Token) {
	var room [keyRoom]byte
	now, folded := l.Now(), appendFolded(room[:0], t.Value)
	l.mu.Lock()
	defer l.mu.Unlock()
	if was := l.seen[string(folded)]; was != nil {
		was.SeenAt = now
		return
	}
	if len(l.seen) < maxSeen {
		kept := *t
		kept.Value, kept.SeenAt = strings.Clone(t.Value), now // without the frame it came in
		l.seen[string(folded)] = &kept
	}
}

// takeSeen returns the tokens that wait to be remembered, and forgets them.
func (l *Ledger) takeSeen() []Token {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make([]Token, 0, len(l.seen))
	for _, t := range l.seen {
		seen = append(seen, *t)
	}
	clear(l.seen)
	return seen
}
