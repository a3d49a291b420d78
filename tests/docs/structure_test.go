package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// The limits for types and functions in go/.
const (
	mostFields = 20 // including the fields of embedded and nested structs of the same package
	// mostOptions is for vmconfig.Machine: its fields are those of the JSON object that users
	// write, which is flat.
	mostOptions = 25
	mostMethods = 30
	mostLines   = 60
)

// goPackage has the structs of a package, and the number of methods of each type.
type goPackage struct {
	structs map[string]*ast.StructType
	methods map[string]int
}

// TestStructure checks that no type and no function exceeds the limits.
func TestStructure(t *testing.T) {
	t.Parallel()
	packages := map[string]*goPackage{}
	files := token.NewFileSet()
	err := filepath.WalkDir(filepath.Join(harness.Root, "go"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		if packages[dir] == nil {
			packages[dir] = &goPackage{map[string]*ast.StructType{}, map[string]int{}}
		}
		for _, declaration := range file.Decls {
			packages[dir].add(t, files, declaration)
		}
		return nil
	})
	if err != nil || len(packages) == 0 {
		t.Fatalf("no packages (%v)", err)
	}
	for dir, p := range packages {
		for name, body := range p.structs {
			at := strings.TrimPrefix(dir, filepath.Join(harness.Root, "go")+"/") + " " + name
			most := mostFields
			if at == "internal/vmconfig Machine" {
				most = mostOptions
			}
			if n := p.fields(body); n > most {
				t.Errorf("%s has %d fields, more than %d: divide it", at, n, most)
			}
			if n := p.methods[name]; n > mostMethods {
				t.Errorf("%s has %d methods, more than %d: divide it", at, n, mostMethods)
			}
		}
	}
}

// add records a declaration. It reports a function that is too long.
func (p *goPackage) add(t *testing.T, files *token.FileSet, declaration ast.Decl) {
	t.Helper()
	switch d := declaration.(type) {
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if named, ok := spec.(*ast.TypeSpec); ok {
				if body, ok := named.Type.(*ast.StructType); ok {
					p.structs[named.Name.Name] = body
				}
			}
		}
	case *ast.FuncDecl:
		begin, end := files.Position(d.Pos()), files.Position(d.End())
		if lines := end.Line - begin.Line + 1; lines > mostLines {
			t.Errorf("%s: %s has %d lines, more than %d", begin, d.Name.Name, lines, mostLines)
		}
		if d.Recv != nil {
			p.methods[typeName(d.Recv.List[0].Type)]++
		}
	}
}

// fields returns the number of fields of a struct.
func (p *goPackage) fields(body *ast.StructType) (n int) {
	for _, field := range body.Fields.List {
		names := max(1, len(field.Names)) // an embedded field has no name
		n += names
		if nested, ok := field.Type.(*ast.StructType); ok {
			n += names * p.fields(nested)
		}
		if nested := p.structs[typeName(field.Type)]; nested != nil && (len(field.Names) == 0 || !isPointer(field.Type)) {
			n += names * p.fields(nested)
		}
	}
	return n
}

func isPointer(e ast.Expr) bool {
	_, pointer := e.(*ast.StarExpr)
	return pointer
}

// typeName returns the name of a type of the same package, or of the type that it points to.
// It returns "" for any other type.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
