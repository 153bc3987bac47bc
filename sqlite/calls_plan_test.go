package sqlite

import (
	"strings"
	"testing"
	"time"

	"leyden"
	"leyden/calls"
)

// TestCallsPlans: a list of calls reads an index in its order, and keys and what
// is old are found without looking at all of it.
func TestCallsPlans(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	window := leyden.Window{From: time.UnixMicro(1), To: time.UnixMicro(2)}
	list := func(q calls.RecordQuery) string { return callList(&q).sql() }
	for _, test := range []struct{ sql, want string }{
		{list(calls.RecordQuery{}), "SCAN calls USING INDEX calls_by_time"},
		{list(calls.RecordQuery{At: window}), "calls_by_time (at>? AND at<?)"},
		{list(calls.RecordQuery{By: "B", At: window}), "calls_by_caller (by=? AND at>? AND at<?)"},
		{list(calls.RecordQuery{Operation: "O", By: "B"}), "calls_by_operation (operation=?)"},
		{list(calls.RecordQuery{Station: "S", By: "B"}), "calls_by_station (station=?)"},
		{list(calls.RecordQuery{Transaction: 1, At: window}), "calls_by_transaction (transaction_id=? AND at>? AND at<?)"},
		{list(calls.RecordQuery{Status: 403}), "calls_by_status (status=?)"},
		{claimed, "sqlite_autoindex_kept_replies_1 (credential=? AND key=?)"},
		{claimSpan, "SEARCH kept_replies"},
		{forgetCalls, "calls_by_time (at<?)"},
		{forgetClaims, "kept_replies_by_time (at<?)"},
	} {
		plan := explain(t, db, test.sql)
		if !strings.Contains(plan, test.want) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s\nis done by %s; want %s and no sorting", test.sql, plan, test.want)
		}
	}
}
