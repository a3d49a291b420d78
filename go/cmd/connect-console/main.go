// Command connect-console is a terminal on the hvc0 of a running microVM.
package main

import (
	"github.com/urfave/cli/v2"

	"microvm-console/internal/attach"
	"microvm-console/internal/cmdline"
)

func main() { cmdline.Main(app()) }

func app() *cli.App { return attach.App("connect-console", "hvc0", "") }
