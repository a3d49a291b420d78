package guest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"microvm-console/tests/internal/harness"
)

const (
	stormLanes   = 10 // clients at once, half of them on each console
	stormClients = 10 // of each lane, one after the other
)

// stormStep is how much more than the one before it a client reads, in bytes,
// at most: ttyS0 prints about 20 KB in a boot, hvc0 less than 1 KB.
var stormStep = [2]int{4096, 160}

// visitor is one client after the other of a console that boots.
type visitor struct {
	address string
	step    int
	random  *rand.Rand
	booted  *atomic.Int64 // how many bytes the boot has printed, once it is through
	visits  []visit
}

// visit is one client's.
type visit struct {
	data  []byte
	early bool // it left before the boot was through
	err   error
}

// 100 clients come while the guest boots, read in pieces of random sizes, and
// leave at random moments: each has got its range, which begins with the boot.
func TestClientsComeAndGo(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
	vm.Expect(`console  hvc0   tcp localhost:\d+`, 1)
	booting := harness.Consoles(t, dir)
	var booted [2]atomic.Int64
	var clients sync.WaitGroup
	lanes := make([]*visitor, stormLanes)
	for lane := range lanes {
		lanes[lane] = &visitor{
			address: net.JoinHostPort("127.0.0.1", strconv.Itoa(booting[lane%2].Port)),
			step:    stormStep[lane%2],
			random:  rand.New(rand.NewPCG(2026, uint64(lane))),
			booted:  &booted[lane%2],
		}
		clients.Go(lanes[lane].run)
	}
	for _, console := range booting {
		harness.Login(harness.Start(t, "nc.openbsd", "-U", console.Relay.Socket))
	}
	for place, console := range harness.Consoles(t, dir) {
		booted[place].Store(console.Relay.End)
	}
	clients.Wait()
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"))
	vm.Status()
	journals := [2][]byte{booting[0].ReadJournal(t), booting[1].ReadJournal(t)}
	early, read := 0, 0
	for lane, visitor := range lanes {
		for i, visit := range visitor.visits {
			if visit.err != nil || !bytes.HasPrefix(journals[lane%2], visit.data) {
				t.Errorf("client %d of %s: %d bytes that are not the first ones of the boot: %v",
					i, visitor.address, len(visit.data), visit.err)
			}
			if read += len(visit.data); visit.early {
				early++
			}
		}
	}
	t.Logf("%d of %d clients left while the guest booted; they read %d bytes in all", early, stormLanes*stormClients, read)
	if early < stormClients {
		t.Error("the boot was through before they came")
	}
}

// run has the clients come.
func (v *visitor) run() {
	seen := 0
	for range stormClients {
		data, err := v.visit(v.random.IntN(seen + v.step))
		v.visits = append(v.visits, visit{data, v.booted.Load() == 0, err})
		seen = max(seen, len(data))
	}
}

// visit connects, reads want bytes in pieces of random sizes, and leaves. Where
// the boot has printed fewer, those are all.
func (v *visitor) visit(want int) ([]byte, error) {
	conn, err := net.Dial("tcp", v.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	late := time.Now().Add(harness.WaitLimit)
	var data []byte
	for {
		if all := int(v.booted.Load()); all > 0 {
			want = min(want, all)
		}
		if len(data) >= want {
			return data, nil
		}
		piece := make([]byte, min(1+v.random.IntN(1500), want-len(data)))
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // to look again
		n, err := conn.Read(piece)
		data = append(data, piece[:n]...)
		if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(late)) {
			return data, err
		}
	}
}
