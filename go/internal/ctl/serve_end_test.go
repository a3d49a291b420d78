package ctl_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"microvm-console/internal/ctl"
	"microvm-console/internal/ctl/server"
	"microvm-console/internal/unixsock"
)

func TestServeCompletesAnswers(t *testing.T) {
	path := socket(t)
	asked, stop := make(chan struct{}), make(chan struct{})
	listener, err := unixsock.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served, answered := make(chan error, 1), make(chan error, 1)
	go func() {
		served <- server.Serve(ctx, listener, server.Handlers{Stop: func(ctx context.Context, _ ctl.StopRequest) (ctl.StopReport, error) {
			close(asked)
			<-stop
			return ctl.StopReport{Stage: "acpi"}, ctx.Err()
		}})
	}()
	go func() {
		report, stopped, err := ctl.Client{Path: path}.Stop(t.Context(), ctl.StopRequest{})
		if report.Stage != "acpi" || !stopped {
			err = errors.Join(err, errors.New("the answer is not the report"))
		}
		answered <- err
	}()
	select {
	case <-asked:
	case err := <-answered:
		t.Fatal(err)
	}
	cancel()
	for exists(path) { // until the socket is closed to new clients
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-served:
		t.Errorf("Serve returned before the answer: %v", err)
	default:
	}
	close(stop)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// A stop continues if its client disconnects.
func TestStopContinuesWithoutItsClient(t *testing.T) {
	path := socket(t)
	asked, ended := make(chan struct{}), make(chan error)
	serve(t, path, server.Handlers{Stop: func(ctx context.Context, _ ctl.StopRequest) (ctl.StopReport, error) {
		close(asked)
		select {
		case <-ctx.Done():
			ended <- context.Cause(ctx)
		case <-time.After(200 * time.Millisecond): // the server notices a disconnect much sooner
			ended <- nil
		}
		return ctl.StopReport{}, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, _, err := (ctl.Client{Path: path}).Stop(ctx, ctl.StopRequest{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("the client: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the stop: %v", err)
	}
}

// Serve returns soon, and without an error, though a client is connected and idle.
func TestServeEndsIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		listener := &oneClient{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		listener.conn <- theirs
		go func() { served <- server.Serve(ctx, listener, server.Handlers{}) }()
		synctest.Wait()
		begin := time.Now()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if _, err := ours.Read(make([]byte, 1)); err == nil {
			t.Error("the client got an answer")
		}
		if took := time.Since(begin); took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// oneClient is a listener whose connections come from a channel.
type oneClient struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneClient) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conn:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneClient) Addr() net.Addr { return &net.UnixAddr{} }

func (l *oneClient) Close() error {
	close(l.closed)
	return nil
}

func TestServeOnAClosedListener(t *testing.T) {
	listener, err := unixsock.Listen(socket(t))
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := server.Serve(t.Context(), listener, server.Handlers{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
