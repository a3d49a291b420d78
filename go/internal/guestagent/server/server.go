// Package server implements the guest's end of the guest agent protocol, for microvm-agent.
//
// Its commands behave like those of qemu-ga, so that programs for qemu-ga work with it. Package
// guestagent documents the two additional commands. Source: qga/qapi-schema.json in QEMU.
//
// Invariants: after any input the server answers the next request; the output of commands uses a
// bounded amount of memory; a command that has ended does not stay a zombie. A client can do
// anything in the guest, so the connection must only be open to the host.
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

// maxRequest is the maximum length of a request, in bytes: room for the arguments of a command and
// its largest input, which grows by a third in base64.
const maxRequest = 2 * guestagent.MaxInput

// Server answers requests. It may serve several connections at the same time, which share the
// running commands. Create it with New.
type Server struct {
	version  string
	shutdown func(guestagent.ShutdownMode) error
	dir      string // in which commands run
	commands []command
	running  table
}

// command is one command of the protocol.
type command struct {
	name   string
	silent bool // no answer if the command succeeds
	run    func(ctx context.Context, args json.RawMessage) (any, error)
}

// New returns a server that reports version as the agent's version. shutdown ends the guest or
// returns an error; see Shutdown.
func New(version string, shutdown func(guestagent.ShutdownMode) error) *Server {
	s := &Server{version: version, shutdown: shutdown, dir: "/"}
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

// SetDir sets the directory in which commands run. Default: "/". It must be called before Serve.
func (s *Server) SetDir(dir string) { s.dir = dir }

// Waits reports whether the server waits for a child process, or is about to. If the server's
// process also waits for the processes that it inherits, it must leave these to the server.
func (s *Server) Waits(pid int) bool {
	p, err := s.running.get(pid)
	return err == nil && !p.ended()
}

// with returns a command that decodes its arguments into an A and calls run. Unknown arguments are
// an error.
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

// Serve answers the requests on conn until its end, and returns nil. It returns an error if reading
// or writing fails. The end of ctx cuts a wait for output short, but does not end Serve; close
// conn for that.
func (s *Server) Serve(ctx context.Context, conn io.ReadWriter) error {
	var (
		lines   guestagent.Lines
		written error
	)
	reply := func(text []byte) {
		if written == nil && text != nil {
			_, written = conn.Write(text)
		}
	}
	chunk := make([]byte, 32<<10)
	for written == nil {
		n, err := conn.Read(chunk)
		lines.Feed(chunk[:n], maxRequest, func(line []byte, _ bool) {
			reply(s.answer(ctx, line))
		}, func() {
			reply(failure(nil, "GenericError", fmt.Errorf("request longer than %d bytes", maxRequest)))
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

// request is a request of the host.
type request struct {
	Execute   string          `json:"execute"`
	Arguments json.RawMessage `json:"arguments"`
	ID        json.RawMessage `json:"id,omitempty"` // returned with the answer
}

// answer runs a request, and returns the bytes of the answer; nil if there is none.
func (s *Server) answer(ctx context.Context, line []byte) []byte {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return failure(nil, "GenericError", fmt.Errorf("JSON parse error: %w", err))
	}
	for _, command := range s.commands {
		if command.name != r.Execute {
			continue
		}
		value, err := command.run(ctx, r.Arguments)
		switch {
		case err != nil:
			return failure(r.ID, "GenericError", err)
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
	return failure(r.ID, "CommandNotFound", fmt.Errorf("The command %s has not been found", r.Execute)) //nolint:staticcheck // the text of qemu-ga
}

// failure returns the answer to a request that has failed.
func failure(id json.RawMessage, class string, err error) []byte {
	return message(struct {
		Error guestagent.Error `json:"error"`
		ID    json.RawMessage  `json:"id,omitempty"`
	}{guestagent.Error{Class: class, Description: err.Error()}, id})
}

// message returns value as one line of JSON.
func message(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // every answer can be encoded
	}
	return append(text, '\n')
}
