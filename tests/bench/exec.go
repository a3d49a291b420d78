package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The ways to run a command in a fresh guest.
const (
	execLimit  = "QEMU alone"
	execOurs   = "microvm-run --exec"
	execVirtme = "virtme-ng"
)

// execution measures the time to run `true` in a fresh guest.
type execution struct {
	demo    string // the folder of the built demo
	work    string
	machine struct{ QEMU, Kernel, Initrd string }
	results results
}

// measureExec is `bench exec`. It runs the command in turn with QEMU alone, whose guest has the
// demo's kernel and image, starts busybox as its first program, and powers off; with
// microvm-run --exec, which boots the whole guest and has its agent run the command; and with
// virtme-ng, if it is installed, which boots the same kernel with the host's files and needs the
// kernel's modules in /lib/modules.
func measureExec(command string, args []string) error {
	flags := flag.NewFlagSet("bench exec", flag.ContinueOnError)
	e := &execution{}
	flags.StringVar(&e.demo, "demo", "result-demo", "`FOLDER` of the demo package")
	rounds := flags.Int("rounds", 20, "number of measurements of each, in turn")
	output := flags.String("output", "", "write exec.md and exec.json into `DIR`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(e.demo, "share/microvm/vm.json"))
	if err == nil {
		err = json.Unmarshal(text, &e.machine)
	}
	if err == nil {
		e.work, err = os.MkdirTemp("", "bench-")
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(e.work)
	e.results.Machine = describe(&bench{command: command, relay: "qemu-relay", work: e.work})
	_, missing := exec.LookPath("vng")
	if missing != nil {
		e.results.cannot(execVirtme, "", "vng is not installed, and no package of Debian 12 has it")
	}
	for round := range *rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, *rounds)
		e.time(execLimit, e.alone())
		e.time(execOurs, e.ours())
		if missing == nil {
			e.time(execVirtme, e.virtme())
		}
	}
	fmt.Println(e.table())
	if *output == "" {
		return nil
	}
	return e.save(*output)
}

// alone returns the command of QEMU with the arguments of microvm-run, except those that
// microvm-run needs itself.
func (e *execution) alone() *exec.Cmd {
	return exec.Command(e.machine.QEMU, "-no-reboot", "-no-user-config", "-nodefaults", "-display", "none",
		"-machine", "q35,usb=off,sata=off,smbus=off,vmport=off,i8042=off", "-accel", "tcg", "-cpu", "max", "-m", "256M",
		"-kernel", e.machine.Kernel, "-initrd", e.machine.Initrd, "-serial", "file:"+filepath.Join(e.work, "serial"),
		"-append", `console=ttyS0,115200 panic=-1 no_timer_check cryptomgr.notests rdinit=/bin/busybox -- sh -c "/bin/busybox true && /bin/busybox poweroff -f"`)
}

func (e *execution) ours() *exec.Cmd {
	command := exec.Command(filepath.Join(e.demo, "bin/microvm-run"), "--accel", "tcg", "--machine", "q35", "--auto-ports", "--exec", "--", "true")
	command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+e.work, "XDG_STATE_HOME="+e.work)
	return command
}

func (e *execution) virtme() *exec.Cmd {
	return exec.Command("vng", "--disable-kvm", "--memory", "256M", "--cpus", "1", "--run", e.machine.Kernel, "--", "true")
}

// time runs a command and records the time.
func (e *execution) time(name string, command *exec.Cmd) {
	var output bytes.Buffer
	command.Stderr = &output
	begin := time.Now()
	err := command.Run()
	took := time.Since(begin)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, output.String())
	} else if name == execLimit && !strings.Contains(read(filepath.Join(e.work, "serial")), "reboot: Power down") {
		err = errors.New("the guest has not powered off: it panicked")
	}
	if !e.results.failed(name, "seconds", err) {
		e.results.add(name, "seconds", took.Seconds())
	}
}

// table returns the medians, and the ratio to QEMU alone of the same round.
func (e *execution) table() string {
	var text strings.Builder
	m := e.results.Machine
	fmt.Fprintf(&text, "\n`%s`, %s: %s, %s; %s; load before %s.\n\n", m["command"], m["date"], m["processor"], m["system"], m["kernel"], m["load"])
	fmt.Fprintln(&text, "| `true` in a fresh guest | runs | s: median (least-most) | of QEMU alone, round by round |\n|---|---|---|---|")
	limit := e.results.at(execLimit, "seconds").Values
	for _, name := range []string{execLimit, execOurs, execVirtme} {
		f := e.results.find(name, "seconds")
		if f.Cannot != "" {
			fmt.Fprintf(&text, "| %s | | %s | |\n", name, f.Cannot)
			continue
		}
		var ratios []float64
		for i := range min(len(limit), len(f.Values)) {
			ratios = append(ratios, f.Values[i]/limit[i])
		}
		s, r := spreadOf(f.Values), spreadOf(ratios)
		fmt.Fprintf(&text, "| %s | %d | %.2f (%.2f-%.2f) | %.2f (%.2f-%.2f) |\n",
			name, len(f.Values), s.median, s.least, s.most, r.median, r.least, r.most)
	}
	return text.String() + "\n"
}

func (e *execution) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(e.results, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "exec.json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return insert(filepath.Join(dir, "exec.md"), "A command in a fresh guest, measured", e.table())
}
