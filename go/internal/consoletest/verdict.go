package consoletest

import (
	"context"

	"microvm-console/internal/ctl"
	"microvm-console/internal/journal"
	"microvm-console/internal/verdict"
	"microvm-console/internal/vm"
	"microvm-console/internal/vmconfig"
)

// NewJudge returns a judge of all consoles of a machine.
func NewJudge(machine vmconfig.Machine, rules verdict.Rules) *verdict.Judge {
	var devices []string
	for _, console := range machine.Consoles {
		devices = append(devices, console.Device)
	}
	return verdict.New(rules, devices...)
}

// Observer returns the observer of a VM that feeds a judge of its consoles, and notes its restarts.
func Observer(judge *verdict.Judge, restarts *Restarts) vm.Observer {
	return vm.Observer{
		Printed: func(i int, data []byte) { judge.Feed(i, data) },
		Missing: func(i int, err error) {
			skipped, printed, cause := journal.Gone(err)
			judge.Gap(i, skipped, printed, cause)
		},
		Restarted: restarts.Note,
	}
}

// kernel returns the check of the kernel's log. It is the last one, so that the log is complete,
// and always runs.
func (s *Suite) kernel() Check {
	return Check{Name: nameKernel, Run: s.judge, Needs: []string{nameStarts}, Always: true, AfterEnd: true}
}

// judge ends the machine if it still runs, and returns why the kernel's log is not clean.
func (s *Suite) judge(ctx context.Context) error {
	if s.began.IsZero() {
		return needs("the VM has not started")
	}
	if _, err := s.vm.Stop(ctx, ctl.StopRequest{Force: true}); err != nil {
		return err
	}
	select {
	case <-s.vm.Finished():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch result := s.Kernel.Result(); {
	case result.Empty(): // which an earlier check has reported
		return needs("no console has printed anything")
	case result.Verdict == verdict.Broken: // which the failure of an earlier check may have; see End
		return ended{result.Err()}
	default:
		return result.Err()
	}
}
