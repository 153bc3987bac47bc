package leyden

import (
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

// signedRegisters returns the import registers that a signed sample tells for
// the begin and the end of a transaction. The signature itself is not looked at
// here: it is kept with the sample as sent.
func signedRegisters(s *Sample) (begin, end *WattHours) {
	if s.Format != formatSigned || s.Measurand != "" && s.Measurand != measurandImport {
		return nil, nil
	}
	parts := strings.SplitN(s.Value, "|", 3)
	if len(parts) != 3 || parts[0] != "OCMF" {
		return nil, nil
	}
	var record signedRecord
	if json.Unmarshal([]byte(parts[1]), &record) != nil {
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

// isImportOBIS reports whether an OBIS code names the active energy imported,
// or names nothing.
func isImportOBIS(code string) bool {
	return code == "" || strings.Contains(code, ":1.8.") || strings.Contains(code, ":98.8.0") || strings.HasPrefix(code, "01-00:B")
}
