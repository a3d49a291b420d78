// Package features finds out what a QEMU program can do, by asking it once; the answer
// is remembered until the host restarts or the program's file changes.
package features

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"microvm-console/internal/cache"
	"microvm-console/internal/process"
	"microvm-console/internal/qemu"
)

// found are the features that are remembered.
var found = cache.File[qemu.Features]{Name: "qemu.json"}

// helpLimit is how long QEMU may take to print its help: it takes 0.1 s.
const helpLimit = 30 * time.Second

// Of returns the features of a QEMU program, which is looked up on PATH.
func Of(ctx context.Context, program string) (qemu.Features, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return qemu.Features{}, fmt.Errorf("start %s: %w", program, err)
	}
	key, err := cache.Key(cache.BootIDFile, nil, path)
	if err != nil {
		return qemu.Features{}, err
	}
	if features, ok := found.Recall(key); ok {
		return features, nil
	}
	features, err := ask(ctx, program)
	if err != nil {
		return qemu.Features{}, err
	}
	found.Remember(key, features)
	return features, nil
}

// ask runs the program with -help. A program that was built without seccomp refuses the
// option of the sandbox, and is run again without it.
func ask(ctx context.Context, program string) (qemu.Features, error) {
	text, sandbox, err := help(ctx, qemu.HelpArgs(program, true))
	if err != nil {
		return qemu.Features{}, err
	}
	if !sandbox {
		if text, _, err = help(ctx, qemu.HelpArgs(program, false)); err != nil {
			return qemu.Features{}, err
		}
	}
	features := qemu.ReadHelp(text)
	features.Sandbox = sandbox
	return features, nil
}

// help runs argv and returns what it prints, and whether it ended with status 0.
func help(ctx context.Context, argv []string) (text string, done bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helpLimit, errors.New("does not answer -help"))
	defer cancel()
	var out bytes.Buffer
	asked, err := process.Start(process.Command{Argv: argv, Stdout: &out, Env: process.SmallEnvironment()})
	if err != nil {
		return "", false, err
	}
	defer asked.Kill()
	select {
	case <-asked.Done():
		return out.String(), asked.Exit() == 0, nil
	case <-ctx.Done():
		return "", false, fmt.Errorf("%s: %w", argv[0], context.Cause(ctx))
	}
}
