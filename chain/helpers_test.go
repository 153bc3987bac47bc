package chain_test

import (
	"strings"
	"testing"
)

// wantText wants an error that says want; "" is none.
func wantText(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil {
		t.Errorf("%v; want no fault", err)
	}
	if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v; want %q", err, want)
	}
}
