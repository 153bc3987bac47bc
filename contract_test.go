package leyden_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// Whoever talks HTTP to a façade in a test does it where replies are held
// against the OpenAPI document: see package resttest.
func TestTestsKeepTheContract(t *testing.T) {
	eachFile(t, func(path, pkg string, f *ast.File) {
		if !strings.HasSuffix(path, "_test.go") || pkg == "rest/resttest" {
			return
		}
		for _, d := range f.Decls {
			used := usedIn(d)
			if used("rest", "New") && !used("resttest", "NewContract") {
				t.Errorf("%s: a test serves what rest.New returns: take resttest.NewServer", path)
			}
			if strings.HasPrefix(pkg, "cmd/") && used("http", "Transport") && !used("", "witnessed") {
				t.Errorf("%s: a test asks with a transport of its own: take witnessed(transport)", path)
			}
		}
	})
}

// usedIn returns whether a declaration mentions pkg.name, or name alone.
func usedIn(d ast.Node) func(pkg, name string) bool {
	var seen []string
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				seen = append(seen, x.Name+"."+n.Sel.Name)
			}
		case *ast.Ident:
			seen = append(seen, "."+n.Name)
		}
		return true
	})
	return func(pkg, name string) bool { return slices.Contains(seen, pkg+"."+name) }
}
