package v16_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

func TestStartTransactionExample(t *testing.T) {
	var got v16.StartTransaction
	var v ocpp.Violations
	err := got.Decode(`{
		"connectorId": 1,
		"idTag": "AABBCCDD",
		"meterStart": 0,
		"timestamp": "2024-01-15T10:30:00Z"
	}`, &v)
	want := v16.StartTransaction{
		ConnectorID: 1,
		IDTag:       "AABBCCDD",
		Timestamp:   time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
	}
	if err != nil || len(v.List) > 0 || got != want {
		t.Errorf("got %+v, %v, %v, want %+v", got, err, v.List, want)
	}
	const out = `{"connectorId":1,"idTag":"AABBCCDD","meterStart":0,"timestamp":"2024-01-15T10:30:00.000Z"}`
	if s := string(got.AppendJSON(nil)); s != out {
		t.Errorf("wrote %s, want %s", s, out)
	}
}

func TestResponseIsWrittenInOrder(t *testing.T) {
	m := v16.StartTransactionResponse{
		IDTagInfo: v16.IDTagInfo{
			Status:      v16.AuthorizationStatusAccepted,
			ParentIDTag: ocpp.Some("GROUP"),
			ExpiryDate:  ocpp.Some(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)),
		},
		TransactionID: 12345,
	}
	const want = `{"idTagInfo":{"expiryDate":"2030-01-01T00:00:00.000Z","parentIdTag":"GROUP","status":"Accepted"},"transactionId":12345}`
	if got := string(m.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const (
	goodStart = `"connectorId":1,"idTag":"TAG","meterStart":5,"timestamp":"2024-01-15T10:30:00Z"`
	goodStop  = `"transactionId":7,"meterStop":9,"timestamp":"2024-01-15T10:30:00Z"`
)

// with replaces the property that begins like the first of properties, or adds
// it, in an object's inside.
func with(inside string, properties ...string) string {
	parts := strings.Split(inside, ",")
	for _, p := range properties {
		name, _, _ := strings.Cut(p, ":")
		kept := parts[:0]
		for _, part := range parts {
			if !strings.HasPrefix(part, name+":") {
				kept = append(kept, part)
			}
		}
		parts = append(kept, p)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// without removes properties from an object's inside.
func without(inside, name string) string {
	return strings.TrimSuffix(with(inside, `"`+name+`":`), `,"`+name+`":}`) + "}"
}

func violation(path string, code ocpp.ErrorCode, reason string, kept bool) []ocpp.Violation {
	return []ocpp.Violation{{Path: path, Code: code, Reason: reason, Kept: kept}}
}

const (
	occurence = ocpp.OccurenceConstraint
	mistyped  = ocpp.TypeConstraint
	property  = ocpp.PropertyConstraint

	notInteger = "is not an integer"
	tooLarge   = "is too large for an integer"
	tooLong    = "is longer than 20 characters"
	unlisted   = "is not one of the listed values"
)

type violationCase struct {
	name    string
	message ocpp.Decoder
	payload string
	want    []ocpp.Violation
}

func checkViolations(t *testing.T, cases []violationCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var v ocpp.Violations
			if err := c.message.Decode(c.payload, &v); err != nil {
				t.Fatalf("%v in %s", err, c.payload)
			}
			if !reflect.DeepEqual(v.List, c.want) {
				t.Errorf("%s\ngot  %+v\nwant %+v", c.payload, v.List, c.want)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	checkViolations(t, []violationCase{
		{"missing", new(v16.StartTransaction), without(goodStart, "idTag"), violation("idTag", occurence, "is required", false)},
		{"null", new(v16.StartTransaction), with(goodStart, `"idTag":null`), violation("idTag", occurence, "is required", false)},
		{"missing object", new(v16.StartTransactionResponse), `{"transactionId":1}`, violation("idTagInfo", occurence, "is required", false)},
		{"missing inside", new(v16.StartTransactionResponse), `{"idTagInfo":{},"transactionId":1}`, violation("idTagInfo.status", occurence, "is required", false)},
		{"missing list", new(v16.MeterValues), `{"connectorId":1}`, violation("meterValue", occurence, "is required", false)},
	})
}

func TestWrongTypes(t *testing.T) {
	checkViolations(t, []violationCase{
		{"number as text", new(v16.StartTransaction), with(goodStart, `"meterStart":"12"`), violation("meterStart", mistyped, notInteger, false)},
		{"object as number", new(v16.StartTransaction), with(goodStart, `"meterStart":{"a":[1,2]}`), violation("meterStart", mistyped, notInteger, false)},
		{"fraction", new(v16.StartTransaction), with(goodStart, `"meterStart":1.5`), violation("meterStart", mistyped, "is not a whole number", true)},
		{"beyond int64", new(v16.StartTransaction), with(goodStart, `"meterStart":9223372036854775808`), violation("meterStart", mistyped, tooLarge, false)},
		{"beyond everything", new(v16.StartTransaction), with(goodStart, `"meterStart":-1e400`), violation("meterStart", mistyped, tooLarge, false)},
		{"text as number", new(v16.StartTransaction), with(goodStart, `"idTag":12`), violation("idTag", mistyped, "is not text", false)},
		{"no timestamp", new(v16.StartTransaction), with(goodStart, `"timestamp":"yesterday"`), violation("timestamp", mistyped, "is not a timestamp", false)},
		{"timestamp as number", new(v16.StartTransaction), with(goodStart, `"timestamp":1705314600`), violation("timestamp", mistyped, "is not a timestamp", false)},
		{"bool as text", new(v16.GetConfigurationResponse), `{"configurationKey":[{"key":"K","readonly":"true"}]}`, violation("configurationKey[0].readonly", mistyped, "is neither true nor false", false)},
		{"object as text", new(v16.StartTransactionResponse), `{"idTagInfo":"Accepted","transactionId":1}`, violation("idTagInfo", mistyped, "is not an object", false)},
		{"list as object", new(v16.MeterValues), `{"connectorId":1,"meterValue":{}}`, violation("meterValue", mistyped, "is not a list", false)},
		{"enum as number", new(v16.StopTransaction), with(goodStop, `"reason":3`), violation("reason", mistyped, "is not text", false)},
		{"null in a list", new(v16.GetConfiguration), `{"key":["a",null]}`, violation("key[1]", mistyped, "is not text", false)},
		{"float as text", new(v16.GetCompositeScheduleResponse), `{"status":"Accepted","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":"16"}]}}`, violation("chargingSchedule.chargingSchedulePeriod[0].limit", mistyped, "is not a number", false)},
		{"float without end", new(v16.GetCompositeScheduleResponse), `{"status":"Accepted","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[],"minChargingRate":1e999}}`, violation("chargingSchedule.minChargingRate", mistyped, "is too large for a number", false)},
	})
}

func TestConstraints(t *testing.T) {
	checkViolations(t, []violationCase{
		{"21 characters", new(v16.StartTransaction), with(goodStart, `"idTag":"123456789012345678901"`), violation("idTag", property, tooLong, true)},
		{"21 runes", new(v16.StartTransaction), with(goodStart, `"idTag":"`+strings.Repeat("é", 21)+`"`), violation("idTag", property, tooLong, true)},
		{"20 runes", new(v16.StartTransaction), with(goodStart, `"idTag":"`+strings.Repeat("漢", 20)+`"`), nil},
		{"20 runes escaped", new(v16.StartTransaction), with(goodStart, `"idTag":"`+strings.Repeat(`\ud83d\ude00`, 20)+`"`), nil},
		{"empty idTag in a start", new(v16.StartTransaction), with(goodStart, `"idTag":""`), violation("idTag", property, "is empty", false)},
		{"empty idTag in Authorize", new(v16.Authorize), `{"idTag":""}`, violation("idTag", property, "is empty", false)},
		{"empty idTag in a stop", new(v16.StopTransaction), with(goodStop, `"idTag":""`), nil},
		{"connector 0 in a start", new(v16.StartTransaction), with(goodStart, `"connectorId":0`), violation("connectorId", property, "is below 1", true)},
		{"connector -1 in a start", new(v16.StartTransaction), with(goodStart, `"connectorId":-1`), violation("connectorId", property, "is below 1", true)},
		{"connector 0 in a status", new(v16.StatusNotification), `{"connectorId":0,"errorCode":"NoError","status":"Available"}`, nil},
		{"connector -1 in a status", new(v16.StatusNotification), `{"connectorId":-1,"errorCode":"NoError","status":"Available"}`, violation("connectorId", property, "is below 0", true)},
		{"unknown enum", new(v16.StopTransaction), with(goodStop, `"reason":"Boredom"`), violation("reason", property, unlisted, true)},
		{"enum in another case", new(v16.StopTransaction), with(goodStop, `"reason":"local"`), violation("reason", property, unlisted, true)},
		{"hundredths", new(v16.GetCompositeScheduleResponse), `{"status":"Accepted","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.05}]}}`, violation("chargingSchedule.chargingSchedulePeriod[0].limit", property, "is not a multiple of 1/10", true)},
		{"empty list", new(v16.GetInstalledCertificateIdsResponse), `{"status":"Accepted","certificateHashData":[]}`, violation("certificateHashData", property, "has fewer than 1 items", true)},
	})
}

func TestBadSamples(t *testing.T) {
	sample := func(s string) string {
		return `{"connectorId":1,"meterValue":[{"timestamp":"2024-01-15T10:30:00Z","sampledValue":[{"value":"1"}]},` +
			`{"timestamp":"2024-01-15T10:31:00Z","sampledValue":[{"value":"2"},` + s + `,{"value":"4"}]}]}`
	}
	const at = "meterValue[1].sampledValue[1]"
	checkViolations(t, []violationCase{
		{"sample without value", new(v16.MeterValues), sample(`{"unit":"Wh"}`), violation(at+".value", occurence, "is required", false)},
		{"sample with a number", new(v16.MeterValues), sample(`{"value":3.50}`), violation(at+".value", mistyped, "is a number, not text", true)},
		{"sample with an unknown unit", new(v16.MeterValues), sample(`{"value":"3","unit":"furlong"}`), violation(at+".unit", property, unlisted, true)},
		{"sample that is none", new(v16.MeterValues), sample(`17`), violation(at, mistyped, "is not an object", false)},
		{"transactionData", new(v16.StopTransaction), `{` + goodStop + `,"transactionData":[{"timestamp":"x","sampledValue":[]}]}`, violation("transactionData[0].timestamp", mistyped, "is not a timestamp", false)},
	})
}

func TestTolerated(t *testing.T) {
	checkViolations(t, []violationCase{
		{"integral floats", new(v16.StartTransaction), with(goodStart, `"meterStart":1000.0`, `"connectorId":1e0`, `"reservationId":-0.0`), nil},
		{"null optional", new(v16.StopTransaction), with(goodStop, `"reason":null`, `"idTag":null`, `"transactionData":null`), nil},
		{"null payload", new(v16.Heartbeat), ` null `, nil},
		{"null payload that needs more", new(v16.Authorize), `null`, violation("idTag", occurence, "is required", false)},
	})
}

func TestSeveralViolations(t *testing.T) {
	var m v16.StartTransaction
	var v ocpp.Violations
	if err := m.Decode(`{"connectorId":0,"idTag":1,"timestamp":"?","vendor":{"x":[1]},"more":null}`, &v); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, x := range v.List {
		paths = append(paths, x.Path)
	}
	if want := []string{"connectorId", "idTag", "timestamp", "meterStart"}; !reflect.DeepEqual(paths, want) {
		t.Errorf("got violations at %v, want %v", paths, want)
	}
	if v.Extra != 2 {
		t.Errorf("got %d extra properties, want 2", v.Extra)
	}
}

func TestWhatIsKept(t *testing.T) {
	var m v16.StopTransaction
	var v ocpp.Violations
	err := m.Decode(`{"transactionId":-1.5,"meterStop":1234.9,"timestamp":"nonsense","idTag":"123456789012345678901","reason":"Boredom",
		"transactionData":[5,{"timestamp":"2024-01-15T10:30:00Z","sampledValue":[{"value":1.50,"unit":"furlong"},{"value":null},{"value":"2"}]}]}`, &v)
	want := v16.StopTransaction{
		TransactionID: -2,
		MeterStop:     1234,
		IDTag:         ocpp.Some("123456789012345678901"),
		Reason:        ocpp.Some(v16.Reason("Boredom")),
		TransactionData: []v16.MeterValue{{}, {
			Timestamp: time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
			SampledValue: []v16.SampledValue{
				{Value: "1.50", Unit: ocpp.Some(v16.Unit("furlong"))}, {}, {Value: "2"},
			},
		}},
	}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v, %v\nwant %+v", m, err, want)
	}
	for path, kept := range map[string]bool{
		"transactionId": true, "meterStop": true, "timestamp": false, "idTag": true, "reason": true,
		"transactionData[0]": false, "transactionData[1].sampledValue[0].unit": true, "transactionData[1].sampledValue[1].value": false,
	} {
		if x, ok := v.At(path); !ok || x.Kept != kept {
			t.Errorf("at %s got %+v, %t, want kept %t", path, x, ok, kept)
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"0", 0}, {"-0", 0}, {"7", 7}, {"-7", -7}, {"1e3", 1000}, {"1E+3", 1000}, {"1000.0", 1000}, {"12.5e1", 125}, {"100e-2", 1},
		{"9223372036854775807", 1<<63 - 1}, {"-9223372036854775808", -1 << 63}, {"9.223372036854775807e18", 1<<63 - 1},
		{"0e999999999999", 0}, {"0.000000000000000000001e21", 1}, {"1" + strings.Repeat("0", 40) + "e-40", 1},
		{"123456789012345678", 123456789012345678}, {"1234567890123456789", 1234567890123456789},
	} {
		var m v16.CancelReservation
		var v ocpp.Violations
		if err := m.Decode(`{"reservationId":`+c.text+`}`, &v); err != nil || len(v.List) > 0 || m.ReservationID != c.want {
			t.Errorf("%s: got %d, %v, %v, want %d", c.text, m.ReservationID, v.List, err, c.want)
		}
	}
}

func TestFractionsAreRoundedDown(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
		ok   bool
	}{
		{"1.5", 1, true}, {"-1.5", -2, true}, {"0.999", 0, true}, {"-0.001", -1, true}, {"1e-400", 0, true}, {"-1e-400", -1, true}, {"15e-1", 1, true},
		{"9223372036854775807.5", 1<<63 - 1, true}, {"-9223372036854775807.5", -1 << 63, true},
		{"-9223372036854775808.5", 0, false}, {"9223372036854775808", 0, false}, {"-9223372036854775809", 0, false},
		{"18446744073709551615.5", 0, false}, {"-18446744073709551615.5", 0, false}, {"1e19", 0, false}, {"1e999999999999", 0, false},
	} {
		var m v16.CancelReservation
		var v ocpp.Violations
		err := m.Decode(`{"reservationId":`+c.text+`}`, &v)
		if err != nil || len(v.List) != 1 || v.List[0].Kept != c.ok || v.List[0].Code != ocpp.TypeConstraint || m.ReservationID != c.want {
			t.Errorf("%s: got %d, %v, %v, want %d, kept %t", c.text, m.ReservationID, v.List, err, c.want, c.ok)
		}
	}
}

func TestBrokenPayloads(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	for _, payload := range []string{
		"", " ", "nul", "nullx", "null,", "[]", `"x"`, "12", "true", "{", "}", "{]", "{,}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`,
		`{"a":1}x`, `{"a":1}}`, `{a:1}`, `{'a':1}`, `{"a":1`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[,]}`, `{"a":[1}`, `{"a":tru}`, `{"a":nul}`, `{"a":truex}`,
		`{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e+}`, `{"a":-}`, `{"a":--1}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":1_0}`,
		`{"a":"}`, `{"a":"\"}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12G4"}`, "{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\xff\"}", "{\"\xff\":1}",
		"{\"a\":\"\\\xff\"}", "\ufeff{}", "{\u00a0}", "{}\x00",
		`{"idTag":"A","idTag":"B"}`, `{"idTag":"A","idTag":null}`, `{"idTag":null,"idTag":"A"}`, `{"idTag":"A","\u0069dTag":"B"}`,
		`{"idtag":"A"}`, `{"idTag":"A","IDTAG":"B"}`, `{"idTag":"A","x":1,"x":2}`, `{"idTag":"A","x":1,"X":2}`,
		`{"x":` + deep(ocpp.MaxDepth) + `}`, `{"x":` + strings.Repeat(`{"a":`, 100_000),
		`{"x":` + strings.Repeat(`[`, 100_000),
	} {
		var m v16.Authorize
		err := m.Decode(payload, new(ocpp.Violations))
		if e, ok := errors.AsType[*ocpp.Error](err); !ok || e.Code != ocpp.FormationViolation || len(e.Description) > 255 {
			t.Errorf("%.60q: got %v, want a FormationViolation", payload, err)
		}
	}
	var m v16.Authorize
	if err := m.Decode(`{"idTag":"A","x":`+deep(ocpp.MaxDepth-1)+`}`, nil); err != nil {
		t.Errorf("nested as deep as allowed: %v", err)
	}
	if err := m.Decode("\t\r\n {\"idTag\" : \"A\" ,\n\"x\" : [ 1 , { } , [ ] ] } \n", nil); err != nil {
		t.Errorf("with white space: %v", err)
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, ""}, {`plain`, "plain"}, {`é漢😀`, "é漢😀"}, {`\"\\\/\b\f\n\r\t`, "\"\\/\b\f\n\r\t"}, {`\u00e9\u6f22`, "é漢"},
		{`\ud83d\ude00`, "😀"}, {`a\uD83D\uDE00b`, "a😀b"}, {`\ud83d`, "\uFFFD"}, {`\ude00x`, "\uFFFDx"}, {`\ud83d\u0041`, "\uFFFDA"},
		{`\ud83d\n`, "\uFFFD\n"}, {`\u0000`, "\x00"}, {`eight by eight by\n eight`, "eight by eight by\n eight"}, {"\x7f", "\x7f"},
		{`12345678\u0039`, "123456789"},
	} {
		var m v16.DataTransfer
		var v ocpp.Violations
		if err := m.Decode(`{"vendorId":"`+c.text+`"}`, &v); err != nil || len(v.List) > 0 || m.VendorID != c.want {
			t.Errorf("%s: got %q, %v, %v, want %q", c.text, m.VendorID, v.List, err, c.want)
		}
	}
}

// The scanner looks at eight bytes at once: an odd one is found in every place.
func TestTextsAtEveryPlace(t *testing.T) {
	for n := range 20 {
		before := strings.Repeat("a", n)
		for raw, want := range map[string]string{`\"`: `"`, "é": "é", `\u00e9`: "é", "~": "~", "\x7f": "\x7f"} {
			var m v16.DataTransfer
			payload := `{"vendorId":"` + before + raw + before + `"}`
			if err := m.Decode(payload, nil); err != nil || m.VendorID != before+want+before {
				t.Errorf("%s: got %q, %v", payload, m.VendorID, err)
			}
		}
		for _, raw := range []string{"\x00", "\x1f", "\xff", "\n"} {
			payload := `{"vendorId":"` + before + raw + before + `"}`
			if new(v16.DataTransfer).Decode(payload, nil) == nil {
				t.Errorf("%q was decoded", payload)
			}
		}
	}
}

func TestDecodeReplacesAndKeepsCapacity(t *testing.T) {
	var m v16.MeterValues
	if err := m.Decode(meterPayload, nil); err != nil {
		t.Fatal(err)
	}
	samples := &m.MeterValue[0].SampledValue[0]
	if err := m.Decode(`{"connectorId":2,"meterValue":[{"timestamp":"2024-01-15T10:30:00Z","sampledValue":[{"value":"7"}]}]}`, nil); err != nil {
		t.Fatal(err)
	}
	want := v16.MeterValues{ConnectorID: 2, MeterValue: []v16.MeterValue{{
		Timestamp:    time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC),
		SampledValue: []v16.SampledValue{{Value: "7"}},
	}}}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, want %+v", m, want)
	}
	if &m.MeterValue[0].SampledValue[0] != samples {
		t.Error("the samples stand in new memory")
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := m.Decode(meterPayload, nil); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // the Violations that nobody asked for
		t.Errorf("%v allocations to decode again", n)
	}
}

