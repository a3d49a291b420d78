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

// program writes a program for an image to a file: `program FILE APPLET...`;
// with --dynamic it needs libraries.
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

// An archive is nothing to look at, and can leave a terminal in a strange state.
func TestTerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("%v (this test wants a devpts)", err)
	}
	defer terminal.Close()
	var told bytes.Buffer
	status := cmdline.Run(context.Background(), app(), []string{"microvm-initrd", "image.json"}, terminal, &told)
	if status != cmdline.StatusUsage || !strings.Contains(told.String(), "standard output is a terminal") {
		t.Errorf("status %d: %s", status, told.String())
	}
}
