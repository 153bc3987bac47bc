package ocpp_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"leyden/ocpp"
)

// nested returns a payload of the given depth.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + `{}` + strings.Repeat(`}`, depth-1)
}

func TestParseFrame(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     ocpp.Frame
	}{
		{"call", `[2,"a","Heartbeat",{}]`, ocpp.Frame{Type: ocpp.Call, ID: "a", Action: "Heartbeat", Payload: `{}`}},
		{"space everywhere", " [\t2 ,\r\n\"a\" , \"Heartbeat\" , { \"x\" : [ 1 , 2 ] } ] \n", ocpp.Frame{Type: ocpp.Call, ID: "a", Action: "Heartbeat", Payload: `{ "x" : [ 1 , 2 ] }`}},
		{"payload null", `[2,"a","Heartbeat",null]`, ocpp.Frame{Type: ocpp.Call, ID: "a", Action: "Heartbeat", Payload: `{}`}},
		{"escapes", `[2,"\u0061\"","Heart\u0062eat",{"\n":"\ud83d\ude00"}]`, ocpp.Frame{Type: ocpp.Call, ID: `a"`, Action: "Heartbeat", Payload: `{"\n":"\ud83d\ude00"}`}},
		{"every kind of value", `[2,"a","X",{"a":[true,false,null,-0.5e+3,0,12E1,1e-2,"",{}],"b":[]}]`, ocpp.Frame{Type: ocpp.Call, ID: "a", Action: "X", Payload: `{"a":[true,false,null,-0.5e+3,0,12E1,1e-2,"",{}],"b":[]}`}},
		{"integral float as type", `[2.0,"a","X",{}]`, ocpp.Frame{Type: ocpp.Call, ID: "a", Action: "X", Payload: `{}`}},
		{"type with an exponent", `[0.3e1,"a",{}]`, ocpp.Frame{Type: ocpp.CallResult, ID: "a", Payload: `{}`}},
		{"id of 37", `[2,"` + strings.Repeat("i", 37) + `","X",{}]`, ocpp.Frame{Type: ocpp.Call, ID: strings.Repeat("i", 37), Action: "X", Payload: `{}`}},
		{"id of 255 characters", `[2,"` + strings.Repeat("é", 255) + `","X",{}]`, ocpp.Frame{Type: ocpp.Call, ID: strings.Repeat("é", 255), Action: "X", Payload: `{}`}},
		{"depth 64", `[2,"a","X",` + nested(64) + `]`, ocpp.Frame{Type: ocpp.Call, ID: "a", Action: "X", Payload: nested(64)}},
		{"duplicate keys are the decoder's", `[2,"a","X",{"k":1,"k":2}]`, ocpp.Frame{Type: ocpp.Call, ID: "a", Action: "X", Payload: `{"k":1,"k":2}`}},
		{"result", `[3,"a",{"status":"Accepted"}]`, ocpp.Frame{Type: ocpp.CallResult, ID: "a", Payload: `{"status":"Accepted"}`}},
		{"result null", `[3,"a",null]`, ocpp.Frame{Type: ocpp.CallResult, ID: "a", Payload: `{}`}},
		{"error", `[4,"a","GenericError","busy",{}]`, ocpp.Frame{Type: ocpp.CallError, ID: "a", Err: &ocpp.Error{Code: ocpp.GenericError, Description: "busy"}}},
		{"error with details", `[4,"a","GenericError","busy",{"n": 1}]`, ocpp.Frame{Type: ocpp.CallError, ID: "a", Err: &ocpp.Error{Code: ocpp.GenericError, Description: "busy", Details: `{"n": 1}`}}},
		{"error without details", `[4,"a","GenericError","busy"]`, ocpp.Frame{Type: ocpp.CallError, ID: "a", Err: &ocpp.Error{Code: ocpp.GenericError, Description: "busy"}}},
		{"error with code alone", `[4,"a","GenericError"]`, ocpp.Frame{Type: ocpp.CallError, ID: "a", Err: &ocpp.Error{Code: ocpp.GenericError}}},
		{"error with a null description", `[4,"a","GenericError",null,null]`, ocpp.Frame{Type: ocpp.CallError, ID: "a", Err: &ocpp.Error{Code: ocpp.GenericError}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ocpp.ParseFrame([]byte(c.in))
			if err != nil {
				t.Fatalf("ParseFrame(%s): %v", c.in, err)
			}
			if diff := diffFrames(got, c.want); diff != "" {
				t.Errorf("ParseFrame(%s): %s", c.in, diff)
			}
		})
	}
}

