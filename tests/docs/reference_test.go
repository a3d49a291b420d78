package docs

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// commonFlags are flags that docs/reference.md describes once for all programs.
var commonFlags = []string{"--config", "--help", "--version", "--name"}

var (
	helpFlag      = regexp.MustCompile(`(?m)^ +(--[a-z-]+)`)
	referenceFlag = regexp.MustCompile("`(--[a-z-]+)")
)

// Each program's section of docs/reference.md has the flags that its --help prints.
func TestReferenceHasTheFlags(t *testing.T) {
	t.Parallel()
	text := harness.ReadFile(t, filepath.Join(harness.Root, "docs/reference.md"))
	sections := strings.Split(text, "\n### ")[1:]
	if len(sections) < 6 {
		t.Fatalf("only %d programs", len(sections))
	}
	for _, section := range sections {
		heading, section, _ := strings.Cut(section, "\n")
		section, _, _ = strings.Cut(section, "\n## ")
		program, _, _ := strings.Cut(heading, ",")
		names := func(pattern *regexp.Regexp, text string) (found []string) {
			for _, match := range pattern.FindAllStringSubmatch(text, -1) {
				found = append(found, match[1])
			}
			return found
		}
		printed := names(helpFlag, harness.Must(t, harness.Root, harness.Tool(t, program), "--help"))
		described := names(referenceFlag, section)
		for _, flag := range printed {
			if !slices.Contains(described, flag) && !slices.Contains(commonFlags, flag) {
				t.Errorf("docs/reference.md does not describe %s of %s", flag, program)
			}
		}
		for _, flag := range described {
			if !slices.Contains(printed, flag) {
				t.Errorf("docs/reference.md describes %s, which %s does not have", flag, program)
			}
		}
	}
}
