package cmdline_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
)

// runner returns the program microvm-run, which returns err.
func runner(err error) *cli.App {
	return &cli.App{
		Name: "microvm-run", Usage: "start a VM", UsageText: "microvm-run [options]",
		Description: "Ctrl-C stops the VM as microvm-shutdown does.",
		Metadata: cmdline.Manual{
			Examples: []cmdline.Entry{{Term: "microvm-run --config vm.json --detach", Text: "Start a VM, for connect-console"}},
		}.Metadata(),
		Flags:  []cli.Flag{cmdline.ConfigFlag()},
		Action: func(*cli.Context) error { return err },
	}
}

// A program that runs as a command of a VM's own program has that name, and so have the others
// in its messages, but not in paths and quoted texts.
func TestMessagesOfACommandOfAVM(t *testing.T) {
	const message = `vm "microvm-run": not running (start it with microvm-run; log: console-log --boot -1.): /run/microvm-run/a, see run-test.`
	for name, want := range map[string]string{
		"microvm-run":           "microvm-run: " + message + "\n",
		"/opt/my vm/bin/my run": "microvm-run: " + message + "\n",
		"my-vm run": `my-vm run: vm "microvm-run": not running (start it with my-vm run; log: my-vm log --boot -1.): ` +
			"/run/microvm-run/a, see my-vm test.\n",
	} {
		var stderr bytes.Buffer
		if status := cmdline.Run(t.Context(), runner(errors.New(message)), []string{name}, &stderr, &stderr); status != 1 {
			t.Errorf("%s: status %d", name, status)
		}
		if diff := cmp.Diff(want, stderr.String()); diff != "" {
			t.Error(name, diff)
		}
	}
}

func TestHelpOfACommandOfAVM(t *testing.T) {
	var stdout bytes.Buffer
	cmdline.Run(t.Context(), runner(nil), []string{"my-vm run", "--help"}, &stdout, &stdout)
	for _, want := range []string{
		"Usage: my-vm run [options]\n\nStart a VM.\n\nCtrl-C stops the VM as my-vm shutdown does.\n",
		"  # Start a VM, for my-vm connect hvc0\n  my-vm run --detach\n\nMore: man my-vm\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not in\n%s", want, stdout.String())
		}
	}
}
