package leyden

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Authorize answers whether a token is good, and remembers tokens that nobody
// listed so that an operator can admit them. How many transactions it runs is
// asked at a start alone (OCPP 1.6 §7.2): otherwise nobody could stop a charge
// with the card that began it.
func (l *Ledger) Authorize(ctx context.Context, tok IDToken) (TokenInfo, error) {
	info, _, err := l.authorize(ctx, tok)
	return info, err
}

func (l *Ledger) authorize(ctx context.Context, tok IDToken) (TokenInfo, Token, error) {
	known, err := l.registry.Token(ctx, tok.Value)
	if errors.Is(err, ErrNotFound) {
		known, err = Token{Value: tok.Value, Status: TokenAccepted, CreatedAt: l.Now()}, nil
	}
	if err != nil {
		return TokenInfo{}, Token{}, fmt.Errorf("idTag: %w", err)
	}
	if !known.Listed && tok.Value != "" {
		l.remember(known)
	}
	return TokenInfo{Status: l.tokenStatus(&known), Expiry: known.Expiry, Parent: known.Parent}, known, nil
}

// authorizeStart is authorize for a start, which ends the transactions in its
// way: those are not counted.
func (l *Ledger) authorizeStart(ctx context.Context, tok IDToken, ends []Transaction) (TokenInfo, Token, error) {
	info, known, err := l.authorize(ctx, tok)
	if err != nil || !info.Accepted() || known.MaxActive == 0 {
		return info, known, err
	}
	n, err := l.store.OpenWith(ctx, tok.Fold())
	if err != nil {
		return TokenInfo{}, Token{}, fmt.Errorf("open transactions of an idTag: %w", err)
	}
	for i := range ends {
		if same(ends[i].Token, tok) {
			n--
		}
	}
	if n >= known.MaxActive {
		info.Status = TokenConcurrentTx
	}
	return info, known, nil
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

func (l *Ledger) remember(t Token) {
	t.SeenAt = l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) < maxSeen {
		t.Value = strings.Clone(t.Value) // without the frame it came in
		l.seen[IDToken{Value: t.Value}.Fold()] = t
	}
}

// takeSeen returns the tokens that wait to be remembered, and forgets them.
func (l *Ledger) takeSeen() []Token {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := slices.Collect(maps.Values(l.seen))
	clear(l.seen)
	return seen
}
