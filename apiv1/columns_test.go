package apiv1_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"leyden/apiv1"
	"leyden/export"
)

// The columns of files are documented as they are.
func TestColumnsAreDocumented(t *testing.T) {
	const file, end = "../docs/formats/transactions.md", "<!-- end -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), " -update -->\n")
	got, after, whole := strings.Cut(rest, end)
	if !found || !whole {
		t.Fatalf("%s has no place for columns", file)
	}
	var want strings.Builder
	want.WriteString("| Column | Type | Null | |\n|---|---|---|---|\n")
	for _, c := range export.Columns[apiv1.Transaction]() {
		null := ""
		if c.Nullable {
			null = "yes"
		}
		fmt.Fprintf(&want, "| %s | %s | %s | %s |\n", c.Name, c.Type, null, c.Doc)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+" -update -->\n"+want.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want.String() {
		t.Errorf("%s has other columns:\n%s\nwant\n%s\n(go test ./apiv1 -run TestColumnsAreDocumented -update writes them anew)", file, got, want.String())
	}
}
