package csms_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// What /call knows of the schemas without reading them: which texts of our
// requests are URIs, and which numbers may have a fraction.
func TestSchemasAsCallKnowsThem(t *testing.T) {
	uris, decimals := make(map[string]bool), make(map[string]bool)
	for _, action := range v16.Actions() {
		if v16.DirectionOf(action) == ocpp.FromStation {
			continue
		}
		text, err := os.ReadFile(filepath.Join(schemaFolder(), action+".json"))
		if os.IsNotExist(err) {
			t.Skip(noSchemas)
		}
		var schema any
		if err == nil {
			err = json.Unmarshal(text, &schema)
		}
		if err != nil {
			t.Fatal(err)
		}
		properties(schema, "", func(name string, schema map[string]any) {
			if schema["format"] == "uri" {
				uris[action+"."+name] = true
			}
			if schema["type"] == "number" {
				decimals[name] = true
			}
		})
	}
	if got := slices.Sorted(maps.Keys(uris)); !slices.Equal(got, []string{"GetDiagnostics.location", "UpdateFirmware.location"}) {
		t.Errorf("URIs are %v", got)
	}
	if got := slices.Sorted(maps.Keys(decimals)); !slices.Equal(got, []string{"limit", "minChargingRate"}) {
		t.Errorf("decimals are %v", got)
	}
}

// properties calls f with every schema in another one and the name under which it
// stands there.
func properties(value any, name string, f func(name string, schema map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		f(name, v)
		for name, under := range v {
			properties(under, name, f)
		}
	case []any:
		for _, under := range v {
			properties(under, name, f)
		}
	}
}
