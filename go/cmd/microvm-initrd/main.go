// Command microvm-initrd builds a guest image from image.json; see internal/initrd. The Nix
// builds use it too.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/hashicorp/go-multierror"
	"github.com/urfave/cli/v2"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/initrd"
)

func main() { cmdline.Main(app()) }

func app() *cli.App {
	return &cli.App{
		Name:      "microvm-initrd",
		Usage:     "build a guest image (initramfs) with a login on each console",
		ArgsUsage: "IMAGE.json",
		Description: `Builds an initramfs from the files that IMAGE.json names: busybox, kernel modules, an agent,
and others. The same input gives the same bytes. Nix builds the demo's guest with it.`,
		Metadata: cmdline.Manual{
			Exit: []cmdline.Entry{
				{Term: "0", Text: "success"},
				{Term: "1", Text: "an error"},
				{Term: "2", Text: "wrong usage, or a wrong IMAGE.json"},
			},
			Files: []cmdline.Entry{{Term: "IMAGE.json", Text: "the image: its programs, files, modules, services and logins"}},
			Examples: []cmdline.Entry{
				{Term: "microvm-initrd --output initrd.img image.json", Text: "Build an image"},
				{Term: "microvm-initrd --list image.json", Text: "List what the image would hold"},
			},
			SeeAlso: []string{"microvm-run(1)", "microvm-agent(1)"},
		}.Metadata(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Usage: "write the image to `FILE` (default: standard output)", TakesFile: true},
			&cli.BoolFlag{Name: "list", Usage: "print mode, size and path of each file in the image, and exit"},
		},
		Action: run,
	}
}

func run(c *cli.Context) error {
	args, err := cmdline.Arguments(c, 1)
	if err != nil {
		return err
	}
	output := c.String("output")
	if output == "" && !c.Bool("list") && cmdline.IsTerminal(c.App.Writer) {
		return cmdline.Usage("standard output is a terminal (use --output FILE or --list)")
	}
	entries, err := collect(args[0])
	if err != nil {
		return err
	}
	write := initrd.Write
	if c.Bool("list") {
		write = list
	}
	return save(c, output, func(w io.Writer) error { return write(w, entries) })
}

// collect returns the entries of the image that the file at path describes.
func collect(path string) ([]initrd.Entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, cmdline.Status(cmdline.StatusUsage, err)
	}
	img, err := initrd.Decode(data)
	if err != nil {
		return nil, configError(path, err)
	}
	entries, err := initrd.Entries(img)
	return entries, configError(path, err)
}

// configError adds to an error that the file at path causes, including by the name of a file that
// does not exist, the exit status and the path. It returns other errors unchanged.
func configError(path string, err error) error {
	if err == nil || !initrd.IsImageError(err) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return cmdline.Status(cmdline.StatusUsage, multierror.Prefix(flat(err), path+":"))
}

// flat returns the list of errors in err, or err.
func flat(err error) error {
	var many *multierror.Error
	if errors.As(err, &many) {
		return many
	}
	return err
}

// list prints the entries of an image: mode, size in bytes, path in the guest.
func list(w io.Writer, entries []initrd.Entry) error {
	out := bufio.NewWriter(w)
	for _, e := range entries {
		fmt.Fprintf(out, "%v %8d /%s", e.Mode, len(e.Data), e.Path)
		if e.Mode.Type() == fs.ModeSymlink {
			fmt.Fprintf(out, " -> %s", e.Data)
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}
