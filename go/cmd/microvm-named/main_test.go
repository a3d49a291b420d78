package main

import (
	"testing"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/testsupport/programtest"
	"microvm-console/internal/vmconfig"
)

func TestMain(m *testing.M) {
	programtest.MainOf(m, map[string]func(){"microvm-named": main})
}

func TestTranscripts(t *testing.T) { programtest.Run(t) }

func TestManual(t *testing.T) {
	programtest.Manual(t, func() *cli.App {
		return app(vmconfig.Machine{Name: "console-demo", Consoles: vmconfig.DefaultConsoles(vmconfig.Machine{}.Architecture())})
	})
}
