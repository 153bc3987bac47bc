package apiv2_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leyden"
)

// failing is a store that cannot read.
type failing struct {
	leyden.Store
	err error
}

func (f failing) Transactions(context.Context, leyden.Query) (leyden.Page, error) {
	return leyden.Page{}, f.err
}

func (f failing) Transaction(context.Context, leyden.TransactionID) (leyden.Transaction, error) {
	return leyden.Transaction{}, f.err
}

func TestStorageFails(t *testing.T) {
	cases := []struct {
		err     error
		status  int
		message string
		retry   string
	}{
		{fmt.Errorf("disk /dev/sda: %w", leyden.ErrUnavailable), http.StatusServiceUnavailable, "storage is unavailable", "5"},
		{errors.New("disk /dev/sda is on fire"), http.StatusInternalServerError, "internal error", ""},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, "the request took too long", ""},
	}
	for _, c := range cases {
		w := newWorld(t)
		w.api = newAPI(t, failing{w.store, c.err}, readers{}, w.ledger.Now)
		for _, line := range []string{"GET /v2/transactions", "GET /v2/transactions/1"} {
			r := w.get(line)
			if r.Code != c.status || r.Header().Get("Retry-After") != c.retry || !strings.Contains(r.Body.String(), c.message) {
				t.Errorf("%s, %v: got %d, Retry-After %q: %s", line, c.err, r.Code, r.Header().Get("Retry-After"), r.Body)
			}
			if strings.Contains(r.Body.String(), "/dev/sda") {
				t.Errorf("%s: the cause is shown: %s", line, r.Body)
			}
		}
	}
}
