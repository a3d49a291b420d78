package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// measureBoots is `bench boot`. It starts the demo in turn on each machine type, under emulation
// and, if microvm-run chooses KVM on this host, with KVM.
func measureBoots(command string, args []string) error {
	k := &kernels{}
	flags := flag.NewFlagSet("bench boot", flag.ContinueOnError)
	demo := flags.String("demo", "result-demo", "`FOLDER` of the demo package")
	flags.IntVar(&k.rounds, "rounds", 10, "number of starts of each, in turn")
	output := flags.String("output", "", "write boot.md and boot.json into `DIR`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	k.work = work
	k.describe(command)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	accels, err := k.boots(ctx, *demo)
	if err != nil {
		return err
	}
	table := k.bootTable(accels)
	fmt.Println(table)
	if *output == "" {
		return nil
	}
	if err := k.results.write(filepath.Join(*output, "boot.json")); err != nil {
		return err
	}
	return insert(filepath.Join(*output, "boot.md"), "The demo's boots, measured", table)
}

// boots measures the boots and returns the accelerators. The first start is not counted, because
// microvm-run then tests whether KVM works.
func (k *kernels) boots(ctx context.Context, demo string) (accels []string, err error) {
	begin := time.Now()
	if err := k.sizes(stock, demo); err != nil {
		return nil, err
	}
	chosen, _, err := k.boot(ctx, demo)
	if err != nil {
		return nil, err
	}
	accels = []string{"tcg"}
	if chosen != "tcg" {
		accels = append(accels, chosen)
	}
	k.results.Machine["accel"] = strings.Join(accels, ", ")
	for round := range k.rounds {
		for _, accel := range accels {
			for _, kind := range machineTypes {
				_, seconds, err := k.boot(ctx, demo, "--accel", accel, "--machine", kind)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", accel, kind, err)
				}
				for i, name := range bootFigures {
					k.results.add(accel+", "+kind, name, seconds[i])
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, k.rounds)
	}
	k.results.Machine["seconds"] = fmt.Sprintf("%.0f", time.Since(begin).Seconds())
	return accels, nil
}

// bootTable returns the results as Markdown, with a column for each accelerator and machine type.
func (k *kernels) bootTable(accels []string) string {
	var columns []string
	for _, accel := range accels {
		for _, kind := range machineTypes {
			columns = append(columns, accel+", "+kind)
		}
	}
	var text strings.Builder
	m := k.results.Machine
	fmt.Fprintf(&text, "\n`%s`, %s, %d rounds in turn, %s s. %s; QEMU %s; Linux %s; load before %s.\n\n",
		m["command"], m["date"], k.rounds, m["seconds"], m["processor"], m["qemu"], m[stock], m["load"])
	fmt.Fprintf(&text, "Seconds: median (least-most).\n\n| | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, name := range bootFigures {
		fmt.Fprintf(&text, "| %s |", name)
		for _, column := range columns {
			fmt.Fprintf(&text, " %s |", show(k.results.spread(column, name), "%.2f"))
		}
		text.WriteString("\n")
	}
	return text.String() + "\n"
}
