package rest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"leyden"
	"leyden/rest"
)

// named is a store that finds every transaction, and tells by what.
type named struct{ leyden.Store }

func (named) Transaction(_ context.Context, id leyden.TransactionID) (leyden.Transaction, error) {
	return leyden.Transaction{ID: id}, nil
}

func (named) ByPublicID(_ context.Context, id string) (leyden.Transaction, error) {
	return leyden.Transaction{PublicID: id}, nil
}

func TestFindTransaction(t *testing.T) {
	for id, want := range map[string]leyden.TransactionID{"1": 1, "010203": 10203, "2147483647": 2147483647, "0000000000002147483647": 2147483647} {
		if got, err := rest.FindTransaction(t.Context(), named{}, "id", id); err != nil || got.ID != want {
			t.Errorf("%s: got %d, %v", id, got.ID, err)
		}
	}
	for _, id := range []string{"txn_123", "txn_abcdefghijklmnopqrstuvwxyz", "txn_A-b_9"} {
		if got, err := rest.FindTransaction(t.Context(), named{}, "id", id); err != nil || got.PublicID != id {
			t.Errorf("%s: got %q, %v", id, got.PublicID, err)
		}
	}
	for _, id := range []string{"0", "000", "2147483648", strings.Repeat("9", 500)} {
		if _, err := rest.FindTransaction(t.Context(), named{}, "id", id); !errors.Is(err, leyden.ErrNotFound) {
			t.Errorf("%.20s: got %v, want %v", id, err, leyden.ErrNotFound)
		}
	}
	for _, id := range []string{"", "-1", "+1", "1.0", "1e3", "0x1", "abc", "txn_", "txn_a/b", "txn_ä", "TXN_abc", "１", "txn_" + strings.Repeat("a", 65)} {
		_, err := rest.FindTransaction(t.Context(), named{}, "id", id)
		e, ok := errors.AsType[*rest.Error](err)
		if !ok || e.Status != http.StatusBadRequest || e.Details[0].Field != "id" {
			t.Errorf("%.20s: got %v, want a 400 that names id", id, err)
		}
	}
}