func diffFrames(got, want ocpp.Frame) string {
	a, aerr := json.Marshal(got)
	b, berr := json.Marshal(want)
	if aerr != nil || berr != nil || string(a) != string(b) {
		return "\n got " + string(a) + "\nwant " + string(b)
	}
	return ""
}

// badFrames are frames that are refused, with the id of the answer.
var badFrames = []struct{ name, in, id string }{
	{"empty", ``, "-1"},
	{"space", ` `, "-1"},
	{"not JSON", `hello`, "-1"},
	{"cut in the id", `[2,"ab`, "-1"},
	{"cut after the id", `[2,"ab"`, "ab"},
	{"cut in the action", `[2,"ab","Heart`, "ab"},
	{"cut in the payload", `[2,"ab","Heartbeat",{"a":[1,2`, "ab"},
	{"cut before the end", `[2,"ab","Heartbeat",{}`, "ab"},
	{"trailing text", `[2,"ab","Heartbeat",{}]x`, "ab"},
	{"two frames", `[2,"ab","Heartbeat",{}][2,"cd","Heartbeat",{}]`, "ab"},
	{"trailing comma", `[2,"ab","Heartbeat",{},]`, "ab"},
	{"trailing comma inside", `[2,"ab","Heartbeat",{"a":1,}]`, "ab"},
	{"missing comma", `[2 "ab","Heartbeat",{}]`, "-1"},
	{"single quotes", `[2,'ab','Heartbeat',{}]`, "-1"},
	{"bare word", `[2,"ab","Heartbeat",{"a":yes}]`, "ab"},
	{"NaN", `[2,"ab","Heartbeat",{"a":NaN}]`, "ab"},
	{"leading zero", `[2,"ab","Heartbeat",{"a":01}]`, "ab"},
	{"bare minus", `[2,"ab","Heartbeat",{"a":-}]`, "ab"},
	{"no digit after the point", `[2,"ab","Heartbeat",{"a":1.}]`, "ab"},
	{"no digit in the exponent", `[2,"ab","Heartbeat",{"a":1e+}]`, "ab"},
	{"control character in a text", "[2,\"ab\",\"Heartbeat\",{\"a\":\"\n\"}]", "ab"},
	{"unknown escape", `[2,"ab","Heartbeat",{"a":"\x"}]`, "ab"},
	{"short escape", `[2,"ab","Heartbeat",{"a":"\u12g4"}]`, "ab"},
	{"cut escape", `[2,"ab","Heartbeat",{"a":"\u12`, "ab"},
	{"no name", `[2,"ab","Heartbeat",{:1}]`, "ab"},
	{"no colon", `[2,"ab","Heartbeat",{"a" 1}]`, "ab"},
	{"byte order mark", "\ufeff[2,\"ab\",\"Heartbeat\",{}]", "-1"},
	{"object", `{"a":1}`, "-1"},
	{"text", `"[2]"`, "-1"},
	{"number", `2`, "-1"},
	{"null", `null`, "-1"},
	{"empty array", `[]`, "-1"},
	{"type alone", `[2]`, "-1"},
	{"no action", `[2,"ab"]`, "ab"},
	{"no payload", `[2,"ab","Heartbeat"]`, "ab"},
	{"too long", `[2,"ab","Heartbeat",{},{}]`, "ab"},
	{"far too long", `[2,"ab","Heartbeat",{},{},{},{}]`, "ab"},
	{"result too short", `[3,"ab"]`, "ab"},
	{"result too long", `[3,"ab",{},{}]`, "ab"},
	{"error too short", `[4,"ab"]`, "ab"},
	{"error too long", `[4,"ab","GenericError","",{},{}]`, "ab"},
	{"error code not a text", `[4,"ab",1,"",{}]`, "ab"},
	{"type a text", `["2","ab","Heartbeat",{}]`, "ab"},
	{"type a fraction", `[1.5,"ab","Heartbeat",{}]`, "ab"},
	{"type null", `[null,"ab","Heartbeat",{}]`, "ab"},
	{"type an object", `[{},"ab","Heartbeat",{}]`, "ab"},
	{"id a number", `[2,7,"Heartbeat",{}]`, "-1"},
	{"id null", `[2,null,"Heartbeat",{}]`, "-1"},
	{"id empty", `[2,"","Heartbeat",{}]`, "-1"},
	{"id of 256 characters", `[2,"` + strings.Repeat("i", 256) + `","Heartbeat",{}]`, "-1"},
	{"action a number", `[2,"ab",7,{}]`, "ab"},
	{"action null", `[2,"ab",null,{}]`, "ab"},
	{"payload an array", `[2,"ab","Heartbeat",[]]`, "ab"},
	{"payload a text", `[2,"ab","Heartbeat","{}"]`, "ab"},
	{"result a number", `[3,"ab",1]`, "ab"},
	{"depth 65", `[2,"ab","Heartbeat",` + nested(65) + `]`, "ab"},
	{"depth of 100,000 arrays", `[2,"ab","Heartbeat",` + strings.Repeat("[", 100_000), "ab"},
}

