package leyden_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which of our packages each of our packages may import; "*" is
// any. A package that is not here may not exist. Changing the list is a design
// decision: ARCHITECTURE.md shows it.
var allowed = map[string][]string{
	".":                  {},
	"ocpp":               {},
	"ocpp/v16":           {"ocpp"},
	"auth":               {"."},
	"calls":              {"."},
	"device":             {"."},
	"pki":                {"."},
	"feed":               {"."},
	"ocmf":               {},
	"csms":               {".", "device", "ocmf", "ocpp", "ocpp/v16"},
	"memory":             {".", "auth", "calls", "daily", "device", "feed"},
	"sqlite":             {".", "auth", "calls", "chain", "daily", "daybook", "device", "feed"},
	"storetest":          {".", "auth", "calls", "daily", "device", "feed"},
	"sheet":              {},
	"export":             {"sheet"},
	"daily":              {"export"},
	"daybook":            {},
	"chain":              {},
	"taglist":            {".", "sheet"},
	"rest":               {".", "auth", "calls", "export"},
	"rest/resttest":      {"rest"},
	"rest/barrage":       {"rest/resttest"},
	"apiv1":              {".", "csms", "auth", "calls", "device", "export", "feed", "ocmf", "rest", "taglist"},
	"apiv2":              {".", "auth", "export", "rest"},
	"sim":                {"ocpp", "ocpp/v16"},
	"simtest":            {},
	"bench":              {".", "sim", "sqlite"},
	"client":             {},
	"cmd/leyden":         {"*"},
	"internal/faultdisk": {},
	"internal/gen":       {},
	"internal/genclient": {"rest", "apiv1", "apiv2"},
	"internal/race":      {},
}

// barred says what of the standard library, or of others, a package may not import.
var barred = map[string][]string{
	".":            {"net", "net/http", "database/sql"},
	"csms":         {"database/sql", "zombiezen.com/go/sqlite"},
	"internal/gen": {"github.com", "golang.org", "zombiezen.com"},
}

func TestImports(t *testing.T) {
	seen, used := map[string]bool{}, map[string]bool{}
	eachFile(t, func(path, pkg string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		may, ok := allowed[pkg]
		if !ok {
			t.Errorf("%s: package %s is not in the list of packages", path, pkg)
		}
		seen[pkg] = true
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(barred[pkg], func(b string) bool { return name == b || strings.Contains(b, ".") && strings.HasPrefix(name, b+"/") }) {
				t.Errorf("%s: package %s may not import %s", path, pkg, name)
			}
			rest, ours := strings.CutPrefix(name+"/", "leyden/")
			dep := strings.TrimSuffix(rest, "/")
			if dep == "" {
				dep = "."
			}
			used[pkg+" "+dep] = used[pkg+" "+dep] || ours
			if ours && !slices.Contains(may, dep) && !slices.Contains(may, "*") {
				t.Errorf("%s: package %s may not import %s", path, pkg, name)
			}
		}
	})
	for pkg, may := range allowed {
		for _, dep := range may {
			if dep != "*" && !used[pkg+" "+dep] {
				t.Errorf("package %s does not import %s: take it from the list", pkg, dep)
			}
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %d packages found: is this the module's root?", len(seen))
	}
}

// eachFile parses every Go file of the module.
func eachFile(t *testing.T, f func(path, pkg string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "bin" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		f(path, filepath.ToSlash(filepath.Dir(path)), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var fset = token.NewFileSet()
