package csms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"leyden/device"
	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// sendable16 says why a message must not go to a station as it is, or returns
// nil. What we tolerate of stations we do not send ourselves.
func sendable16(action, payload string) error {
	switch v16.DirectionOf(action) {
	case ocpp.None:
		return &device.FieldError{Field: "action", Reason: fmt.Sprintf("is none of OCPP 1.6: %q", clip(action))}
	case ocpp.FromStation:
		return &device.FieldError{Field: "action", Reason: "is sent by stations, not to them"}
	}
	if payload[0] != '{' {
		return inPayload("", "is not an object")
	}
	m := v16.NewRequest(action)
	var v ocpp.Violations
	if err := m.Decode(payload, &v); err != nil {
		return inPayload("", strings.TrimPrefix(err.Error(), string(ocpp.FormationViolation)+": "))
	}
	if c, ok := m.(ocpp.Checker); ok && len(v.List) == 0 {
		c.Check(&v)
	}
	if len(v.List) > 0 {
		return inPayload(v.List[0].Path, v.List[0].Reason)
	}
	if err := checkURI16(m); err != nil {
		return err
	}
	return unread("", decodedJSON([]byte(payload)), decodedJSON(m.AppendJSON(nil)))
}

// checkURI16 says why what the schema calls a URI is none. Of stations any text is
// taken; ours they must be able to use.
func checkURI16(m ocpp.Request) error {
	switch m := m.(type) {
	case *v16.GetDiagnostics:
		return checkLocation("payload.location", m.Location)
	case *v16.UpdateFirmware:
		return checkLocation("payload.location", m.Location)
	}
	return nil
}

func inPayload(path, reason string) error {
	return &device.FieldError{Field: strings.TrimSuffix("payload."+path, "."), Reason: reason}
}

// newKey16 returns the password that a message gives a station, if it is that
// message.
func newKey16(action, payload string) (key, value string, ok bool) {
	var m v16.ChangeConfiguration
	var v ocpp.Violations
	if action != m.Action() || m.Decode(payload, &v) != nil || !strings.EqualFold(m.Key, authorizationKey) {
		return "", "", false
	}
	return m.Key, m.Value, true
}

// unread finds what a message of ours did not read of a JSON value although its
// schema found no fault: a property that it does not know, a null that counts as
// absent, a timestamp or an integer in a form that stations need not know.
func unread(path string, given, read any) error {
	switch g := given.(type) {
	case json.Number:
		return checkNumber16(path, g, read)
	case map[string]any:
		return unreadIn(path, g, read)
	case []any:
		r, _ := read.([]any)
		for i := range min(len(g), len(r)) {
			if err := unread(fmt.Sprintf("%s[%d]", path, i), g[i], r[i]); err != nil {
				return err
			}
		}
	case string:
		if _, err := time.Parse(time.RFC3339, g); err != nil && g != read {
			return inPayload(path, "is not a timestamp as RFC 3339 has it")
		}
	}
	return nil
}

// checkNumber16 says why a station may not read an integer: it has more than the
// 32 bits that many stations have for one, or is not written as one.
func checkNumber16(path string, given json.Number, read any) error {
	if name := path[strings.LastIndexByte(path, '.')+1:]; name == "limit" || name == "minChargingRate" {
		return nil // the decimals of OCPP 1.6
	}
	plain, _ := read.(json.Number)
	if _, err := strconv.ParseInt(string(plain), 10, 32); err != nil {
		return inPayload(path, "is no integer of 32 bits")
	}
	if given != plain {
		return inPayload(path, "is not written as an integer")
	}
	return nil
}

func unreadIn(path string, given map[string]any, read any) error {
	known, _ := read.(map[string]any)
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		under := strings.TrimPrefix(path+"."+name, ".")
		value, ok := known[name]
		switch {
		case ok:
			if err := unread(under, given[name], value); err != nil {
				return err
			}
		case given[name] == nil:
			return inPayload(under, "must not be null")
		default:
			return inPayload(under, "is not in the schema")
		}
	}
	return nil
}

// decodedJSON returns what a JSON text says, which was read before.
func decodedJSON(text []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return errors.New("unreadable") // equals nothing
	}
	return v
}
