package vendorcheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// needNode returns the path of node, or skips the test where it, or what npm
// installs, is missing. In CI that is a failure.
func needNode(t *testing.T) string {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("CI") != "" {
		missing = t.Fatalf
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed: LivePerson's own programs check nothing here (apt-get install nodejs npm)")
	}
	for _, name := range []string{"@livepersoninc/rich-content-validator", "json-pollock", "node-agent-sdk"} {
		if _, err := os.Stat(filepath.Join("node_modules", name, "package.json")); err != nil {
			missing("%s is not installed: run npm ci in the folder vendorcheck", name)
		}
	}
	return node
}
