package parley_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link     = regexp.MustCompile(`\[([A-Za-z0-9_]+)\]\(\.\./([^)]+\.go)\)`)
	rowTests = regexp.MustCompile(`(?m)^func (TestRow_\w+)\(`)
)

// Every row of docs/connector-api.md is linked to something that exists: a capability
// to its tests, an assumption to where the code holds it.
func TestEveryRowOfTheConnectorAPIIsLinked(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("docs", "connector-api.md"))
	if err != nil {
		t.Fatal(err)
	}
	capabilities, assumptions, found := strings.Cut(string(doc), "\n## Assumptions\n")
	if !found {
		t.Fatal("there is no section about assumptions")
	}
	linked := map[string]bool{}
	check := func(part, kind, declared string) (n int) {
		for _, line := range tableRows(part) {
			n++
			cells := strings.Split(line, " | ")
			links := link.FindAllStringSubmatch(cells[len(cells)-1], -1)
			if len(links) == 0 {
				t.Errorf("%s without a link: %s", kind, line)
			}
			for _, l := range links {
				linked[l[1]] = true
				source, err := os.ReadFile(filepath.FromSlash(l[2]))
				if err != nil {
					t.Errorf("%s: %v", kind, err)
				} else if !regexp.MustCompile(strings.ReplaceAll(declared, "NAME", l[1])).Match(source) {
					t.Errorf("%s: there is no %s in %s", kind, l[1], l[2])
				}
			}
		}
		return n
	}
	// LivePerson's own table of features has 27 rows for the consumer's side and 11 for agents.
	if n := check(capabilities, "a capability", `(?m)^func NAME\(t \*testing\.T\)`); n < 38 {
		t.Errorf("there are only %d capabilities", n)
	}
	if check(assumptions, "an assumption", `\bNAME\b`) == 0 {
		t.Error("there are no assumptions")
	}
	everyRowTest(t, func(name, file string) {
		if !linked[name] {
			t.Errorf("%s: no capability links to %s", file, name)
		}
	})
}

// tableRows are the rows of the tables in a text, without their heads.
func tableRows(text string) (rows []string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		head := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---")
		if strings.HasPrefix(line, "| ") && !head {
			rows = append(rows, line)
		}
	}
	return rows
}

func everyRowTest(t *testing.T, f func(name, file string)) {
	t.Helper()
	files, err := filepath.Glob("e2e/rows_*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests of rows: %v", err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range rowTests.FindAllSubmatch(source, -1) {
			f(string(m[1]), file)
		}
	}
}
