package vm

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"microvm-console/internal/process"
	"microvm-console/internal/rundir"
	"microvm-console/internal/unixsock"
	"microvm-console/internal/virtiofsd"
	"microvm-console/internal/vmconfig"
)

// shares are the processes that serve directories of the host by virtiofs. QEMU itself serves those
// of 9p.
type shares struct {
	daemons []daemon
	group   errgroup.Group // watches the daemons
	ending  atomic.Bool    // QEMU has ended, and end kills the daemons
}

// daemon is the virtiofsd of one share.
type daemon struct {
	process  *process.Process
	target   string
	warnings *warnings // its standard error
}

// start starts a virtiofsd for each share that needs one. QEMU connects to its socket in dir. Each
// share must have a driver. The caller must call end.
func (s *shares) start(ctx context.Context, m vmconfig.Machine, dir rundir.Machine) error {
	program, err := findVirtiofsd(ctx, m)
	if err != nil {
		return err
	}
	for i, share := range m.Shares {
		if share.Driver != vmconfig.Virtiofs {
			continue
		}
		argv, err := program.Args(served(share), 3)
		if err == nil {
			err = s.startOne(argv, cmp.Or(share.Target, share.Source), dir.ShareSocket(vmconfig.ShareTag(i)))
		}
		if err != nil {
			return fmt.Errorf("shares[%d]: %w", i, err)
		}
	}
	return nil
}

// startOne starts a virtiofsd that inherits a listening socket at the path socket. QEMU can connect
// at once. If the virtiofsd ends, so does the socket, and QEMU does not wait for an answer.
func (s *shares) startOne(argv []string, target, socket string) error {
	listener, err := unixsock.Listen(socket)
	if err != nil {
		return err
	}
	// The path is left for QEMU; it is removed with the folder.
	defer func() { _ = listener.UnixListener.Close() }()
	file, err := listener.File()
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(int(file.Fd()), false); err != nil { // virtiofsd waits in accept(2)
		file.Close()
		return err
	}
	d := daemon{target: target, warnings: newWarnings(argv[0])}
	d.process, err = process.Start(process.Command{
		Argv: argv, Files: []*os.File{file}, Stderr: d.warnings, Env: process.SmallEnvironment(),
	})
	if err != nil {
		return err
	}
	s.daemons = append(s.daemons, d)
	return nil
}

// served returns what virtiofsd serves for a share.
func served(share vmconfig.Share) virtiofsd.Share {
	return virtiofsd.Share{Dir: share.Source, Writable: share.Writable(), Root: os.Geteuid() == 0}
}

// findVirtiofsd returns the host's virtiofsd if a share needs it.
func findVirtiofsd(ctx context.Context, m vmconfig.Machine) (virtiofsd.Program, error) {
	for i, share := range m.Shares {
		if share.Driver == vmconfig.Virtiofs {
			program, err := virtiofsd.Find(ctx)
			if err != nil {
				return program, fmt.Errorf("shares[%d]: %w", i, err)
			}
			return program, nil
		}
	}
	return virtiofsd.Program{}, nil
}

// ShareCommands returns the command lines that serve the shares for a QEMU that is started by hand;
// none for shares that QEMU serves. Each share must have a driver.
func ShareCommands(ctx context.Context, m vmconfig.Machine) ([][]string, error) {
	program, err := findVirtiofsd(ctx, m)
	if err != nil {
		return nil, err
	}
	var commands [][]string
	for i, share := range m.Shares {
		if share.Driver != vmconfig.Virtiofs {
			continue
		}
		argv, err := program.ByHand(served(share), rundir.Of(m.Name).ShareSocket(vmconfig.ShareTag(i)))
		if err != nil {
			return nil, fmt.Errorf("shares[%d]: %w", i, err)
		}
		commands = append(commands, argv)
	}
	return commands, nil
}

// watch passes on what the daemons print until they end, and notes if one of them fails. A daemon
// ends with status 0 if QEMU, which is its only client, has ended.
func (s *shares) watch(note func(text string)) {
	for _, d := range s.daemons {
		s.group.Go(func() error {
			d.warnings.pass(d.process.Done(), func(line string) { note("share " + d.target + ": virtiofsd: " + line) })
			if d.process.Exit() != 0 && !s.ending.Load() {
				note(d.how() + "; the guest cannot use the directory any more (restart the VM)")
			}
			return nil
		})
	}
}

// how returns how the daemon has ended.
func (d daemon) how() string {
	if exit := d.process.Exit(); exit > 128 {
		return fmt.Sprintf("share %s: virtiofsd was killed by %s", d.target, unix.SignalName(unix.Signal(exit-128)))
	}
	return fmt.Sprintf("share %s: virtiofsd ended with status %d", d.target, d.process.Exit())
}

// failure returns why QEMU could not start if that is because a daemon has failed. It ends the
// daemons.
func (s *shares) failure() error {
	s.end()
	for _, d := range s.daemons {
		if exit := d.process.Exit(); exit != 0 && exit != 128+int(unix.SIGKILL) {
			return fmt.Errorf("%s: %s", d.how(), d.process.Stderr())
		}
	}
	return nil
}

// end ends the daemons, and waits for watch. QEMU has ended.
func (s *shares) end() {
	s.ending.Store(true)
	for _, d := range s.daemons {
		d.process.Kill()
	}
	_ = s.group.Wait() // it returns no error
}
