package cmdline

import (
	"time"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/candidates"
	"microvm-console/internal/logs"
	"microvm-console/internal/vmconfig"
)

// configVariable is the environment variable of ConfigFlag.
const configVariable = "MICROVM_CONFIG"

// ConfigFlag is the flag --config: the vm.json. The wrappers of a VM's package pass it.
func ConfigFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "read the VM's `FILE`, a vm.json", EnvVars: []string{configVariable}, TakesFile: true}
}

// NameFlag is the flag --name: a VM. The default is the VM of --config. fallback describes what
// the program uses if neither flag is given.
func NameFlag(fallback string) cli.Flag {
	return &cli.StringFlag{Name: "name", Usage: "use the VM `NAME` (default: the one in vm.json, or " + fallback + ")"}
}

// OnlyVM is the fallback of NameFlag in a program that uses one VM.
const OnlyVM = "the only one that runs"

// ChannelFlag is the flag --channel: a channel of qemu-relay, for a program that does verb
// with it.
func ChannelFlag(verb, remark string) cli.Flag {
	return &cli.StringFlag{Name: "channel", Usage: verb + " the channel `NAME` of qemu-relay" + remark}
}

// BootFlag is the flag --boot; see Boot.
func BootFlag() cli.Flag {
	return &cli.IntFlag{Name: "boot", Usage: "show boot `N`: 0 is the newest, -1 the one before"}
}

// TimestampsFlag is the flag --timestamps.
func TimestampsFlag() cli.Flag {
	return &cli.BoolFlag{Name: "timestamps", Usage: "begin each line with the time at which it was printed"}
}

// RawFlag is the flag --raw. condition precedes its usage, as in "with --exec: ".
func RawFlag(condition string) cli.Flag {
	return &cli.BoolFlag{Name: "raw", Usage: condition + "show every byte on a terminal, even those that can change its state"}
}

// WaitReadyFlag is the flag --wait-ready.
func WaitReadyFlag() cli.Flag {
	return &cli.BoolFlag{Name: "wait-ready", Usage: "wait until the guest is ready"}
}

// TimeoutFlag is the flag --timeout; see Timeout. value is its default; 0 for none.
func TimeoutFlag(value time.Duration, usage string) cli.Flag {
	return &cli.DurationFlag{Name: "timeout", Value: value, Usage: usage}
}

// Timeout returns the value of TimeoutFlag, which must be positive if it is given. It
// is 0 if it is not given and has no default.
func Timeout(c *cli.Context) (time.Duration, error) { return Positive(c, "timeout", "30s") }

// Positive returns the value of a duration flag, which must be positive if it is given. The
// error shows example.
func Positive(c *cli.Context, flag, example string) (time.Duration, error) {
	value := c.Duration(flag)
	if c.IsSet(flag) && value <= 0 {
		return 0, Usage("invalid %s %v: must be positive, e.g. %s", flag, value, example)
	}
	return value, nil
}

// Boot returns the value of BootFlag.
func Boot(c *cli.Context) (int, error) {
	boot := c.Int("boot")
	if boot > 0 {
		return 0, Usage("invalid boot %d: 0 is the newest one, -1 the one before", boot)
	}
	return boot, nil
}

// Target is what the flags --config, --name and --channel choose: a VM or a channel. The zero
// value leaves the choice to the program.
type Target struct {
	VM       string
	Channel  string
	Consoles []vmconfig.Console // of the VM; nil if its vm.json is not known
}

// TargetOf returns the Target of a program with ChannelFlag. Its errors have status
// StatusUsage.
func TargetOf(c *cli.Context) (Target, error) {
	if !c.IsSet("channel") {
		vm, consoles, err := MachineConsoles(c)
		return Target{VM: vm, Consoles: consoles}, err
	}
	channel := c.String("channel")
	if err := logs.CheckChannel(channel); err != nil {
		return Target{}, Status(StatusUsage, err)
	}
	if c.IsSet("name") {
		return Target{}, Usage("--channel and --name: a channel does not belong to a VM (use one of them)")
	}
	return Target{Channel: channel}, nil
}

// sharedValues are the values of the flags in this file and of MachineFlags, for completion.
var sharedValues = map[string]Values{
	"name":    func(*cli.Context) []candidates.Word { return candidates.VMs() },
	"channel": func(*cli.Context) []candidates.Word { return candidates.Channels("") },
	"boot":    Boots(""),
	"accel":   OneOf(vmconfig.Accels...),
	"machine": OneOf(vmconfig.Types...),
}

// Boots returns the Values of --boot for a console, given by its name or device; "" is the
// first one.
func Boots(console string) Values {
	return func(c *cli.Context) []candidates.Word {
		p := placeOf(c)
		p.Console = console
		return candidates.Boots(p)
	}
}

// Consoles returns the consoles of the VM that the flags choose, as Values.
func Consoles(c *cli.Context) []candidates.Word { return candidates.Consoles(placeOf(c)) }

// placeOf returns the VM or channel that the flags choose, or the zero Place, as without flags,
// if they are wrong.
func placeOf(c *cli.Context) candidates.Place {
	t, err := TargetOf(c)
	if err != nil {
		return candidates.Place{}
	}
	return candidates.Place{VM: t.VM, Channel: t.Channel, Consoles: t.Consoles}
}
