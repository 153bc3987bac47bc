package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// An overlay is what we add to the schemas of one version.
type overlay struct {
	OCPP    string `json:"ocpp"`    // the version's name, e.g. "1.6"
	Package string `json:"package"` // the Go package's name

	// RequestSuffix and ResponseSuffix are what follows the action in the names
	// of files and types.
	RequestSuffix  string `json:"requestSuffix"`
	ResponseSuffix string `json:"responseSuffix"`

	FromStation []string `json:"fromStation"`
	FromCSMS    []string `json:"fromCSMS"`
	Both        []string `json:"both"`

	// Initialisms are the words of property names that Go writes in capitals.
	Initialisms []string `json:"initialisms"`
	// Types and Enums name types: by path, e.g. "Reset.type", by the name of a
	// definition, or (Types only) by the name of a property.
	Types map[string]string `json:"types"`
	Enums map[string]string `json:"enums"`

	Rules []rule `json:"rules"`
}

// A rule adds to or replaces what the schema says about one property. At is its
// path, e.g. "StartTransaction.connectorId"; "*.connectorId" is the property of
// that name anywhere. Of several rules the later one wins.
type rule struct {
	At        string   `json:"at"`
	Why       string   `json:"why"`
	Minimum   *float64 `json:"minimum"`
	MinLength int      `json:"minLength"`
	// NumberAsText keeps a number where a text belongs, as a kept violation.
	NumberAsText bool `json:"numberAsText"`

	used bool
}

func readOverlay(file string) (*overlay, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	ov := new(overlay)
	if err := d.Decode(ov); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, r := range ov.Rules {
		if r.Why == "" {
			return nil, fmt.Errorf("%s: rule at %s does not say why", file, r.At)
		}
	}
	return ov, nil
}

// apply changes f, the property at path, by the rules for it.
func (ov *overlay) apply(f *field, path string) {
	for i := range ov.Rules {
		r := &ov.Rules[i]
		if !r.matches(path) {
			continue
		}
		r.used = true
		if r.Minimum != nil {
			f.least = r.Minimum
		}
		if r.MinLength > 0 {
			f.minLength = r.MinLength
		}
		f.numberAsText = f.numberAsText || r.NumberAsText
	}
}

func (r *rule) matches(path string) bool {
	if name, ok := strings.CutPrefix(r.At, "*"); ok {
		return strings.HasSuffix(path, name)
	}
	return r.At == path
}

func (ov *overlay) unused() error {
	for _, r := range ov.Rules {
		if !r.used {
			return fmt.Errorf("overlay: no property at %s", r.At)
		}
	}
	return nil
}

// direction returns the name of the ocpp.Direction of an action.
func (ov *overlay) direction(action string) (string, error) {
	found := ""
	for name, list := range map[string][]string{"FromStation": ov.FromStation, "FromCSMS": ov.FromCSMS, "Both": ov.Both} {
		for _, a := range list {
			if a != action {
				continue
			}
			if found != "" {
				return "", fmt.Errorf("overlay: two directions for %s", action)
			}
			found = name
		}
	}
	if found == "" {
		return "", fmt.Errorf("overlay: no direction for %s", action)
	}
	return found, nil
}
