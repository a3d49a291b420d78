package programtest

import (
	"fmt"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/relayd"
	"microvm-console/internal/settings"
)

// relays is a minimal program that serves channels: `relays CHANNEL...`. It prints a line once it
// serves all of them.
func relays() *cli.App {
	return &cli.App{Name: "relays", Action: func(c *cli.Context) error {
		all, _, err := settings.Find("")
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(c.Context)
		for _, name := range c.Args().Slice() {
			channel, err := relayd.Open(relayd.Config{Name: name, Settings: all})
			if err != nil {
				return err
			}
			group.Go(func() error { return channel.Run(ctx) })
		}
		fmt.Fprintln(c.App.Writer, "relays: serving")
		return group.Wait()
	}}
}