func TestManyViolationsAreCounted(t *testing.T) {
	const n = ocpp.MaxViolations + 100
	var m v16.GetConfiguration
	var v ocpp.Violations
	if err := m.Decode(`{"key":[0`+strings.Repeat(",0", n-1)+`]}`, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.List) != ocpp.MaxViolations || v.Dropped != 100 || len(m.Key) != n {
		t.Errorf("got %d listed, %d dropped, %d keys", len(v.List), v.Dropped, len(m.Key))
	}
	if got, want := v.List[len(v.List)-1].Path, "key[4095]"; got != want {
		t.Errorf("the last is at %s, want %s", got, want)
	}
	if v.Reset(); len(v.List) != 0 || v.Dropped != 0 || v.Err() != nil {
		t.Errorf("after Reset: %+v", v)
	}
}

func TestCheck(t *testing.T) {
	at := time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)
	period := func(limit float64) v16.SetChargingProfile {
		return v16.SetChargingProfile{CSChargingProfiles: v16.ChargingProfile{
			ChargingProfilePurpose: v16.ChargingProfilePurposeTxProfile,
			ChargingProfileKind:    v16.ChargingProfileKindAbsolute,
			ChargingSchedule: v16.ChargingSchedule{
				ChargingRateUnit:       v16.ChargingRateUnitA,
				ChargingSchedulePeriod: []v16.ChargingSchedulePeriod{{Limit: 16}, {StartPeriod: 60, Limit: limit}},
			},
		}}
	}
	good, bad := period(16.1), period(16.15)
	const long = "123456789012345678901"
	for _, c := range []struct {
		name    string
		message ocpp.Checker
		want    string
	}{
		{"good", &v16.StartTransaction{ConnectorID: 1, IDTag: "TAG", Timestamp: at}, ""},
		{"good profile", &good, ""},
		{"long tag", &v16.RemoteStartTransaction{IDTag: long}, "PropertyConstraintViolation: idTag is longer than 20 characters"},
		{"no tag", &v16.StartTransaction{ConnectorID: 1, Timestamp: at}, "PropertyConstraintViolation: idTag is empty"},
		{"connector 0", &v16.StartTransaction{IDTag: "TAG", Timestamp: at}, "PropertyConstraintViolation: connectorId is below 1"},
		{"no time", &v16.StartTransaction{ConnectorID: 1, IDTag: "TAG"}, "OccurenceConstraintViolation: timestamp is required"},
		{"far time", &v16.HeartbeatResponse{CurrentTime: at.AddDate(9000, 0, 0)}, "TypeConstraintViolation: currentTime is not a timestamp"},
		{"no status", &v16.AuthorizeResponse{}, "PropertyConstraintViolation: idTagInfo.status is not one of the listed values"},
		{"own reason", &v16.StopTransaction{Timestamp: at, Reason: ocpp.Some(v16.Reason("Boredom"))}, "PropertyConstraintViolation: reason is not one of the listed values"},
		{"long key", &v16.GetConfiguration{Key: []string{"a", strings.Repeat("b", 51)}}, "PropertyConstraintViolation: key[1] is longer than 50 characters"},
		{"hundredths", &bad, "PropertyConstraintViolation: csChargingProfiles.chargingSchedule.chargingSchedulePeriod[1].limit is not a multiple of 1/10"},
	} {
		var v ocpp.Violations
		c.message.Check(&v)
		got := ""
		if err := v.Err(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
