package vendorcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// piece is something LivePerson's validator has an opinion on.
type piece struct {
	Where string `json:"where"`
	Kind  string `json:"kind"` // body, quickReplies or metadata
	Value any    `json:"value"`
}

type verdict struct {
	Where string   `json:"where"`
	Kind  string   `json:"kind"`
	Valid bool     `json:"valid"`
	Why   []string `json:"why"`
}

// broken is what is wrong on purpose: in tests that it is refused, and in tests of our
// reader, which understands what LivePerson would not let through. Of a file, the
// texts that hold the given one; all of them where it is empty.
var broken = map[string]string{
	"e2e/rows_content_test.go":           "hologram",
	"liveperson/blocks_test.go":          "",
	"liveperson/rich_test.go":            "",
	"simulator/agentwspublish_test.go":   `"quickReplies":{"type":"quickReplies"}`,
	"simulator/deskacts_test.go":         `"quickReplies":{"type":"quickReplies"}`,
	"simulator/pagetest/content_test.go": `[{"type": "button"}]`,
	"simulator/rich_test.go":             "",
	"vendorcheck/content_test.go":        "",
}

func wrongOnPurpose(file, text string) bool {
	part, listed := broken[file]
	return listed && strings.Contains(text, part)
}

// judge asks LivePerson's validator.
func judge(t *testing.T, pieces []piece) []verdict {
	t.Helper()
	in, err := json.Marshal(pieces)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), needNode(t), "validate.js")
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &complaints
	require.NoError(t, cmd.Run(), complaints.String())
	var verdicts []verdict
	require.NoError(t, json.Unmarshal(out.Bytes(), &verdicts))
	require.Len(t, verdicts, len(pieces))
	return verdicts
}

func TestEveryStructuredContentHereIsValid(t *testing.T) {
	t.Parallel()
	needNode(t)
	pieces := collect(t)
	require.Greater(t, len(pieces), 20, "the collection has shrunk: is it still looked for where it is?")
	for _, v := range judge(t, pieces) {
		if !v.Valid {
			t.Errorf("%s: %s is refused (wrong on purpose? then list it in broken): %s", v.Where, v.Kind, strings.Join(v.Why, "; "))
		}
	}
	t.Logf("%d pieces of structured content", len(pieces))
}

func TestBrokenContentIsRefused(t *testing.T) {
	t.Parallel()
	needNode(t)
	var pieces []piece
	for _, text := range []string{
		`{"type":"text","text":"x","colour":"red"}`,
		`{"type":"vertical","elements":[{"type":"button"}]}`,
		`{"type":"quickReplies","itemsPerRow":3,"replies":[{"type":"text","text":"x"}]}`,
		`{"type":"quickReplies","replies":[]}`,
	} {
		var v any
		require.NoError(t, json.Unmarshal([]byte(text), &v))
		found := find(text, v)
		require.Len(t, found, 1, text)
		pieces = append(pieces, found...)
	}
	for _, v := range judge(t, pieces) {
		require.False(t, v.Valid, v.Where)
		require.NotEmpty(t, v.Why)
	}
}

// collect finds the structured content in JSON files and in the texts of Go files.
func collect(t *testing.T) []piece {
	t.Helper()
	var pieces []piece
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(filepath.ToSlash(path), "../")
		switch {
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != ".." || d.Name() == "node_modules" || d.Name() == "bin" || name == "dev"):
			return fs.SkipDir
		case strings.HasSuffix(name, ".json"):
			pieces = append(pieces, inJSON(t, path, name)...)
		case strings.HasSuffix(name, ".go"):
			pieces = append(pieces, inGo(t, path, name)...)
		}
		return nil
	})
	require.NoError(t, err)
	return pieces
}

func inJSON(t *testing.T, path, name string) []piece {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var v any
	if json.Unmarshal(b, &v) != nil {
		return nil // a test's example of what is no JSON
	}
	return find(name, v)
}

// inGo looks into every text of a Go file that is a JSON value of its own.
func inGo(t *testing.T, path, name string) []piece {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var pieces []piece
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		var v any
		if err == nil && strings.Contains(text, "{") && !wrongOnPurpose(name, text) && json.Unmarshal([]byte(text), &v) == nil {
			pieces = append(pieces, find(fmt.Sprintf("%s:%d", name, set.Position(lit.Pos()).Line), v)...)
		}
		return true
	})
	return pieces
}

// containers are the types that stand for structured content wherever they are found;
// the simpler ones do only as the content of an event, or under a name in a collection.
var (
	containers = []string{"vertical", "horizontal", "carousel", "carouselSelect", "accordionSelect", "list", "tabs"}
	elements   = []string{"text", "button", "image", "map", "linkPreview", "keyValuePairList", "template"}
)

// find returns the structured content inside a value, not that inside of it again.
func find(where string, v any) []piece {
	var pieces []piece
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			pieces = append(pieces, find(where, inner)...)
		}
	case map[string]any:
		kind, _ := v["type"].(string)
		switch {
		case slices.Contains(containers, kind) && v["elements"] != nil:
			return []piece{{where, "body", v}}
		case slices.Contains(elements, kind) && whole(kind, v):
			return []piece{{where, "body", v}}
		case kind == "quickReplies":
			return []piece{{where, "quickReplies", v}}
		}
		for name, inner := range v {
			pieces = append(pieces, find(where+" "+name, inner)...)
		}
	}
	return pieces
}

// whole tells an element from something else that has the same type in other
// protocols: by a member that only the element has.
func whole(kind string, v map[string]any) bool {
	member := map[string]string{
		"text": "text", "button": "title", "image": "url", "map": "la", "linkPreview": "url", "keyValuePairList": "elements", "template": "templateType",
	}[kind]
	_, isText := v[member].(string)
	return v[member] != nil && (isText || kind == "map" || kind == "keyValuePairList")
}
