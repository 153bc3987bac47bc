package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const generatedSuffix = "_gen.go"

func main() {
	var o options
	flag.StringVar(&o.schemas, "schemas", "", "`folder` of the version's JSON schemas")
	flag.StringVar(&o.overlay, "overlay", "", "`file` of names, directions and rules")
	flag.StringVar(&o.out, "out", "", "`folder` of the package to write")
	flag.BoolVar(&o.check, "check", false, "write nothing, fail when the package differs")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

type options struct {
	schemas, overlay, out string
	check                 bool
}

// run generates or checks one package and reports on w.
func run(o options, w io.Writer) error {
	if o.schemas == "" || o.overlay == "" || o.out == "" {
		return errors.New("-schemas, -overlay and -out are needed")
	}
	if _, err := os.Stat(o.schemas); errors.Is(err, fs.ErrNotExist) {
		_, err = fmt.Fprintf(w, "gen: no schemas at %s, %s left as it is\n", o.schemas, o.out)
		return err
	}
	files, err := generate(os.DirFS(o.schemas), o.overlay)
	if err != nil {
		return err
	}
	stale, err := staleFiles(o.out, files)
	if err != nil {
		return err
	}
	if o.check {
		return report(stale)
	}
	return write(o.out, files, stale)
}

// generate returns the content of every generated file by its name.
func generate(schemas fs.FS, overlayFile string) (map[string][]byte, error) {
	ov, err := readOverlay(overlayFile)
	if err != nil {
		return nil, err
	}
	docs, err := readSchemas(schemas)
	if err != nil {
		return nil, err
	}
	m, err := build(docs, ov)
	if err != nil {
		return nil, err
	}
	return m.files()
}

// staleFiles returns the names, sorted, of the generated files in dir that are
// missing, different or no longer wanted.
func staleFiles(dir string, files map[string][]byte) ([]string, error) {
	var stale []string
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || !bytes.Equal(got, want) {
			stale = append(stale, name)
		}
	}
	there, err := filepath.Glob(filepath.Join(dir, "*"+generatedSuffix))
	if err != nil {
		return nil, err
	}
	for _, path := range there {
		if name := filepath.Base(path); files[name] == nil {
			stale = append(stale, name)
		}
	}
	slices.Sort(stale)
	return stale, nil
}

func report(stale []string) error {
	if len(stale) == 0 {
		return nil
	}
	return fmt.Errorf("not what the schemas and the overlay give, run make generate:\n\t%s", strings.Join(stale, "\n\t"))
}

// write brings the stale files of dir up to date.
func write(dir string, files map[string][]byte, stale []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range stale {
		path := filepath.Join(dir, name)
		content, wanted := files[name]
		if !wanted {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