func TestParseFrameRefuses(t *testing.T) {
	for _, c := range badFrames {
		t.Run(c.name, func(t *testing.T) {
			f, err := ocpp.ParseFrame([]byte(c.in))
			e, ok := errors.AsType[*ocpp.Error](err)
			if !ok || e.Code != ocpp.FormationViolation {
				t.Fatalf("error %v; want a FormationViolation", err)
			}
			if id := cmpOr(f.ID, "-1"); id != c.id {
				t.Errorf("answered with id %q; want %q", id, c.id)
			}
		})
	}
}

func cmpOr(id, otherwise string) string {
	if id == "" {
		return otherwise
	}
	return id
}

// unknownTypes are sound frames of types that OCPP 1.6 does not have.
var unknownTypes = []string{
	`[9,"a","X",{}]`, `[0]`, `[1,"a","X",{}]`, `[5,"a","GenericError","",{}]`, `[6,"a","X",{}]`,
	`[-2,"a","X",{}]`, `[22,"a"]`, `[1e400,"a"]`, `[9,7]`, `[7.0]`,
}

func TestParseFrameUnknownType(t *testing.T) {
	for _, in := range unknownTypes {
		if _, err := ocpp.ParseFrame([]byte(in)); err != ocpp.ErrUnknownType {
			t.Errorf("ParseFrame(%s): error %v; want ErrUnknownType", in, err)
		}
	}
	if _, err := ocpp.ParseFrame([]byte(`[9,"a",`)); err == nil || err == ocpp.ErrUnknownType {
		t.Errorf("a truncated frame of an unknown type: error %v; want a FormationViolation", err)
	}
}

// A frame is worth one copy of what arrived, whatever becomes of that.
func TestParseFrameCopies(t *testing.T) {
	data := []byte(`[2,"an id","An action",{"b":1}]`)
	f, err := ocpp.ParseFrame(data)
	clear(data)
	if want := (ocpp.Frame{Type: ocpp.Call, ID: "an id", Action: "An action", Payload: `{"b":1}`}); err != nil || f != want {
		t.Errorf("got %+v (error %v); want %+v", f, err, want)
	}
	data = []byte(`[2,"an id","An action",{"b":1}]`)
	allocations := testing.AllocsPerRun(100, func() { _, err = ocpp.ParseFrame(data) })
	if allocations > 1 || err != nil {
		t.Errorf("%v allocations a frame, want 1 (error %v)", allocations, err)
	}
}

