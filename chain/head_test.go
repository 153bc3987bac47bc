package chain_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"leyden/chain"
)

func signed() (chain.Head, ed25519.PublicKey, string) {
	_, s := ledger()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	h := chain.Head{ID: s.ID, Began: s.Began, End: s.End, At: time.Date(2026, 2, 6, 12, 0, 0, 0, time.UTC)}
	return h, key.Public().(ed25519.PublicKey), h.Sign(key)
}

func TestHead(t *testing.T) {
	h, public, text := signed()
	got, key, err := chain.ReadHead(text)
	if err != nil || got != h || !public.Equal(key) {
		t.Errorf("got %+v, %x, %v; want %+v", got, key, err, h)
	}
	if _, _, err := chain.ReadHead(strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Errorf("with the line ends of another system: %v", err)
	}
}

// TestHeadForged: no digit of a head can be another.
func TestHeadForged(t *testing.T) {
	_, _, text := signed()
	for i := range len(text) {
		forged := []byte(text)
		forged[i] ^= 1
		if _, _, err := chain.ReadHead(string(forged)); !errors.Is(err, chain.ErrHead) {
			t.Fatalf("%q at %d: %v", forged[i], i, err)
		}
	}
	for i := range len(text) {
		if _, _, err := chain.ReadHead(text[:i]); !errors.Is(err, chain.ErrHead) {
			t.Fatalf("the first %d bytes: %v", i, err)
		}
	}
}

func TestCompare(t *testing.T) {
	h, _, _ := signed()
	rows, s := ledger()
	at := func(n int) (chain.Head, chain.Hash) {
		old := h
		old.End = chain.Link{Number: rows[n].number, Hash: chain.Hash(rows[n].hash)}
		return old, old.End.Hash
	}
	old, hash := at(6)
	wantText(t, old.Compare(&s, hash, true), "")
	wantText(t, old.Compare(&s, h.End.Hash, true), "event 65538 or one before it is not what was recorded at 2026-02-06T12:00:00Z")
	wantText(t, old.Compare(&s, hash, false), "event 65538 of the head has been dropped")
	s.End = old.End
	wantText(t, h.Compare(&s, hash, true), "event 65539 is missing: there was event 65551 at 2026-02-06T12:00:00Z")
	h.End = chain.Begin(h.ID, h.Began)
	wantText(t, h.Compare(&s, hash, false), "")
	h.ID[0]++
	wantText(t, h.Compare(&s, hash, true), "the head is of the chain 08")
}
