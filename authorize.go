package leyden

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Authorize answers whether a token may charge now, and remembers tokens that
// nobody listed so that an operator can admit them.
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
	info := TokenInfo{Status: TokenAccepted, Expiry: known.Expiry, Parent: known.Parent}
	info.Status, err = l.tokenStatus(ctx, &known)
	return info, known, err
}

func (l *Ledger) tokenStatus(ctx context.Context, t *Token) (string, error) {
	switch {
	case t.Status == TokenBlocked:
		return TokenBlocked, nil
	case !t.Listed && l.opt.Tokens == TokensListed:
		return TokenInvalid, nil
	case !t.Expiry.IsZero() && !t.Expiry.After(l.Now()):
		return TokenExpired, nil
	case t.MaxActive == 0:
		return TokenAccepted, nil
	}
	n, err := l.store.OpenWith(ctx, IDToken{Value: t.Value}.Fold())
	if err != nil {
		return "", fmt.Errorf("open transactions of an idTag: %w", err)
	}
	if n >= t.MaxActive {
		return TokenConcurrentTx, nil
	}
	return TokenAccepted, nil
}

// maxSeen bounds how many unlisted tokens wait to be remembered: a station may
// send as many as it likes.
const maxSeen = 10_000

func (l *Ledger) remember(t Token) {
	t.SeenAt = l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) < maxSeen {
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
