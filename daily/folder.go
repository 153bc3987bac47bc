package daily

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"leyden/export"
)

// A Folder is a [Target] on disk.
type Folder string

// Put makes a file in the folder, and the folder.
func (f Folder) Put(_ context.Context, name string, write func(io.Writer) error) (string, error) {
	if err := os.MkdirAll(string(f), 0o750); err != nil {
		return "", err
	}
	path := filepath.Join(string(f), name)
	return path, export.WriteFile(path, write)
}
