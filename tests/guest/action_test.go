package guest

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"microvm-console/tests/internal/harness"
)

// action is the part of action.yml that a runner needs.
type action struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			Name, ID, Shell, Run string
			Env                  map[string]string
		}
	}
}

// expression matches an expression in action.yml, for a name such as inputs.vm.
var expression = regexp.MustCompile(`\$\{\{ ([a-z.]+) \}\}`)

// runner runs the steps of a composite action as GitHub's runner does.
type runner struct {
	t      *testing.T
	action action
	temp   string
	values map[string]string // of expressions
}

func newRunner(t *testing.T, inputs map[string]string) *runner {
	t.Helper()
	r := &runner{t: t, temp: t.TempDir(), values: map[string]string{}}
	if err := yaml.Unmarshal([]byte(harness.ReadFile(t, filepath.Join(harness.Root, "action.yml"))), &r.action); err != nil {
		t.Fatal(err)
	}
	for name, input := range r.action.Inputs {
		r.values["inputs."+name] = input.Default
	}
	for name, value := range inputs {
		if _, ok := r.action.Inputs[name]; !ok {
			t.Fatalf("no input %s", name)
		}
		r.values["inputs."+name] = value
	}
	root, err := filepath.Abs(harness.Root)
	if err != nil {
		t.Fatal(err)
	}
	harness.Setenv(t, "GITHUB_ACTION_PATH", root)
	harness.Setenv(t, "RUNNER_TEMP", r.temp)
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"} {
		harness.Setenv(t, name, r.file(name))
	}
	return r
}

// file returns the path of a file by which steps speak to the runner.
func (r *runner) file(name string) string { return filepath.Join(r.temp, name) }

// evaluate returns a text with the values of its expressions.
func (r *runner) evaluate(text string) string {
	r.t.Helper()
	return expression.ReplaceAllStringFunc(text, func(found string) string {
		value, ok := r.values[expression.FindStringSubmatch(found)[1]]
		if !ok {
			r.t.Fatalf("unknown expression %s", found)
		}
		return value
	})
}

// run runs the steps in a checkout, up to the first that fails, and returns what they print.
func (r *runner) run(checkout string) (output string, err error) {
	r.t.Helper()
	for _, step := range r.action.Runs.Steps {
		if step.Shell != "bash" || strings.Contains(step.Run, "${{") {
			r.t.Fatalf("step %q: shell %q runs %q", step.Name, step.Shell, step.Run)
		}
		for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"} {
			harness.WriteFile(r.t, r.file(name), "")
		}
		for name, value := range step.Env {
			harness.Setenv(r.t, name, r.evaluate(value))
		}
		text, err := harness.Command(r.t, checkout, "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.Run)
		output += text
		for line := range strings.Lines(harness.ReadFile(r.t, r.file("GITHUB_OUTPUT"))) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			r.values["steps."+step.ID+".outputs."+name] = value
		}
		for line := range strings.Lines(harness.ReadFile(r.t, r.file("GITHUB_PATH"))) {
			harness.Setenv(r.t, "PATH", strings.TrimSpace(line)+":"+harness.Getenv(r.t, "PATH"))
		}
		if err != nil {
			return output, err
		}
	}
	return output, nil
}

// output returns an output of the action.
func (r *runner) output(name string) string { return r.evaluate(r.action.Outputs[name].Value) }

// TestAction runs the steps of action.yml as GitHub does: for a kernel with modules; for a vm.json, whose
// guest panics; and for wrong inputs.
func TestAction(t *testing.T) {
	t.Parallel()
	parts := harness.PartsOfDemo(t)
	home := kernelDeveloper(t, parts)
	r := newRunner(t, map[string]string{
		"kernel": "linux/arch/x86/boot/bzImage", "modules": parts.Modules, "args": "--lines 1000 --run 'login|its own'",
		"fields": `{"checks": [{"name": "its own", "run": "echo $((6*7))", "match": "^42\n$"}]}`,
	})
	output, err := r.run(home)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if report := harness.ReadFile(t, r.output("report")); !strings.Contains(report, `name="login on hvc0"`) || !strings.Contains(report, `name="its own"`) {
		t.Errorf("the report is:\n%s", report)
	}
	if summary := harness.ReadFile(t, r.file("GITHUB_STEP_SUMMARY")); !strings.Contains(summary, " passed, 0 failed in ") {
		t.Errorf("the summary is:\n%s", summary)
	}
	if got := harness.Must(t, home, "microvm-run", "--version"); !strings.HasPrefix(got, "microvm-run version ") {
		t.Errorf("a later step runs %q", got)
	}

	harness.Must(t, home, "ln", "-s", harness.DemoWith(t, map[string]any{"initrd": nil}), "vm.json")
	r = newRunner(t, map[string]string{"vm": "vm.json", "artifacts": "out"})
	output, err = r.run(home)
	if err == nil || !strings.Contains(output, "guest panicked") {
		t.Errorf("%v\n%s", err, output)
	}
	if report := harness.ReadFile(t, r.output("report")); !strings.Contains(report, "<failure") {
		t.Errorf("the report is:\n%s", report)
	}
	if log := harness.ReadFile(t, filepath.Join(r.output("artifacts"), "serial.log")); !strings.Contains(log, "Linux version ") {
		t.Errorf("serial.log is:\n%s", log)
	}

	for want, inputs := range map[string]map[string]string{
		"::error::microvm-console: no VM (set vm to a vm.json, or kernel to a bzImage)\n":             {},
		"::error::microvm-console: vm and kernel exclude each other (set one of them)\n":              {"vm": "vm.json", "kernel": "k"},
		"::error::microvm-console: fields are for kernel (write them into the vm.json)\n":             {"vm": "vm.json", "fields": "{}"},
		"::error::microvm-console: kernel: none: no such file\n":                                      {"kernel": "none"},
		"::error::microvm-console: modules: none: no such folder\n":                                   {"kernel": "linux/arch/x86/boot/bzImage", "modules": "none"},
		"::error::microvm-console: args: --run 'a: is not quoted as for a shell (close each quote)\n": {"vm": "vm.json", "args": "--run 'a"},
	} {
		if output, err := newRunner(t, inputs).run(home); err == nil || !strings.HasSuffix(output, want) {
			t.Errorf("%v: %v\n%s", inputs, err, output)
		}
	}
}

// TestActionInstalls checks that the action installs packages if QEMU, busybox or jq is missing.
func TestActionInstalls(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"qemu-system-x86_64", "busybox", "jq"} {
		bin := t.TempDir()
		for _, tool := range []string{"bash", "dirname", "realpath"} {
			path, err := exec.LookPath(tool)
			if err != nil {
				t.Fatal(err)
			}
			harness.Must(t, bin, "ln", "-s", path, tool)
		}
		for _, tool := range []string{"sudo", "qemu-system-x86_64", "busybox", "jq"} {
			if tool == missing {
				continue
			}
			harness.WriteFile(t, filepath.Join(bin, tool), "#!"+bin+"/bash\necho \"$0 $*\"\nexit 1\n")
			harness.Must(t, bin, "chmod", "700", tool)
		}
		output, err := harness.Command(t, harness.Root, "env", "PATH="+bin, "RUNNER_TEMP="+bin, "scripts/action", "install")
		if err == nil || !strings.Contains(output, "/sudo apt-get update") {
			t.Errorf("without %s: %v\n%s", missing, err, output)
		}
	}
}
