package daily

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leyden/export"
)

// A Folder is a [Target] on disk.
type Folder string

// Put makes a file in the folder, and the folder. What a server that was killed
// left there of the file of any day goes.
func (f Folder) Put(_ context.Context, name string, write func(io.Writer) error) (string, error) {
	if err := os.MkdirAll(string(f), 0o750); err != nil {
		return "", err
	}
	export.RemoveParts(string(f), ofDay)
	path := filepath.Join(string(f), name)
	return path, export.WriteFile(path, write)
}

// ofDay reports whether a name is one that the file of a day or its manifest has.
func ofDay(name string) bool {
	rest, ok := strings.CutPrefix(name, "transactions-")
	if !ok || len(rest) <= len(time.DateOnly) || rest[len(time.DateOnly)] != '.' {
		return false
	}
	_, err := time.Parse(time.DateOnly, rest[:len(time.DateOnly)])
	_, known := export.ParseFormat(rest[len(time.DateOnly)+1:])
	return err == nil && (known || rest[len(time.DateOnly)+1:] == "manifest.json")
}
