package server

import (
	"context"
	"fmt"
	"time"

	"microvm-console/internal/guestagent"
)

// execOutput returns the output of a command after the offsets. If there is none, it waits for a
// short time. It does not forget a command that has ended, since the answer may get lost.
func (s *Server) execOutput(ctx context.Context, args guestagent.OutputArgs) (any, error) {
	p, err := s.running.get(args.PID)
	switch {
	case err != nil:
		return nil, err
	case p.flows == nil:
		return nil, fmt.Errorf("the output of PID %d is not a stream (start it with capture-output %q)", args.PID, guestagent.CaptureStream)
	}
	wait := time.Duration(min(max(args.WaitMS, 0), guestagent.MaxWait)) * time.Millisecond
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		output, more := p.output(args)
		if output.Exited || len(output.Out)+len(output.Err) > 0 {
			return output, nil
		}
		select {
		case <-more[0]:
		case <-more[1]:
		case <-p.done:
		case <-limit.C:
			return output, nil
		case <-ctx.Done():
			return output, nil
		}
	}
}

// output returns the output that is available. The channels in more are closed when more arrives.
func (p *process) output(args guestagent.OutputArgs) (output guestagent.ExecOutput, more [2]<-chan struct{}) {
	ended := p.ended() // before reading the streams, so that their end is not missed
	output.Out, more[0] = p.flows[0].from(args.OutOffset)
	output.Err, more[1] = p.flows[1].from(args.ErrOffset)
	if ended {
		output.Exited, output.ExitCode, output.Signal = true, p.state.ExitCode, p.state.Signal
	}
	return output, more
}
