package sqlite

import (
	"embed"
	"fmt"
	"io/fs"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// migrations holds the numbered steps from an empty file to today's schema, of
// the ledger and of the journal. Steps are only ever added: user_version counts
// those that a file has.
//
//go:embed migrations/*.sql journal/*.sql
var migrations embed.FS

// A schema is what one of our files holds.
type schema struct {
	folder string // of the steps
	id     int64  // marks the file (https://www.sqlite.org/fileformat.html#application_id)
}

func ledgerSchema() schema  { return schema{"migrations", 0x4c657964} } // "Leyd"
func journalSchema() schema { return schema{"journal", 0x4c65796a} }    // "Leyj"

func (s schema) steps() ([]string, error) {
	names, err := fs.Glob(migrations, s.folder+"/*.sql")
	if err != nil {
		return nil, err
	}
	var scripts []string
	for _, name := range names { // in lexical order: they begin with their number
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, string(text))
	}
	return scripts, nil
}

// pending returns the steps that the file lacks.
func (s schema) pending(c *sqlite.Conn, file string) (have int, scripts []string, err error) {
	scripts, err = s.steps()
	if err != nil {
		return 0, nil, err
	}
	version, err := number(c, `PRAGMA user_version`, nil)
	if err != nil {
		return 0, nil, err
	}
	id, err := number(c, `PRAGMA application_id`, nil)
	if err != nil {
		return 0, nil, err
	}
	tables, err := number(c, `SELECT count(*) FROM sqlite_schema`, nil)
	if err != nil {
		return 0, nil, err
	}
	if id != s.id && (tables > 0 || version != 0) {
		return 0, nil, fmt.Errorf("%s is a database of another program: name another data folder", file)
	}
	if int(version) > len(scripts) {
		return 0, nil, fmt.Errorf("%s was written by a newer leyden (schema %d, this one knows %d): run that version or a later one", file, version, len(scripts))
	}
	return int(version), scripts[version:], nil
}

// migrate brings the file to today's schema: all steps or none, and what finish
// makes of them; it may be nil.
func (s schema) migrate(c *sqlite.Conn, file string, finish func(*sqlite.Conn) error) (err error) {
	if err := exec(c, beginImmediate, nil); err != nil {
		return err
	}
	have, scripts, err := s.pending(c, file) // again: another process may have been faster
	for i := 0; err == nil && i < len(scripts); i++ {
		if err = sqlitex.ExecuteScript(c, scripts[i], nil); err != nil {
			err = fmt.Errorf("migrate %s to schema %d: %w", file, have+i+1, failed(err))
		}
	}
	if err == nil && finish != nil {
		err = finish(c)
	}
	if err == nil {
		err = sqlitex.ExecuteTransient(c, fmt.Sprintf(`PRAGMA user_version = %d`, have+len(scripts)), nil)
	}
	if err == nil {
		err = sqlitex.ExecuteTransient(c, fmt.Sprintf(`PRAGMA application_id = %d`, s.id), nil)
	}
	if err != nil {
		return rollback(c, err)
	}
	return exec(c, commit, nil)
}
