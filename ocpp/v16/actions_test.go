package v16_test

import (
	"testing"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

func TestActions(t *testing.T) {
	count := map[ocpp.Direction]int{}
	for _, action := range v16.Actions() {
		count[v16.DirectionOf(action)]++
		if got := v16.NewRequest(action).Action(); got != action {
			t.Errorf("the request of %s says it is %s", action, got)
		}
		if v16.NewResponse(action) == nil {
			t.Errorf("%s has no response", action)
		}
	}
	// OCPP 1.6 has 10 operations that a station starts and 19 that a central
	// system does, DataTransfer among both; the security extension 4 and 7.
	want := map[ocpp.Direction]int{ocpp.FromStation: 9 + 4, ocpp.FromCSMS: 18 + 7, ocpp.Both: 1}
	for direction, n := range want {
		if count[direction] != n {
			t.Errorf("%d actions %s, want %d", count[direction], direction, n)
		}
	}
	if count[ocpp.None] != 0 {
		t.Errorf("%d actions without a direction", count[ocpp.None])
	}
}

func TestUnknownActions(t *testing.T) {
	for _, action := range []string{"", "startTransaction", "STARTTRANSACTION", "StartTransaction ", "StartTransactionResponse", "TransactionEvent"} {
		if d := v16.DirectionOf(action); d != ocpp.None {
			t.Errorf("DirectionOf(%q) = %v", action, d)
		}
		if v16.NewRequest(action) != nil || v16.NewResponse(action) != nil {
			t.Errorf("there are messages for %q", action)
		}
	}
}
