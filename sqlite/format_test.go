package sqlite

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
)

// TestFormatIsDocumented wants every table and column in docs/formats/sqlite.md.
func TestFormatIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/formats/sqlite.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`\w+`).FindAllString(string(text), -1) {
		words[word] = true
	}
	db := mustOpen(t, Options{Path: t.TempDir()})
	const query = `
SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	columns := 0
	err = db.read(t.Context(), "schema", func(c *sqlite.Conn) error {
		return each(c, query, nil, func(r *row) error {
			columns++
			for _, name := range []string{r.text(), r.text()} {
				if !words[name] && !words[strings.TrimSuffix(name, "s")] {
					t.Errorf("%s is not described", name)
				}
			}
			return nil
		})
	})
	if err != nil || columns < 100 {
		t.Errorf("%d columns, %v", columns, err)
	}
}

// TestStrict: every table says what its columns hold.
func TestStrict(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir()})
	const query = `SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	err := db.read(t.Context(), "schema", func(c *sqlite.Conn) error {
		return each(c, query, nil, func(r *row) error {
			t.Errorf("table %s is not strict", r.text())
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
