package deploy

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	content := read(t, "Dockerfile")
	require.Regexp(t, `(?m)^FROM golang:1\.26\.\d+-bookworm AS build$`, content, "pinned, and of the module's Go release")
	require.Regexp(t, `(?m)^go 1\.26\.`, read(t, "../go.mod"))
	require.Contains(t, content, "distroless/static-debian12:nonroot")
	require.Contains(t, content, "CGO_ENABLED=0", "the image has no C library")
	_, final, found := strings.Cut(content, "FROM ${RUNTIME}")
	require.True(t, found)
	require.Regexp(t, `(?m)^USER 65532:65532$`, final)
	require.NotRegexp(t, `(?m)^(RUN|ADD)`, final, "nothing runs in an image without a shell")
	require.Len(t, regexp.MustCompile(`(?m)^COPY`).FindAllString(final, -1), 1, "one binary and nothing else")
}

func TestWhatMustNotReachALayer(t *testing.T) {
	t.Parallel()
	ignored := strings.Split(read(t, "Dockerfile.dockerignore"), "\n")
	for _, path := range []string{".env", ".git", ".parley", "dev"} {
		require.Contains(t, ignored, path)
	}
}
