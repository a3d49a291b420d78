// Package guestinit is the first process of a guest whose files are those of its host:
// microvm-run --host-root. It loads kernel modules, mounts the host's files with a writable
// overlay, makes them its root, starts the guest agent, and waits for orphaned processes.
//
// It is part of microvm-agent, which package hostroot puts into an initramfs as /init, with a
// Spec. The guest's files need no program of this project, and no shell.
//
// Nothing that the guest writes reaches the host, except below the directories of Spec.Shares
// that are writable. An error ends the process, so that the kernel panics: the console then
// shows the error, and the host reports the panic.
package guestinit

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"microvm-console/internal/guestagent/server"
)

// Init is the path of the program in the initramfs, and SpecFile that of its Spec as JSON.
const (
	Init     = "/init"
	SpecFile = "/host-root.json"
)

// Spec is what the first process does.
type Spec struct {
	// Modules are the paths of kernel modules in the initramfs, in load order.
	Modules []string `json:"modules"`
	// Root is the host's root directory. Its Target is not used.
	Root Share `json:"root"`
	// Shares are mounted over the root, in this order.
	Shares []Share `json:"shares"`
	// Visible are directories of the host to show even if they are below a directory that the
	// guest has for itself, such as /run.
	Visible []string `json:"visible"`
	// Hostname is the guest's name.
	Hostname string `json:"hostname"`
	// Env is the environment of all programs, as "NAME=value", and Dir their directory. Values
	// may have any bytes.
	Env [][]byte `json:"env"`
	Dir string   `json:"dir"`
	// RuntimeDir is a directory below /run to create, for XDG_RUNTIME_DIR; may be empty.
	RuntimeDir string `json:"runtimeDir"`
	// Shell is a program to run on Terminal, a name without /dev/, again each time it ends. May
	// be empty.
	Shell    string `json:"shell"`
	Terminal string `json:"terminal"`
}

// Share is a directory of the host.
type Share struct {
	Tag     string `json:"tag"`
	FS      string `json:"fs"`      // "9p" or "virtiofs"
	Options string `json:"options"` // of the file system; see mount(8)
	Target  string `json:"target"`  // in the guest
}

// Wanted reports whether this process is the first one of such a guest.
func Wanted() bool {
	if os.Getpid() != 1 || os.Args[0] != Init {
		return false
	}
	_, err := os.Stat(SpecFile)
	return err == nil
}

// Run runs the guest until ctx ends. serve serves the host with the guest agent until ctx ends.
// The kernel panics if the process ends, so an error of Run ends the guest.
func Run(ctx context.Context, version string, serve func(context.Context, *server.Server) error) error {
	spec, err := readSpec()
	if err != nil {
		return err
	}
	loadModules(spec.Modules)
	if err := enter(spec); err != nil {
		return err
	}
	if err := setUp(spec); err != nil {
		return err
	}
	s := server.New(version, shutdown)
	s.SetDir(spec.Dir)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, s) })
	var shells shells
	if spec.Shell != "" {
		group.Go(func() error { return shells.respawn(ctx, spec.Shell, spec.Terminal) })
	}
	group.Go(func() error { return reap(ctx, s.Waits, shells.waits) })
	return group.Wait()
}

func readSpec() (Spec, error) {
	text, err := os.ReadFile(SpecFile)
	if err != nil {
		return Spec{}, err
	}
	var spec Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", SpecFile, err)
	}
	return spec, nil
}
