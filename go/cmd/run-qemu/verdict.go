package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"microvm-console/internal/cmdline"
	"microvm-console/internal/guest"
	"microvm-console/internal/journal"
	"microvm-console/internal/qemu"
	"microvm-console/internal/verdict"
)

// verdictOption is an option of run-qemu if it is the first argument.
const verdictOption = "--verdict"

// cutVerdict removes the leading verdictOption, and reports whether it was there.
func cutVerdict(args []string) ([]string, bool) {
	if len(args) == 0 || args[0] != verdictOption {
		return args, false
	}
	return args[1:], true
}

// kernelLog reads the journals of the channels to which the guest's kernel may print, while QEMU
// runs, for the verdict on the kernel's log.
type kernelLog struct {
	consoles []console
	read     []int64 // the offset up to which each console was read
	judge    *verdict.Judge
}

// readEvery is how often the journals are read. It is much less than the time in which a guest can
// print more than a journal keeps.
const readEvery = time.Second

// newKernelLog returns the log of consoles with the given names, from the start of their boots. A
// warning does not fail, as in the vm.json of others.
func newKernelLog(names []string, consoles []console) *kernelLog {
	l := &kernelLog{consoles: consoles, judge: verdict.New(verdict.Rules{Warnings: verdict.Note}, names...)}
	for i, c := range consoles {
		l.read = append(l.read, c.start())
		l.judge.Start(i, c.start())
	}
	return l
}

// follow reads the journals until ctx ends.
func (l *kernelLog) follow(ctx context.Context) {
	ticks := time.NewTicker(readEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			l.update()
		case <-ctx.Done():
			return
		}
	}
}

// update reads what is new in the journals. A journal that cannot be read has a gap.
func (l *kernelLog) update() {
	for i, c := range l.consoles {
		kept, err := c.journal()
		if err == nil {
			end := kept.End()
			err = kept.Walk(l.read[i], end, func(data []byte) {
				l.read[i] += int64(len(data))
				l.judge.Feed(i, data)
			}, func(err error) {
				skipped, printed, cause := journal.Gone(err)
				l.read[i] += skipped
				l.judge.Gap(i, skipped, printed, cause)
			})
		}
		if err != nil {
			l.judge.Gap(i, 0, -1, err.Error())
		}
	}
}

// checkVerdict returns an error if --verdict is set and QEMU's arguments leave nothing to judge.
func (l *launch) checkVerdict(relays qemu.Relays) error {
	switch {
	case !l.verdict || onlyPrints(l.user):
		return nil
	case slices.Contains(l.user, "-daemonize"):
		return cmdline.Usage("--verdict: QEMU would continue without run-qemu (leave out -daemonize)")
	case !slices.ContainsFunc(relays.Connected, kernelPrints):
		return cmdline.Usage("--verdict: no serial port is relayed (leave out -serial, or enable a channel in the settings)")
	}
	return nil
}

// missing returns what the log lacks that a verdict needs; "" if nothing.
func (l *kernelLog) missing(result verdict.Result) string {
	switch {
	case result.Empty():
		return "nothing was printed"
	case result.Verdict == verdict.Clean && !l.judge.HasKernel():
		return "no line of a Linux kernel was printed"
	}
	return ""
}

// judgeKernel prints the verdict on the kernel's log, and returns the exit status. status is QEMU's, and
// found is why the guest has ended, or nil.
func (l *launch) judgeKernel(log *kernelLog, found *guest.Error, status int) int {
	log.update()
	result := log.judge.Result()
	if missing := log.missing(result); missing != "" {
		return l.noVerdict(missing, found, status)
	}
	var text strings.Builder
	_ = result.Write(&text) // to a string
	for line := range strings.Lines("the kernel's log is " + text.String()) {
		l.log("%s", strings.TrimSuffix(line, "\n"))
	}
	switch {
	case found != nil && found.Panic() || result.Panicked():
		return cmdline.StatusPanic
	case result.Verdict != verdict.Clean:
		return cmdline.StatusFailed
	case status == 0 && found != nil && found.Cause == guest.Reset:
		return cmdline.StatusFailed
	}
	return status
}

// noVerdict prints why there is no verdict, and returns the exit status. See judgeKernel for found and status.
func (l *launch) noVerdict(missing string, found *guest.Error, status int) int {
	if status == 0 { // otherwise QEMU itself may have failed
		missing += " (add console=ttyS0 to -append)"
	}
	l.log("no verdict on the kernel's log: %s", missing)
	if found != nil && found.Panic() {
		return cmdline.StatusPanic
	}
	return cmp.Or(status, cmdline.StatusFailed)
}
