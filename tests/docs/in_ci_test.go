package docs

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"microvm-console/tests/internal/harness"
)

// TestWorkflowsInDocument checks the workflows that docs/in-ci.md shows: that for GitHub with
// actionlint, the reports of that for GitLab, and the fields of the vm.json of both with microvm-run.
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
		folder := filepath.Dir(junit)
		if !strings.Contains(script, " --artifacts "+folder+" --keep") || filepath.Base(junit) != "report.xml" || !slices.Contains(job.Artifacts.Paths, folder) {
			t.Errorf("%s: no command writes the report %q:\n%s", name, junit, script)
		}
	}
	if len(jobs) != 1 {
		t.Errorf("%d jobs", len(jobs))
	}
	checkConfig(t, harness.Block(t, harness.Section(t, "docs/in-ci.md", "## GitLab"), "json"))

	var actions struct {
		Jobs map[string]struct {
			Steps []struct{ With struct{ Fields string } }
		}
	}
	if err := yaml.Unmarshal([]byte(harness.ReadFile(t, workflow)), &actions); err != nil {
		t.Fatal(err)
	}
	fields := 0
	for _, step := range actions.Jobs["boot"].Steps {
		if object, ok := strings.CutPrefix(step.With.Fields, "{"); ok {
			fields++
			checkConfig(t, `{"name": "kernel", "kernel": "arch/x86/boot/bzImage", "initrd": "boot/initrd", `+object)
		}
	}
	if fields != 1 {
		t.Errorf("%d steps have fields", fields)
	}
}

// checkConfig checks a vm.json whose files are arch/x86/boot/bzImage and boot/initrd.
func checkConfig(t *testing.T, config string) {
	t.Helper()
	root, err := filepath.Abs(harness.Root)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	harness.Must(t, folder, "mkdir", "-p", "arch/x86/boot", "boot")
	harness.WriteFile(t, filepath.Join(folder, "arch", "x86", "boot", "bzImage"), strings.Repeat("\x00", 0x202)+"HdrS")
	harness.WriteFile(t, filepath.Join(folder, "boot", "initrd"), "")
	harness.WriteFile(t, filepath.Join(folder, "vm.json"), config)
	harness.Must(t, filepath.Join(root, "go"), "go", "build", "-o", folder, "./cmd/microvm-run")
	harness.Must(t, folder, "./microvm-run", "--config", "vm.json", "--check")
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

// stub is a program in place of those that scripts/action runs: it adds its command line to a file.
const stub = `#!/bin/bash
echo "${0##*/} $*" >>"$RUNNER_TEMP/commands"
`

// TestScriptOfTheAction checks what scripts/action installs and the vm.json that it makes, with programs
// that do nothing.
func TestScriptOfTheAction(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	bin := filepath.Join(temp, "microvm-console", "bin")
	harness.Must(t, temp, "mkdir", "-p", bin, "out")
	for _, program := range []string{"sudo", "go", "busybox", "microvm-initrd", "microvm-agent", "run-test"} {
		harness.WriteFile(t, filepath.Join(bin, program), stub)
		harness.Must(t, bin, "chmod", "+x", program)
	}
	tools := t.TempDir() // without QEMU
	for _, tool := range []string{"bash", "realpath", "dirname", "jq", "mkdir", "ln", "xargs", "printf", "od", "tr", "tee", "tail", "sed"} {
		harness.Must(t, tools, "bash", "-c", `ln -s "$(type -P "$0")" .`, tool)
	}
	script, err := filepath.Abs(filepath.Join(harness.Root, "scripts", "action"))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"PATH": tools + ":" + bin, "RUNNER_TEMP": temp, "GITHUB_PATH": filepath.Join(temp, "path"),
		"GITHUB_OUTPUT": filepath.Join(temp, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(temp, "summary"),
		"KERNEL": "bzImage", "VM": "", "MODULES": "", "ARGS": "--run 'a b'", "ARTIFACTS": "out", "FIELDS": `{"memoryMiB": 512, "initrd": "no"}`,
	} {
		harness.Setenv(t, name, value)
	}
	harness.WriteFile(t, filepath.Join(temp, "bzImage"), "")
	harness.Must(t, temp, script, "install")
	harness.Must(t, temp, script, "test")
	commands := harness.ReadFile(t, filepath.Join(temp, "commands"))
	if !strings.Contains(commands, "apt-get install ") || !strings.Contains(commands, " --keep --run a b\n") {
		t.Errorf("it runs:\n%s", commands)
	}
	var vm map[string]any
	folder := filepath.Join(temp, "microvm-console", "kernel")
	if err := json.Unmarshal([]byte(harness.ReadFile(t, filepath.Join(folder, "vm.json"))), &vm); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"name": "kernel", "memoryMiB": 512.0, "kernel": folder + "/bzImage", "initrd": folder + "/initrd"}
	if !reflect.DeepEqual(vm, want) {
		t.Errorf("vm.json is %v", vm)
	}
	checkFailures(t, script, temp)
	for _, fields := range []string{"[]", "memoryMiB: 512"} {
		harness.Setenv(t, "FIELDS", fields)
		if output, err := harness.Command(t, temp, script, "test"); err == nil || !strings.Contains(output, "::error::microvm-console: fields: no JSON object ") {
			t.Errorf("%s: %v\n%s", fields, err, output)
		}
	}
}

// checkFailures checks what scripts/action makes of a run without a report, of a report with failures, and of
// one that jq cannot read: that changes neither the status nor the summary.
func checkFailures(t *testing.T, script, temp string) {
	t.Helper()
	program := filepath.Join(temp, "microvm-console", "bin", "run-test")
	printed := `run-test: vm.json: a\nrun-test: vm.json: kernel: 50%%\r::error::\nsee run-test: \n`
	harness.WriteFile(t, program, "#!/bin/bash\nprintf '"+printed+"'\nexit 2\n")
	if output, err := harness.Command(t, temp, script, "test"); err == nil || !strings.HasSuffix(output, "::\n::error::run-test: vm.json: kernel: 50%25 ::error::\n") {
		t.Errorf("%v: it prints:\n%s", err, output)
	}
	harness.WriteFile(t, program, "#!/bin/bash\n")
	harness.WriteFile(t, filepath.Join(temp, "summary"), "")
	harness.WriteFile(t, filepath.Join(temp, "out", "report.json"),
		`{"runs": [{"machine": "kernel", "checks": [{"name": "a", "result": "passed"}, {"name": "b", "result": "failed", "why": "50%\r::error::\nmore"}, {"name": "c", "result": "failed"}]}]}`)
	if output := harness.Must(t, temp, script, "test"); !strings.HasSuffix(output, "\n::error::kernel: b: 50%25 ::error::\n::error::kernel: c\n") {
		t.Errorf("it prints:\n%s", output)
	}
	harness.WriteFile(t, filepath.Join(temp, "out", "report.json"), "{")
	harness.WriteFile(t, program, "#!/bin/bash\necho the last line\nexit 4\n")
	output, err := harness.Command(t, temp, script, "test")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("%v\n%s", err, output)
	}
	if summary := harness.ReadFile(t, filepath.Join(temp, "summary")); summary != "    the last line\n" {
		t.Errorf("the summary is:\n%s", summary)
	}
}
