// Package server is the guest's end of the guest agent protocol: what
// microvm-agent does.
//
// It does what qemu-ga does, for the commands that it has, so that tools
// written for that one work; guestagent tells the two that it has on top.
// Source: qga/qapi-schema.json in QEMU's tree.
//
// Invariants: whatever a host sends, the server lives on and the next request
// is answered; what commands print takes a bounded amount of memory; no command
// that has ended stays a zombie. Who may connect may do everything in this guest:
// a transport that lets strangers in is not to be served.
package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"microvm-console/internal/guestagent"
)

// maxRequest bounds a request, in bytes: the largest input of a command, which
// is a third more in base64, and its arguments.
const maxRequest = 2 * guestagent.MaxInput

// Server answers requests. It may serve several connections at once; they
// share the commands that run. Make one with New.
type Server struct {
	version  string
	shutdown func(guestagent.ShutdownMode) error
	commands []command
	running  table
}

// command is one command of the protocol.
type command struct {
	name   string
	silent bool // it does not answer where it succeeds
	run    func(ctx context.Context, args json.RawMessage) (any, error)
}

// New returns a server of an agent's version. shutdown ends the guest, or
// tells why it does not; see Shutdown.
func New(version string, shutdown func(guestagent.ShutdownMode) error) *Server {
	s := &Server{version: version, shutdown: shutdown}
	s.commands = []command{
		{guestagent.CommandSync, false, with(s.sync)},
		{guestagent.CommandSyncDelimited, false, with(s.sync)},
		{guestagent.CommandPing, false, with(s.ping)},
		{guestagent.CommandInfo, false, with(s.info)},
		{guestagent.CommandShutdown, true, with(s.end)},
		{guestagent.CommandExec, false, with(s.exec)},
		{guestagent.CommandExecStatus, false, with(s.execStatus)},
		{guestagent.CommandOSInfo, false, with(s.osInfo)},
		{guestagent.CommandGetTime, false, with(s.time)},
		{guestagent.CommandSetTime, false, with(s.setTime)},
		{guestagent.CommandSetConsoleSize, false, with(s.setConsoleSize)},
		{guestagent.CommandExecOutput, false, with(s.execOutput)},
	}
	return s
}

// with is a command whose arguments are an A. An argument that A does not have
// is refused.
func with[A any](run func(context.Context, A) (any, error)) func(context.Context, json.RawMessage) (any, error) {
	return func(ctx context.Context, text json.RawMessage) (any, error) {
		var args A
		if len(text) > 0 {
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&args); err != nil {
				return nil, fmt.Errorf("arguments: %w", err)
			}
		}
		return run(ctx, args)
	}
}

// Serve answers what comes on conn until that ends, which is no error. One
// that cannot be written to is told. The end of ctx cuts a wait short, but does
// not end Serve: close conn.
func (s *Server) Serve(ctx context.Context, conn io.ReadWriter) error {
	var (
		lines   guestagent.Lines
		written error
	)
	say := func(text []byte) {
		if written == nil && text != nil {
			_, written = conn.Write(text)
		}
	}
	chunk := make([]byte, 32<<10)
	for written == nil {
		n, err := conn.Read(chunk)
		lines.Feed(chunk[:n], maxRequest, func(line []byte, _ bool) {
			say(s.answer(ctx, line))
		}, func() {
			say(refusal(nil, "GenericError", fmt.Errorf("a request has more than %d bytes", maxRequest)))
		})
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe):
			return nil
		case err != nil:
			return err
		}
	}
	return written
}

// request is one request of the host.
type request struct {
	Execute   string          `json:"execute"`
	Arguments json.RawMessage `json:"arguments"`
	ID        json.RawMessage `json:"id,omitempty"` // whatever: it goes back with the answer
}

// answer is the answer to a request, with all that separates it from the next
// one; nil: there is none.
func (s *Server) answer(ctx context.Context, line []byte) []byte {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return refusal(nil, "GenericError", fmt.Errorf("JSON parse error: %w", err))
	}
	for _, command := range s.commands {
		if command.name != r.Execute {
			continue
		}
		value, err := command.run(ctx, r.Arguments)
		switch {
		case err != nil:
			return refusal(r.ID, "GenericError", err)
		case command.silent:
			return nil
		}
		reply := message(struct {
			Return any             `json:"return"`
			ID     json.RawMessage `json:"id,omitempty"`
		}{value, r.ID})
		if r.Execute == guestagent.CommandSyncDelimited {
			reply = append([]byte{guestagent.Delimiter}, reply...)
		}
		return reply
	}
	return refusal(r.ID, "CommandNotFound", fmt.Errorf("The command %s has not been found", r.Execute)) //nolint:staticcheck // qemu-ga's words
}

// refusal is the answer to a request that failed.
func refusal(id json.RawMessage, class string, err error) []byte {
	return message(struct {
		Error guestagent.Error `json:"error"`
		ID    json.RawMessage  `json:"id,omitempty"`
	}{guestagent.Error{Class: class, Description: err.Error()}, id})
}

// message is one line of JSON.
func message(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // every answer is made of what JSON can hold
	}
	return append(text, '\n')
}
