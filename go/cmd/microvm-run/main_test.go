package main

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"testing"

	"github.com/urfave/cli/v2"

	"microvm-console/internal/testsupport/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m, app(), manager()) }

func TestTranscripts(t *testing.T) { programtest.Run(t) }

func TestManual(t *testing.T) { programtest.Manual(t, app) }

// seconds matches the part of a status that differs from run to run.
var seconds = regexp.MustCompile(` after [0-9.]+ s`)

// manager is the program `manager SOCKET FILE`: it appends what a service sends to the socket of
// its manager (sd_notify(3)) to a file, line by line, and its process id to SOCKET.pid.
func manager() *cli.App {
	return &cli.App{Name: "manager", Action: func(c *cli.Context) error {
		path := c.Args().Get(0)
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := os.WriteFile(path+".pid", fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
			return err
		}
		go func() {
			<-c.Done()
			conn.Close()
		}()
		for message := make([]byte, 4096); ; {
			n, err := conn.Read(message)
			if err != nil {
				return nil // it has been ended
			}
			file, err := os.OpenFile(c.Args().Get(1), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			if err != nil {
				return err
			}
			_, err = file.Write(append(seconds.ReplaceAll(message[:n], nil), '\n'))
			file.Close()
			if err != nil {
				return err
			}
		}
	}}
}