func TestAppend(t *testing.T) {
	long := strings.Repeat("ü", 300)
	for _, c := range []struct{ got, want string }{
		{string(ocpp.AppendCall(nil, "a", "Reset", ocpp.Raw(`{"type":"Soft"}`))), `[2,"a","Reset",{"type":"Soft"}]`},
		{string(ocpp.AppendCall([]byte("x"), "a", "ClearCache", nil)), `x[2,"a","ClearCache",{}]`},
		{string(ocpp.AppendCallResult(nil, "a", ocpp.Raw(`{"b":1}`))), `[3,"a",{"b":1}]`},
		{string(ocpp.AppendCallResult(nil, "a", ocpp.Raw(nil))), `[3,"a",{}]`},
		{string(ocpp.AppendCallResult(nil, `"\`, ocpp.Raw(nil))), `[3,"\"\\",{}]`},
		{string(ocpp.AppendCallError(nil, "a", &ocpp.Error{Code: ocpp.GenericError, Description: "no"})), `[4,"a","GenericError","no",{}]`},
		{string(ocpp.AppendCallError(nil, "a", &ocpp.Error{Code: ocpp.GenericError, Description: "\x01\"é\u2028"})), `[4,"a","GenericError","\u0001\"é` + "\u2028" + `",{}]`},
		{string(ocpp.AppendCallError(nil, "a", &ocpp.Error{Code: ocpp.GenericError, Description: long})), `[4,"a","GenericError","` + long[:2*255] + `",{}]`},
		{string(ocpp.AppendCallError(nil, "\xff", &ocpp.Error{Code: "X"})), `[4,"` + "\uFFFD" + `","X","",{}]`},
	} {
		if c.got != c.want {
			t.Errorf("got %s\nwant %s", c.got, c.want)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	for _, c := range badFrames {
		f.Add([]byte(c.in))
	}
	for _, in := range unknownTypes {
		f.Add([]byte(in))
	}
	f.Add([]byte(`[2,"\u0061\"","Heart\u0062eat",{"\n":"\ud83d\ude00"}]`))
	f.Add([]byte(`[4,"a","GenericError","busy",{"x":[1,2.5e3,null]}]`))
	f.Add([]byte("[3,\"\xff\\ud800\",{}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ocpp.ParseFrame(data)
		if (err == nil || err == ocpp.ErrUnknownType) && !json.Valid(data) {
			t.Fatalf("%q was taken for JSON", data)
		}
		if err != nil && err != ocpp.ErrUnknownType && saysNotJSON(err) && json.Valid(data) {
			t.Fatalf("%q is JSON, but: %v", data, err)
		}
		if e, ok := errors.AsType[*ocpp.Error](err); ok {
			checkAnswer(t, ocpp.AppendCallError(nil, cmpOr(got.ID, "-1"), e))
			return
		}
		if err == nil {
			checkParts(t, data, got)
		}
	})
}

func saysNotJSON(err error) bool { return strings.Contains(err.Error(), "not JSON") }

// checkAnswer checks that a frame of ours is JSON, UTF-8, and reads as a frame.
func checkAnswer(t *testing.T, frame []byte) {
	t.Helper()
	if !json.Valid(frame) || !utf8.Valid(frame) {
		t.Fatalf("answered with %q", frame)
	}
	if _, err := ocpp.ParseFrame(frame); err != nil {
		t.Fatalf("answered with %s: %v", frame, err)
	}
}

// checkParts compares a frame with what encoding/json makes of it.
func checkParts(t *testing.T, data []byte, got ocpp.Frame) {
	t.Helper()
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	var id, action string
	var typ float64
	for i, into := range []any{&typ, &id} {
		if err := json.Unmarshal(parts[i], into); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
	}
	if ocpp.MessageType(typ) != got.Type || id != strings.ToValidUTF8(got.ID, "\uFFFD") && utf8.ValidString(got.ID) {
		t.Fatalf("%q: type %v id %q; want %v %q", data, got.Type, got.ID, typ, id)
	}
	if got.Type != ocpp.Call {
		return
	}
	if err := json.Unmarshal(parts[2], &action); err != nil || action != got.Action && utf8.ValidString(got.Action) {
		t.Fatalf("%q: action %q; want %q (%v)", data, got.Action, action, err)
	}
	if want := string(parts[3]); got.Payload != want && want != "null" {
		t.Fatalf("%q: payload %q; want %q", data, got.Payload, want)
	}
	if utf8.Valid(data) {
		checkAnswer(t, ocpp.AppendCall(nil, got.ID, got.Action, ocpp.Raw(got.Payload)))
	}
}

func BenchmarkParseFrame(b *testing.B) {
	frame := []byte(`[2,"3f2a8c1e-8b0d-4c57-9f6e-2d1a7b5c4e3f","StartTransaction",{"connectorId":1,"idTag":"AABBCCDD","meterStart":1234567,"timestamp":"2024-01-15T10:30:00Z"}]`)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ocpp.ParseFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}
