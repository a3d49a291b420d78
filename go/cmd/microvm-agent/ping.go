package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/vsock"
	"golang.org/x/sync/errgroup"

	"microvm-console/internal/guestagent"
)

// pingLimit is how long an agent may take to answer.
const pingLimit = 10 * time.Second

// ping prints the version of the agent at address.
func ping(ctx context.Context, stdout io.Writer, address string) error {
	conn, err := dial(address)
	if err != nil {
		return err
	}
	client := guestagent.New(conn)
	var reader errgroup.Group
	reader.Go(client.Run)
	limit, cancel := context.WithTimeoutCause(ctx, pingLimit, fmt.Errorf("no answer within %v", pingLimit))
	defer cancel()
	info, err := client.Info(limit)
	_ = client.Close()
	if err := errors.Join(err, reader.Wait()); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	_, err = fmt.Fprintf(stdout, "%s: guest agent %s, %d commands\n", address, info.Version, len(info.Commands))
	return err
}

// dial connects to unix:PATH or vsock:CID:PORT.
func dial(address string) (net.Conn, error) {
	kind, rest, _ := strings.Cut(address, ":")
	switch kind {
	case "unix":
		return net.Dial("unix", rest)
	case "vsock":
		first, second, _ := strings.Cut(rest, ":")
		cid, wrongCID := strconv.ParseUint(first, 10, 32)
		number, wrongPort := strconv.ParseUint(second, 10, 32)
		if wrongCID == nil && wrongPort == nil && isPort(number) {
			return vsock.Dial(uint32(cid), uint32(number), nil)
		}
	}
	return nil, usage("invalid address %q: must be e.g. vsock:1:5000 or unix:/run/agent", address)
}
