package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/testsupport/initrdtest"
	"microvm-console/internal/testsupport/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m, app(), program()) }

func TestTranscripts(t *testing.T) { programtest.Run(t) }

// program is the command `program FILE APPLET...`: it writes a program for an image to a
// file. With --dynamic the program needs libraries.
func program() *cli.App {
	return &cli.App{
		Name:  "program",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "dynamic"}},
		Action: func(c *cli.Context) error {
			data := initrdtest.Busybox(c.Args().Tail()...)
			if c.Bool("dynamic") {
				data = initrdtest.Program(string(data), true)
			}
			return os.WriteFile(c.Args().First(), data, 0o755)
		},
	}
}

// microvm-initrd does not write an image to a terminal.
func TestTerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("%v (mount devpts on /dev/pts)", err)
	}
	defer terminal.Close()
	var stderr bytes.Buffer
	status := cmdline.Run(context.Background(), app(), []string{"microvm-initrd", "image.json"}, terminal, &stderr)
	if status != cmdline.StatusUsage || !strings.Contains(stderr.String(), "standard output is a terminal") {
		t.Errorf("status %d: %s", status, stderr.String())
	}
}

func TestManual(t *testing.T) { programtest.Manual(t, app) }
