package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"microvm-console/tests/internal/harness"
)

// TestWorkflowsInDocument checks the workflows that docs/in-ci.md shows: that for GitHub with
// actionlint, and the reports of that for GitLab.
func TestWorkflowsInDocument(t *testing.T) {
	t.Parallel()
	workflow := filepath.Join(t.TempDir(), "boot.yml")
	harness.WriteFile(t, workflow, harness.Block(t, harness.Section(t, "docs/in-ci.md", "## GitHub"), "yaml"))
	harness.Must(t, filepath.Join(harness.Root, "tests"), "go", "tool", "-modfile=tools/actionlint/go.mod", "actionlint", workflow)

	var jobs map[string]struct {
		Image     string
		Script    []string
		Artifacts struct {
			Paths   []string
			Reports struct{ JUnit string }
		}
	}
	if err := yaml.Unmarshal([]byte(harness.Block(t, harness.Section(t, "docs/in-ci.md", "## GitLab"), "yaml")), &jobs); err != nil {
		t.Fatal(err)
	}
	for name, job := range jobs {
		script, junit := strings.Join(job.Script, "\n"), job.Artifacts.Reports.JUnit
		if junit == "" || !strings.Contains(script, " --format junit --output "+junit) {
			t.Errorf("%s: no command writes the report %q:\n%s", name, junit, script)
		}
	}
	if len(jobs) != 1 {
		t.Errorf("%d jobs", len(jobs))
	}
}

// TestInputsOfTheAction checks that docs/in-ci.md lists the inputs and outputs of action.yml.
func TestInputsOfTheAction(t *testing.T) {
	t.Parallel()
	var action struct{ Inputs, Outputs map[string]any }
	if err := yaml.Unmarshal([]byte(harness.ReadFile(t, filepath.Join(harness.Root, "action.yml"))), &action); err != nil {
		t.Fatal(err)
	}
	for heading, names := range map[string]map[string]any{"input": action.Inputs, "output": action.Outputs} {
		rows := harness.TableRows(t, "docs/in-ci.md", heading)
		for _, r := range rows {
			if _, ok := names[r.Code(0)[0]]; !ok {
				t.Errorf("action.yml has no %s %s", heading, r.Code(0)[0])
			}
		}
		if len(rows) != len(names) {
			t.Errorf("docs/in-ci.md lists %d %ss, action.yml has %d", len(rows), heading, len(names))
		}
	}
}
