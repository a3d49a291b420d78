// Package features detects the features of a QEMU program by running it once. The result
// is stored until the host restarts or the program's file changes.
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

// found has the stored features.
var found = cache.File[qemu.Features]{Name: "qemu.json"}

// helpLimit is how long QEMU may take to print its help. It usually takes 0.1 s.
const helpLimit = 30 * time.Second

// Of returns the features of a QEMU program, which is looked up in PATH.
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
	features, err := detect(ctx, program)
	if err != nil {
		return qemu.Features{}, err
	}
	found.Remember(key, features)
	return features, nil
}

// detect runs the program with -help. A QEMU built without seccomp refuses the -sandbox
// option; then it is run again without that.
func detect(ctx context.Context, program string) (qemu.Features, error) {
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

// help runs argv and returns its output. done reports whether the exit status is 0.
func help(ctx context.Context, argv []string) (text string, done bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helpLimit, errors.New("-help does not return"))
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
