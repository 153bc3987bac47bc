package leyden_test

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What keeps the code small enough to read. Raise a limit only with a reason
// in the commit message. Generated code is exempt.
const (
	maxFuncLines    = 70
	maxFileLines    = 700
	maxPackageNames = 80 // exported functions and types; methods apart
)

var (
	badPackages = []string{"util", "utils", "common", "helper", "helpers", "base", "misc", "models", "types", "interfaces"}
	sqlPackages = []string{"sqlite", "postgres"}
	sqlPattern  = regexp.MustCompile(`(?i)^.\s*(SELECT\s.+\sFROM|INSERT INTO|UPDATE\s\S+\sSET|DELETE FROM|CREATE TABLE)\s`)
	generated   = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	promises    = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
)

func TestTidy(t *testing.T) {
	names, docs := map[string]int{}, map[string]bool{}
	eachFile(t, func(file, pkg string, f *ast.File) {
		text := commentText(f)
		if gen := strings.HasSuffix(file, "_gen.go"); gen != generated.MatchString(text) {
			t.Errorf("%s: generated code, and only generated code, is named *_gen.go and says so", file)
		} else if gen {
			return
		}
		if m := promises.FindString(text); m != "" {
			t.Errorf("%s: has a %s: an issue is the place for it", file, m)
		}
		tidyFile(t, file, f)
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		names[pkg] += exported(t, f)
		docs[pkg] = docs[pkg] || f.Doc != nil
		if !slices.Contains(sqlPackages, path.Base(pkg)) {
			noSQL(t, f)
		}
	})
	for pkg, n := range names {
		if n > maxPackageNames {
			t.Errorf("%s: %d exported names, more than %d: it is two packages", pkg, n, maxPackageNames)
		}
		if !docs[pkg] {
			t.Errorf("%s: no package comment", pkg)
		}
		if slices.Contains(badPackages, path.Base(pkg)) {
			t.Errorf("%s: a package is named for what it does", pkg)
		}
	}
}

// tidyFile checks the sizes of a file and of its functions.
func tidyFile(t *testing.T, file string, f *ast.File) {
	if n := fset.File(f.Pos()).LineCount(); n > maxFileLines {
		t.Errorf("%s: %d lines, more than %d", file, n, maxFileLines)
	}
	for _, d := range f.Decls {
		d, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		at := fset.Position(d.Pos())
		if n := fset.Position(d.End()).Line - at.Line + 1; n > maxFuncLines {
			t.Errorf("%s: %s has %d lines, more than %d", at, d.Name.Name, n, maxFuncLines)
		}
		if d.Name.Name == "init" && d.Recv == nil {
			t.Errorf("%s: no init functions: main calls what must be called", at)
		}
	}
}

// exported counts the exported names and wants a comment that begins with each.
func exported(t *testing.T, f *ast.File) int {
	n := 0
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Recv == nil {
				n++
				commented(t, d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				s, ok := s.(*ast.TypeSpec)
				if !ok || !s.Name.IsExported() {
					continue
				}
				n++
				doc := s.Doc
				if doc == nil {
					doc = d.Doc
				}
				commented(t, s.Name, doc)
			}
		}
	}
	return n
}

func commented(t *testing.T, name *ast.Ident, doc *ast.CommentGroup) {
	at := fset.Position(name.Pos())
	if doc == nil {
		t.Errorf("%s: %s has no comment", at, name.Name)
		return
	}
	words := strings.Fields(doc.Text())
	if len(words) > 0 && slices.Contains([]string{"A", "An", "The"}, words[0]) {
		words = words[1:]
	}
	if len(words) == 0 || strings.TrimRight(words[0], ",;:.'s") != strings.TrimRight(name.Name, "s") {
		t.Errorf("%s: the comment of %s does not begin with its name", at, name.Name)
	}
}

func noSQL(t *testing.T, f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING && sqlPattern.MatchString(s.Value) {
			t.Errorf("%s: SQL belongs in %v", fset.Position(s.Pos()), sqlPackages)
		}
		return true
	})
}

func commentText(f *ast.File) string {
	var b strings.Builder
	for _, g := range f.Comments {
		for _, c := range g.List {
			b.WriteString(c.Text + "\n")
		}
	}
	return b.String()
}
