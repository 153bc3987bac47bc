package leyden

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// A signedRecord is the part of an OCMF text (Open Charge Metering Format) that
// tells what the meter signed: readings, each with what it was taken for.
type signedRecord struct {
	Readings []struct {
		Why   string      `json:"TX"` // B begin, E end, C charging, …; empty repeats the one before
		Value json.Number `json:"RV"`
		Unit  string      `json:"RU"`
		OBIS  string      `json:"RI"`
	} `json:"RD"`
}

// read reads an OCMF text, OCMF|{payload}|{signature}, as package ocmf does,
// which verifies it.
func (r *signedRecord) read(text string) bool {
	rest, ok := strings.CutPrefix(text, "OCMF|")
	if !ok {
		return false
	}
	d := json.NewDecoder(strings.NewReader(rest))
	if d.Decode(r) != nil {
		return false
	}
	space, _, ok := strings.Cut(rest[d.InputOffset():], "|")
	return ok && strings.TrimSpace(space) == ""
}

// unwrapSigned returns the text inside of the JSON object in which OCPP 1.6
// stations send signed data, or value itself.
func unwrapSigned(value string) string {
	var o struct {
		Data string `json:"signedMeterData"`
	}
	if !strings.HasPrefix(strings.TrimSpace(value), "{") || json.Unmarshal([]byte(value), &o) != nil || o.Data == "" {
		return value
	}
	digits := strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "", " ", "", "\t", "").Replace(o.Data)
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(digits, "="))
	if err != nil || strings.HasPrefix(o.Data, "OCMF|") {
		return o.Data
	}
	return string(text)
}

// noteSigned notes that there are signed samples, and ones that are proven wrong.
func (v *Evidence) noteSigned(samples []Sample) {
	for i := range samples {
		if samples[i].Format != formatSigned {
			continue
		}
		v.Signed = true
		if samples[i].Signature == SignatureInvalid {
			v.Noted |= BadSignature
		}
	}
}

// HasSigned reports whether some of the readings are signed.
func (t *Transaction) HasSigned() bool {
	v := &t.Evidence
	return v.Signed || v.SignedBegin != nil || v.SignedEnd != nil
}

// SignedRegisters returns the import registers that a signed sample tells for
// the begin and the end of a transaction, whoever signed it.
func (s *Sample) SignedRegisters() (begin, end *WattHours) {
	if s.Format != formatSigned || s.Measurand != "" && s.Measurand != measurandImport {
		return nil, nil
	}
	var record signedRecord
	if !record.read(unwrapSigned(s.Value)) {
		return nil, nil
	}
	why := ""
	for _, r := range record.Readings {
		if r.Why != "" {
			why = r.Why
		}
		wh, ok := parseWh(r.Value.String(), r.Unit)
		if !ok || !isImportOBIS(r.OBIS) {
			continue
		}
		switch why {
		case "B":
			begin = &wh
		case "E", "L", "R", "A", "P":
			end = &wh
		}
	}
	return begin, end
}

// isImportOBIS reports whether an OBIS code names the active energy imported, or
// names nothing: 1.8 and what meters write for it, B0 to B3 in OCMF, with or
// without the medium before and zeros in front.
func isImportOBIS(code string) bool {
	if code == "" {
		return true
	}
	if _, rest, ok := strings.Cut(code, ":"); ok {
		code = rest
	}
	groups := strings.Split(code, ".")
	if len(groups) < 2 || strings.TrimLeft(groups[1], "0") != "8" {
		return false
	}
	switch strings.ToUpper(strings.TrimLeft(groups[0], "0")) {
	case "1", "98", "B0", "B1", "B2", "B3":
		return true
	}
	return false
}
