package csms

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestPlain: a text with a hint is never plain, wherever in it that is.
func TestPlain(t *testing.T) {
	found := append([]string{"\\", "@", "?=", "=&", "://", "é"}, secretHints[:]...)
	for _, hint := range found {
		hint = strings.ReplaceAll(hint, lowBar, "_")
		for before := range 20 {
			for after := range 20 {
				for _, h := range []string{hint, strings.ToUpper(hint)} {
					text := strings.Repeat("x", before) + h + strings.Repeat("x", after)
					if !suspicious(text) {
						t.Fatalf("%q is not suspicious", text)
					}
					if plain(text) {
						t.Fatalf("%q is taken for plain", text)
					}
				}
			}
		}
	}
	for _, text := range []string{"", "x", "1", meterValues, `[3,"19223201",{}]`, `[3,"1",{"idTagInfo":{"status":"Accepted"},"transactionId":7}]`} {
		if !plain(text) {
			t.Errorf("%s is not plain", text)
		}
	}
}

// TestPlainIsCautious holds plain against what it stands for, over random texts of
// parts of hints.
func TestPlainIsCautious(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const letters = "keytoscrpawdinulj_KEYTO:/=?&@\\x1 \"{}\x7f\xc3"
	plains := 0
	for range 300_000 {
		text := make([]byte, r.IntN(24))
		for i := range text {
			text[i] = letters[r.IntN(len(letters))]
		}
		if !plain(string(text)) {
			continue
		}
		if plains++; suspicious(string(text)) || hintsAtSecret(string(text)) {
			t.Fatalf("%q is taken for plain", text)
		}
	}
	if plains < 1000 {
		t.Errorf("only %d texts were plain", plains)
	}
}

// meterValues is a message as they come most, of a kilobyte.
const meterValues = `[2,"19223201","MeterValues",{"connectorId":1,"transactionId":12345,"meterValue":[{"timestamp":"2026-02-06T12:00:00Z","sampledValue":[` +
	`{"value":"1500","context":"Sample.Periodic","format":"Raw","measurand":"Energy.Active.Import.Register","location":"Outlet","unit":"Wh"},` +
	`{"value":"7000","context":"Sample.Periodic","format":"Raw","measurand":"Power.Active.Import","location":"Outlet","unit":"W"},` +
	`{"value":"16.0","context":"Sample.Periodic","format":"Raw","measurand":"Current.Import","phase":"L1","location":"Outlet","unit":"A"},` +
	`{"value":"16.1","context":"Sample.Periodic","format":"Raw","measurand":"Current.Import","phase":"L2","location":"Outlet","unit":"A"},` +
	`{"value":"15.9","context":"Sample.Periodic","format":"Raw","measurand":"Current.Import","phase":"L3","location":"Outlet","unit":"A"},` +
	`{"value":"230.4","context":"Sample.Periodic","format":"Raw","measurand":"Voltage","phase":"L1-N","location":"Outlet","unit":"V"},` +
	`{"value":"54","context":"Sample.Periodic","format":"Raw","measurand":"SoC","location":"EV","unit":"Percent"}]}]}]`

// BenchmarkMask measures masking what has no secret in it.
func BenchmarkMask(b *testing.B) {
	b.SetBytes(int64(len(meterValues)))
	b.ReportAllocs()
	for b.Loop() {
		if maskRequest("MeterValues", meterValues) != meterValues {
			b.Fatal("something was masked")
		}
	}
}

// BenchmarkMaskSuspicious measures the same by the tests that come next.
func BenchmarkMaskSuspicious(b *testing.B) {
	b.SetBytes(int64(len(meterValues)))
	for b.Loop() {
		if suspicious(meterValues) {
			b.Fatal("there is nothing to suspect")
		}
	}
}
