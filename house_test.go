package parley_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says what each room may import of ours, and which modules it keeps away
// from. A room is a top-level folder; folders below it follow its rule.
var rooms = map[string]struct{ may, never []string }{
	"message":      {},
	"fault":        {},
	"conversation": {may: []string{"message", "fault"}, never: []string{"go.temporal.io", "net/http", "github.com/jackc/pgx", "log"}},
	"channels":     {may: []string{"message", "fault", "channels"}, never: []string{"go.temporal.io", "github.com/gin-gonic", "github.com/jackc/pgx"}},
	"liveperson":   {may: []string{"fault"}, never: []string{"go.temporal.io", "github.com/gin-gonic", "github.com/jackc/pgx"}},
	"db":           {may: []string{"message", "fault"}, never: []string{"go.temporal.io", "github.com/gin-gonic"}},
	"activities": {may: []string{"conversation", "channels", "liveperson", "message", "fault"},
		never: []string{"github.com/gin-gonic", "github.com/jackc/pgx"}},
	"workflows": {may: []string{"conversation", "activities", "message", "fault"},
		never: []string{"github.com/gin-gonic", "github.com/jackc/pgx", "net/http", "os"}},
	"relay": {may: []string{"message", "fault"},
		never: []string{"go.temporal.io", "github.com/gin-gonic", "github.com/jackc/pgx"}},
	"api":       {may: []string{"channels", "liveperson", "message", "fault"}, never: []string{"go.temporal.io", "github.com/jackc/pgx"}},
	"worker":    {may: []string{"workflows", "activities"}, never: []string{"github.com/gin-gonic", "github.com/sethvargo/go-envconfig"}},
	"simulator": {may: []string{"simulator"}, never: []string{"go.temporal.io", "github.com/jackc/pgx", "github.com/gin-gonic"}},
	"cmd": {may: []string{"activities", "api", "channels", "conversation", "db", "fault", "liveperson", "message", "relay",
		"simulator", "worker", "workflows"}},
	"bench":       {may: []string{"simulator"}},
	"model":       {may: []string{"conversation", "message", "fault"}, never: []string{"go.temporal.io", "github.com/jackc/pgx", "net", "os"}},
	"e2e":         {may: []string{"simulator"}},
	"torture":     {may: []string{"simulator"}},
	"vendorcheck": {},
}

// An adapter knows no other adapter: a folder below channels imports channels
// itself, never a neighbour.
func neighbours(from, to string) bool {
	return strings.HasPrefix(from, "channels/") && strings.HasPrefix(to, "channels/") && from != to
}

func TestNoImportGoesAgainstThePlan(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, file := range sources(t) {
		folder := filepath.ToSlash(filepath.Dir(file))
		room, _, _ := strings.Cut(folder, "/")
		rule, ok := rooms[room]
		if !ok {
			t.Errorf("%s: the room %q is not on the plan", file, room)
			continue
		}
		seen[room] = true
		for _, path := range imports(t, file) {
			if ours, is := strings.CutPrefix(path, "parley/"); is {
				to, _, _ := strings.Cut(ours, "/")
				if (to != room && !slices.Contains(rule.may, to)) || neighbours(folder, ours) {
					t.Errorf("%s imports %s: %s may not", file, path, folder)
				}
			}
			for _, never := range rule.never {
				if path == never || strings.HasPrefix(path, never+"/") {
					t.Errorf("%s imports %s: %s keeps away from it", file, path, room)
				}
			}
		}
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("the room %q is on the plan, and not there", room)
		}
	}
}

// sources lists the Go files of this module, tests aside: a test may look over
// the fence.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (path == "dev" || path == "deploy" || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources found: %v", err)
	}
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}
