// Package virtiofsd finds virtiofsd and makes its command line. virtiofsd serves a directory of the
// host to a guest, and has the rights of the user that runs it.
package virtiofsd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"microvm-console/internal/process"
)

// Program is the Rust virtiofsd, https://gitlab.com/virtio-fs/virtiofsd.
type Program struct {
	// Path is the path of the program.
	Path string
	// CanReadOnly is whether it has the option --readonly.
	CanReadOnly bool
}

// name is the name of the program.
const name = "virtiofsd"

// places are the places of the program, besides those of PATH: distributions install it for other
// programs only. /usr/lib/qemu is not one of them: it has the virtiofsd that was a part of QEMU up
// to version 7.2 and has other options, or a link to one of these.
var places = []string{"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd"}

// Find returns the first virtiofsd in PATH, /usr/libexec and /usr/lib.
func Find(ctx context.Context) (Program, error) {
	for _, candidate := range append([]string{name}, places...) {
		path, err := exec.LookPath(candidate)
		if err == nil {
			return ask(ctx, path)
		}
	}
	return Program{}, fmt.Errorf("%s: not in PATH, /usr/libexec or /usr/lib (install the package virtiofsd; the one in /usr/lib/qemu cannot be used)", name)
}

// helpLimit bounds the wait for the output of --help.
const helpLimit = 30 * time.Second

// ask returns the properties of the virtiofsd at path, by its help.
func ask(ctx context.Context, path string) (Program, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helpLimit, errors.New("--help does not return"))
	defer cancel()
	var out bytes.Buffer
	asked, err := process.Start(process.Command{Argv: []string{path, "--help"}, Stdout: &out, Env: process.SmallEnvironment()})
	if err != nil {
		return Program{}, err
	}
	defer asked.Kill()
	select {
	case <-asked.Done():
	case <-ctx.Done():
		return Program{}, fmt.Errorf("%s: %w", path, context.Cause(ctx))
	}
	help := out.String()
	if !strings.Contains(help, "--shared-dir") {
		return Program{}, fmt.Errorf("%s: not the virtiofsd in Rust (install the package virtiofsd, and put it first in PATH)", path)
	}
	return Program{Path: path, CanReadOnly: strings.Contains(help, "--readonly")}, nil
}

// Share is what a virtiofsd serves.
type Share struct {
	Dir      string // the directory
	Writable bool
	// Root is whether root runs the program. It is then confined to the directory by chroot(2);
	// other users cannot do that, and their virtiofsd has the same rights as their QEMU.
	Root bool
}

// Args returns the command line that serves a share to the first client of the listening socket
// that the program inherits as descriptor fd. The process ends when the client disconnects. It
// forks no other process.
func (p Program) Args(share Share, fd int) ([]string, error) {
	return p.args(share, "--fd="+strconv.Itoa(fd))
}

// ByHand is Args for a program that makes its socket itself.
func (p Program) ByHand(share Share, socket string) ([]string, error) {
	return p.args(share, "--socket-path="+socket)
}

func (p Program) args(share Share, socket string) ([]string, error) {
	sandbox := "none"
	if share.Root {
		sandbox = "chroot"
	}
	args := []string{p.Path, socket, "--shared-dir=" + share.Dir, "--sandbox=" + sandbox, "--log-level=error"}
	switch {
	case share.Writable:
	case p.CanReadOnly:
		args = append(args, "--readonly")
	default:
		return nil, fmt.Errorf("%s: too old for a read-only share: it has no --readonly (install a newer one, or set driver to 9p or readOnly to false)", p.Path)
	}
	return args, nil
}
