package sqlite

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
)

// TestFormatIsDocumented wants every table and column in docs/formats/sqlite.md.
func TestFormatIsDocumented(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir()})
	err := db.read(t.Context(), "schema", func(c *sqlite.Conn) error { return described(t, c, "sqlite.md", 100) })
	if err != nil {
		t.Error(err)
	}
}

// TestJournalIsDocumented wants every table and column in docs/formats/journal.md,
// and only columns that say what they hold.
func TestJournalIsDocumented(t *testing.T) {
	j := openJournal(t, JournalOptions{Folder: t.TempDir()})
	if err := errors.Join(described(t, j.writing.conn, "journal.md", 17), strict(t, j.writing.conn)); err != nil {
		t.Error(err)
	}
}

// described wants at least so many columns, all of which a document describes.
func described(t *testing.T, c *sqlite.Conn, document string, atLeast int) error {
	text, err := os.ReadFile("../docs/formats/" + document)
	if err != nil {
		return err
	}
	words := map[string]bool{}
	for _, word := range regexp.MustCompile(`\w+`).FindAllString(string(text), -1) {
		words[word] = true
	}
	const query = `
SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	columns := 0
	err = each(c, query, nil, func(r *row) error {
		columns++
		for _, name := range []string{r.text(), r.text()} {
			if !words[name] && !words[strings.TrimSuffix(name, "s")] {
				t.Errorf("%s is not described", name)
			}
		}
		return nil
	})
	if err == nil && columns < atLeast {
		err = fmt.Errorf("only %d columns", columns)
	}
	return err
}

// TestStrict: every table says what its columns hold.
func TestStrict(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir()})
	if err := db.read(t.Context(), "schema", func(c *sqlite.Conn) error { return strict(t, c) }); err != nil {
		t.Fatal(err)
	}
}

func strict(t *testing.T, c *sqlite.Conn) error {
	const query = `SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	return each(c, query, nil, func(r *row) error {
		t.Errorf("table %s is not strict", r.text())
		return nil
	})
}
