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
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The ways to run a command in a guest with the files of the host.
const (
	hostRootOurs    = "microvm-run --host-root"
	hostRootVirtme  = "vng"
	hostRootVirtme9 = "vng --force-9p"
)

// hostRoot measures the time to run `true` in a guest with the files of the host.
type hostRoot struct {
	kernel  string
	limit   time.Duration
	work    string
	results results
}

// measureHostRoot is `bench host-root`. It runs the command in turn with microvm-run and with
// virtme-ng, which must be installed, with the same kernel, QEMU, memory and number of processors.
// Each run includes the start and the end of the guest.
func measureHostRoot(command string, args []string) error {
	flags := flag.NewFlagSet("bench host-root", flag.ContinueOnError)
	h := &hostRoot{}
	flags.StringVar(&h.kernel, "kernel", "", "the `FILE` of the kernel; its modules must be in /lib/modules")
	flags.DurationVar(&h.limit, "limit", 10*time.Minute, "kill a run after `TIME`")
	rounds := flags.Int("rounds", 5, "number of measurements of each, in turn")
	output := flags.String("output", "", "write host-root.md and host-root.json into `DIR`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if h.kernel == "" {
		kernels, err := filepath.Glob("/boot/vmlinuz-*")
		if err != nil || len(kernels) == 0 {
			return errors.New("no kernel in /boot (use --kernel)")
		}
		h.kernel = kernels[len(kernels)-1]
	}
	work, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	h.work = work
	h.results.Machine = describe(&bench{command: command, relay: "microvm-run", work: work})
	h.results.Machine["tools"] = strings.Join([]string{filepath.Base(h.kernel), firstLine("qemu-system-x86_64", "--version"), firstLine("vng", "--version")}, "; ")
	for round := range *rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, *rounds)
		h.time(hostRootOurs, "microvm-run", "--host-root", "--kernel", h.kernel, "--accel", "tcg", "--quiet", "--exec", "--", "true")
		h.time(hostRootVirtme, h.vng("--disable-microvm")...)
		h.time(hostRootVirtme9, h.vng("--disable-microvm", "--force-9p")...)
	}
	fmt.Println(h.table())
	if *output == "" {
		return nil
	}
	return h.save(*output)
}

// vng returns a command of virtme-ng, with the memory and the processors of microvm-run.
func (h *hostRoot) vng(flags ...string) []string {
	words := append([]string{"vng", "--disable-kvm", "--memory", "1G", "--cpus", strconv.Itoa(runtime.NumCPU())}, flags...)
	return append(words, "--run", h.kernel, "--", "true")
}

// firstLine returns the first line that a command prints.
func firstLine(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return name + ": " + err.Error()
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// time runs a command and records its time, and the processor time of its processes.
func (h *hostRoot) time(name string, argv ...string) {
	var output bytes.Buffer
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+h.work, "XDG_STATE_HOME="+h.work)
	command.Stderr, command.WaitDelay = &output, time.Second
	begin := time.Now()
	err := command.Start()
	if err == nil {
		kill := time.AfterFunc(h.limit, func() { _ = command.Process.Kill() }) // fails if it has ended
		err = command.Wait()
		kill.Stop()
	}
	took := time.Since(begin)
	if err != nil {
		err = fmt.Errorf("%w: %s", err, output.String())
	}
	if !h.results.failed(name, "seconds", err) {
		h.results.add(name, "seconds", took.Seconds())
		state := command.ProcessState
		h.results.add(name, "processor", (state.UserTime() + state.SystemTime()).Seconds())
	}
}

// table returns the medians, and the ratio to virtme-ng of the same round.
func (h *hostRoot) table() string {
	var text strings.Builder
	m := h.results.Machine
	fmt.Fprintf(&text, "\n`%s`, %s: %s, %s; %s; load before %s; %s.\n\n", m["command"], m["date"], m["processor"], m["system"], m["kernel"], m["load"], m["tools"])
	fmt.Fprintln(&text, "| `true` in a guest with the host's files | runs | s: median (least-most) | of vng, round by round | s of processor time |\n|---|---|---|---|---|")
	virtme := h.results.at(hostRootVirtme, "seconds").Values
	for _, name := range []string{hostRootOurs, hostRootVirtme, hostRootVirtme9} {
		f := h.results.at(name, "seconds")
		if f.Cannot != "" {
			fmt.Fprintf(&text, "| %s | %d | %s | | |\n", name, len(f.Values), strings.ReplaceAll(f.Cannot, "\n", " "))
			continue
		}
		var ratios []float64
		for i := range min(len(virtme), len(f.Values)) {
			ratios = append(ratios, f.Values[i]/virtme[i])
		}
		s, r, p := spreadOf(f.Values), spreadOf(ratios), spreadOf(h.results.at(name, "processor").Values)
		fmt.Fprintf(&text, "| %s | %d | %.2f (%.2f-%.2f) | %.2f (%.2f-%.2f) | %.2f |\n",
			name, len(f.Values), s.median, s.least, s.most, r.median, r.least, r.most, p.median)
	}
	return text.String() + "\n"
}

func (h *hostRoot) save(dir string) error {
	raw, err := json.MarshalIndent(h.results, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "host-root.json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return insert(filepath.Join(dir, "host-root.md"), "A command in a guest with the host's files, measured", h.table())
}
