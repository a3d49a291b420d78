package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kernels measures demos that differ only in their kernel.
type kernels struct {
	work    string // folder for temporary files
	rounds  int
	results results
}

// stock is the guest with a distribution's kernel.
const stock = "stock kernel"

// The guests with our kernels, of which the first one is quick to build, and the machine types for
// each guest.
var (
	ours         = []string{"guest-kernel", "guest-kernel-full", "guest-kernel-debug"}
	machineTypes = []string{"q35", "microvm"}
)

// bootFigures has the names of the measurements of a boot, in seconds.
var bootFigures = []string{
	"microvm-run to login on ttyS0", "microvm-run to login on hvc0", "QEMU's start to login on ttyS0", "microvm-shutdown to the end of microvm-run",
	"processor time of microvm-run and QEMU, from start to end",
}

// measureKernels is `bench kernel`.
func measureKernels(command string, args []string) error {
	k := &kernels{}
	flags := flag.NewFlagSet("bench kernel", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "run one round of the stock kernel and guest-kernel, and write no files")
	output := flags.String("output", "", "write guest-kernel.md and guest-kernel.json into `DIR` (docs/performance, unless --quick)")
	demos := flags.String("demos", "result-bench", "the demos are in the folders `PREFIX`-stock, PREFIX-guest-kernel and so on")
	flags.IntVar(&k.rounds, "rounds", 20, "number of starts of each guest, in turn")
	if err := flags.Parse(args); err != nil {
		return err
	}
	guests := append([]string{stock}, ours...)
	if *quick {
		k.rounds, guests = 1, guests[:2]
	} else if *output == "" {
		*output = "docs/performance"
	}
	work, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	k.work = work
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	k.describe(command)
	begin := time.Now()
	if err := k.all(ctx, guests, *demos); err != nil {
		return err
	}
	k.results.Machine["seconds"] = fmt.Sprintf("%.0f", time.Since(begin).Seconds())
	k.results.Machine["load after"] = first(read("/proc/loadavg"), regexp.MustCompile(`^\S+`))
	fmt.Println(k.tables(guests))
	if *output == "" {
		return nil
	}
	return k.save(*output, guests)
}

// describe records the machine and the versions.
func (k *kernels) describe(command string) {
	k.results.Machine = map[string]string{
		"command":   command,
		"date":      time.Now().Format(time.DateOnly),
		"processor": fmt.Sprintf("%d x %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name")),
		"load":      first(read("/proc/loadavg"), regexp.MustCompile(`^\S+`)),
	}
}

// longestBoots is the time after which no further round begins.
const longestBoots = 20 * time.Minute

// all measures the guests in turn, whose demos are in folders that begin with prefix. The first
// start of each is not counted, because microvm-run then tests KVM.
func (k *kernels) all(ctx context.Context, guests []string, prefix string) error {
	folder := func(guest string) string { return prefix + "-" + strings.TrimSuffix(guest, " kernel") }
	for _, guest := range guests {
		if err := k.sizes(guest, folder(guest)); err != nil {
			return err
		}
	}
	begin := time.Now()
	for round := range k.rounds + 1 {
		if time.Since(begin) > longestBoots {
			break
		}
		for _, kind := range machineTypes {
			for _, guest := range guests {
				accel, seconds, err := k.boot(ctx, folder(guest), "--machine", kind)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", guest, kind, err)
				}
				k.results.Machine["accel"] = accel
				if round == 0 {
					continue
				}
				for i, name := range bootFigures {
					k.results.add(guest+", "+kind, name, seconds[i])
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round, k.rounds)
		k.results.Machine["rounds"] = fmt.Sprint(round)
	}
	return nil
}

// sizes records the size of a guest in bytes, and the versions of its kernel and of QEMU.
func (k *kernels) sizes(guest, demo string) error {
	var machine struct{ QEMU, Kernel, Initrd string }
	text, err := os.ReadFile(filepath.Join(demo, "share/microvm/vm.json"))
	if err == nil {
		err = json.Unmarshal(text, &machine)
	}
	if err != nil {
		return err
	}
	kernel, kernelErr := os.ReadFile(machine.Kernel)
	initrd, initrdErr := os.ReadFile(machine.Initrd)
	if err := errors.Join(kernelErr, initrdErr); err != nil {
		return err
	}
	k.results.add(guest, "kernel", float64(len(kernel)))
	k.results.add(guest, "initrd", float64(len(initrd)))
	k.results.Machine[guest] = version(kernel)
	k.results.Machine["qemu"] = first(outputOf(machine.QEMU, "--version"), regexp.MustCompile(`version \S+`))
	return nil
}

// version returns the version in a bzImage; see kernel_version in Linux' boot protocol.
func version(image []byte) string {
	const field, base = 0x20e, 0x200
	if len(image) < field+2 {
		return "unknown"
	}
	at := int(binary.LittleEndian.Uint16(image[field:])) + base
	if at >= len(image) {
		return "unknown"
	}
	text, _, _ := bytes.Cut(image[at:], []byte(" "))
	return string(text)
}
