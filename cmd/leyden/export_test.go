package main

import (
	"slices"
	"testing"
	"time"

	"leyden"
)

// What stations send gives no orders to a terminal.
func TestTransactionLinesAreHarmless(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"USER123": "USER123", "=1+1": "=1+1", "\x1b[2J": "\uFFFD[2J", "\n=1": "\uFFFD=1", "日本語": "日本語", "": "-",
	} {
		lines, err := transactionLines(&leyden.Transaction{ID: 7, Token: leyden.IDToken{Value: tag}}, time.Now())
		if err != nil || !slices.Contains(lines, "idTag              "+want) {
			t.Errorf("%q: got %q, %v", tag, lines, err)
		}
	}
}

func TestKWh(t *testing.T) {
	t.Parallel()
	for wh, want := range map[leyden.WattHours]string{0: "0.000", 7: "0.007", 14000: "14.000", 1234567: "1234.567"} {
		if got := kWh(&wh); got != want {
			t.Errorf("%d Wh: %s kWh, want %s", wh, got, want)
		}
	}
	if got := kWh(nil); got != "" {
		t.Errorf("unknown energy is %q", got)
	}
}
