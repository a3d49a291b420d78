package process

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// StartDetached starts the program at path as a process that outlives this one. args include
// args[0]. The process has its own session, so no terminal sends it a signal. Its standard
// input is empty. It inherits files as descriptors 3, 4, and so on; StartDetached closes
// them. env is its environment; see Command.
func StartDetached(path string, args, env []string, stdout, stderr *os.File, files ...*os.File) (*Process, error) {
	p := &Process{group: true, done: make(chan struct{})}
	command := &exec.Cmd{
		Path: path, Args: args, Env: env, Stdout: stdout, Stderr: stderr, ExtraFiles: files,
		SysProcAttr: &unix.SysProcAttr{Setsid: true},
	}
	err := closeInherited()
	if err == nil {
		started := make(chan error)
		go p.run(command, started)
		err = <-started
	}
	for _, file := range files {
		file.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}
