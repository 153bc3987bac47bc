package main

import (
	"bytes"
	"cmp"
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
	flag.StringVar(&o.schemas, "schemas", "", "`folder` of the schemas, one folder a version in it (default $LEYDEN_SCHEMAS)")
	flag.BoolVar(&o.check, "check", false, "write nothing, fail when a package differs")
	flag.Parse()
	err := o.locate(os.Getenv("LEYDEN_SCHEMAS"))
	if err == nil {
		err = run(o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

type options struct {
	root    string // of the module
	schemas string
	check   bool
}

// locate finds the module's root above the working directory and the schemas:
// where the flag says, else where env says, else beside the checkout. What env
// says is relative to the root.
func (o *options) locate(env string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	for o.root = dir; ; o.root = filepath.Dir(o.root) {
		if _, err := os.Stat(filepath.Join(o.root, "go.mod")); err == nil {
			break
		}
		if o.root == filepath.Dir(o.root) {
			return fmt.Errorf("no go.mod at or above %s", dir)
		}
	}
	if o.schemas != "" {
		return nil
	}
	o.schemas = cmp.Or(env, filepath.Join("..", "shared", "schemas"))
	if !filepath.IsAbs(o.schemas) {
		o.schemas = filepath.Join(o.root, o.schemas)
	}
	return nil
}

// run generates or checks the package of every overlay and reports on w.
func run(o options, w io.Writer) error {
	overlays, err := filepath.Glob(filepath.Join(o.root, "internal", "gen", "v*.json"))
	if err != nil {
		return err
	}
	if len(overlays) == 0 {
		return fmt.Errorf("no overlays in %s", filepath.Join(o.root, "internal", "gen"))
	}
	var stale []string
	for _, file := range overlays {
		ov, err := readOverlay(file)
		if err != nil {
			return err
		}
		found, err := o.bring(ov, w)
		if err != nil {
			return fmt.Errorf("OCPP %s: %w", ov.OCPP, err)
		}
		stale = append(stale, found...)
	}
	if len(stale) == 0 || !o.check {
		return nil
	}
	return fmt.Errorf("not what the schemas and the overlays give, run make generate:\n\t%s", strings.Join(stale, "\n\t"))
}

// bring generates the package of ov. It returns the files that are not up to
// date, which are written unless this is a check.
func (o *options) bring(ov *overlay, w io.Writer) ([]string, error) {
	schemas, out := filepath.Join(o.schemas, ov.OCPP), filepath.Join("ocpp", ov.Package)
	if _, err := os.Stat(schemas); errors.Is(err, fs.ErrNotExist) {
		_, err = fmt.Fprintf(w, "gen: no OCPP %s schemas at %s, %s stays as it is\n", ov.OCPP, schemas, out)
		return nil, err
	}
	files, err := generate(os.DirFS(schemas), ov)
	if err != nil {
		return nil, err
	}
	stale, err := staleFiles(filepath.Join(o.root, out), files)
	if err == nil && !o.check {
		err = write(filepath.Join(o.root, out), files, stale)
	}
	for i, name := range stale {
		stale[i] = filepath.Join(out, name)
	}
	return stale, err
}

// generate returns the content of every generated file by its name.
func generate(schemas fs.FS, ov *overlay) (map[string][]byte, error) {
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
