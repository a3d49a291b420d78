// Bench compares this project's relay with other programs between a guest's console and its
// clients, and the guest kernel with a stock one. It measures boots on each machine type and
// accelerator, and a command in a fresh guest. Its soak test runs for an hour and reports lost
// bytes and growing processes. scripts/bench runs it; it is not part of the package.
//
// The processes that it starts listen only on this machine and write only to a temporary folder.
// It kills them by their process IDs.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 4 && args[0] == "guest" {
		return guest(args[1:])
	}
	command := "scripts/bench " + strings.Join(args, " ")
	switch {
	case len(args) > 0 && args[0] == "kernel":
		return measureKernels(command, args[1:])
	case len(args) > 0 && args[0] == "boot":
		return measureBoots(command, args[1:])
	case len(args) > 0 && args[0] == "exec":
		return measureExec(command, args[1:])
	case len(args) > 0 && args[0] == "host-root":
		return measureHostRoot(command, args[1:])
	case len(args) > 0 && args[0] == "soak":
		return measureSoak(command, args[1:])
	case len(args) == 0 || args[0] != "relay":
		return fmt.Errorf("%q: unknown benchmark (use relay, kernel, boot, exec, host-root or soak)", strings.Join(args, " "))
	}
	b := &bench{command: command}
	flags := flag.NewFlagSet("bench relay", flag.ContinueOnError)
	quick := flags.Bool("quick", false, "run one round with small sizes, in about a minute")
	only := flags.String("only", "", "measure only candidates whose name contains one of `WORDS`, and the limit")
	output := flags.String("output", "", "write relay.md, relay.svg and relay.json into `DIR` (docs/performance, unless --quick)")
	flags.BoolVar(&b.moves, "rates", false, "measure only rates")
	flags.StringVar(&b.relay, "relay", "qemu-relay", "the `PROGRAM` to measure")
	flags.StringVar(&b.before, "before", "", "also measure `PROGRAM`, an older build of qemu-relay")
	flags.IntVar(&b.rounds, "rounds", 5, "number of rounds, each of which measures every candidate")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	b.sizes = full
	if *quick {
		b.sizes, b.rounds = small, 1
	} else if *output == "" {
		*output = "docs/performance"
	}
	work, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	b.work = work
	defer b.clean()
	b.endOnSignal()
	b.choose(*only)
	results := b.all()
	fmt.Println(results.tables())
	if *output == "" {
		return nil
	}
	return results.save(*output)
}

// endOnSignal makes a signal also end the processes that were started.
func (b *bench) endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, unix.SIGTERM)
	go func() {
		<-signals
		if s := b.open.Load(); s != nil {
			s.close()
		}
		b.clean()
		os.Exit(1)
	}()
}

func (b *bench) clean() {
	if err := os.RemoveAll(b.work); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
	}
}

// save writes the results, the picture and the tables.
func (r *results) save(dir string) error {
	if err := r.write(filepath.Join(dir, "relay.json")); err != nil {
		return err
	}
	if err := r.draw(filepath.Join(dir, "relay.svg")); err != nil {
		return err
	}
	return insert(filepath.Join(dir, "relay.md"), "The relay, measured", r.tables())
}

// write writes the results as JSON.
func (r *results) write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

// The tables are between these lines of a document; the rest is written by hand.
const (
	tablesBegin = "<!-- scripts/bench writes from here -->\n"
	tablesEnd   = "<!-- to here -->\n"
)

// insert replaces the tables of a document with text. It creates the document, with a title, if
// it does not exist.
func insert(path, title, text string) error {
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		old = []byte("# " + title + "\n\n" + tablesBegin + tablesEnd)
	} else if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), tablesBegin)
	_, after, ended := strings.Cut(rest, tablesEnd)
	if !found || !ended {
		return fmt.Errorf("%s: no place for the tables (add the lines %q and %q)", path, tablesBegin, tablesEnd)
	}
	return os.WriteFile(path, []byte(before+tablesBegin+text+tablesEnd+after), 0o644)
}
