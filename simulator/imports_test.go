package simulator_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The simulator must be able to disagree with Parley: a shared type would hide a
// shared mistake.
func TestImportsNothingOfParley(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			own := name == "parley/simulator" || strings.HasPrefix(name, "parley/simulator/")
			ours := name == "parley" || strings.HasPrefix(name, "parley/")
			require.False(t, ours && !own, "%s imports %s", path, name)
		}
		return nil
	})
	require.NoError(t, err)
}
