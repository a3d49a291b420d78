package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

// bench is one run of scripts/bench relay.
type bench struct {
	command string // the command line
	relay   string // path of qemu-relay
	before  string // path of an older build of it; "" for none
	work    string // folder for temporary files
	rounds  int
	moves   bool // measure only rates
	sizes   sizes
	chosen  []candidate
	absent  []string // names of programs that are not installed
	results results
	open    atomic.Pointer[setup] // the current one
}

// sizes has the amounts of data and the counts of a run.
type sizes struct {
	bytes       map[int]int64 // of the stream, by number of clients
	stalled     int64         // bytes
	trips       int
	late        time.Duration
	idle        time.Duration
	idleClients int
	idleBeside  int           // channels
	quiet       time.Duration // the time without data for any client that ends a measurement
}

// clientCounts has the numbers of clients that receive the same stream.
var clientCounts = []int{1, 10, 100}

var full = sizes{
	bytes:   map[int]int64{1: 512 << 20, 10: 128 << 20, 100: 24 << 20},
	stalled: 64 << 20, trips: 2000, late: 2 * time.Second, idle: 3 * time.Second, idleClients: 100, idleBeside: 32, quiet: 4 * time.Second,
}

var small = sizes{
	bytes:   map[int]int64{1: 64 << 20, 10: 16 << 20, 100: 2 << 20},
	stalled: 8 << 20, trips: 200, late: time.Second, idle: time.Second, idleClients: 20, idleBeside: 8, quiet: 4 * time.Second,
}

// choose selects the candidates whose names contain one of words and whose programs are
// installed.
func (b *bench) choose(words string) {
	for _, c := range candidates {
		wanted := c.name == limit || words == ""
		for word := range strings.SplitSeq(words, ",") {
			wanted = wanted || strings.Contains(c.name, word)
		}
		if !wanted || c.before && b.before == "" {
			continue
		}
		if _, err := exec.LookPath(c.program); c.program != "" && err != nil {
			b.absent = append(b.absent, c.program)
			b.results.cannot(c.name, "", c.program+" is not installed")
			continue
		}
		b.chosen = append(b.chosen, c)
	}
}

// standingRounds is the number of rounds for measurements that vary little.
const standingRounds = 2

// longest is the time after which no further round begins.
const longest = 6 * time.Minute

// all measures everything. An error of a candidate is a result too.
func (b *bench) all() *results {
	b.results.Machine = describe(b)
	begin := time.Now()
	for round := range b.rounds {
		if time.Since(begin) > longest {
			break
		}
		b.results.Machine["rounds"] = fmt.Sprint(round + 1)
		for _, c := range b.chosen {
			fmt.Fprintf(os.Stderr, "%4.0f s  round %d of %d: %s\n", time.Since(begin).Seconds(), round+1, b.rounds, c.name)
			b.moving(c)
			if !b.moves && round < standingRounds {
				b.standing(c)
			}
		}
	}
	b.results.Machine["seconds"] = fmt.Sprintf("%.0f", time.Since(begin).Seconds())
	return &b.results
}

// moving measures rates.
func (b *bench) moving(c candidate) {
	for _, clients := range clientCounts {
		name := fmt.Sprintf("rate %d", clients)
		if c.clients > 0 && clients > c.clients {
			b.results.cannot(c.name, name, "its readers share the bytes")
			continue
		}
		rate, cpu, lost, err := b.rate(c, clients, b.sizes.bytes[clients])
		if b.results.failed(c.name, name, err) {
			continue
		}
		b.results.add(c.name, name, rate)
		b.results.add(c.name, fmt.Sprintf("lost %d", clients), lost)
		if c.start != nil {
			b.results.add(c.name, fmt.Sprintf("cpu %d", clients), cpu)
		}
	}
	p50, p99, err := b.roundTrips(c, b.sizes.trips)
	if !b.results.failed(c.name, "p50", err) {
		b.results.add(c.name, "p50", p50)
		b.results.add(c.name, "p99", p99)
	}
}

// standing measures what varies little.
func (b *bench) standing(c candidate) {
	if c.start == nil {
		return
	}
	missed, err := b.late(c, b.sizes.late)
	if !b.results.failed(c.name, "late", err) {
		b.results.add(c.name, "late", missed)
	}
	var result idle
	if err := b.idleClients(c, b.sizes.idleClients, b.sizes.idle, &result); !b.results.failed(c.name, "idle", err) {
		b.results.add(c.name, "idle cpu", result.cpu)
		b.results.add(c.name, "idle wakeups", result.wakeups)
		if c.name != "socat, FIFO pair" {
			b.results.add(c.name, "client pss", result.pssClient)
			b.results.add(c.name, "client rss", result.rssClient)
		}
	}
	if c.name == oursTCP {
		b.results.cannot(c.name, "channel pss", "as above")
	} else if err := b.idleChannels(c, b.sizes.idleBeside, &result); !b.results.failed(c.name, "channel", err) {
		b.results.add(c.name, "channel pss", result.pssChannel)
		b.results.add(c.name, "channel rss", result.rssChannel)
	}
	if c.clients == 1 {
		b.results.cannot(c.name, "stalled", "its readers share the bytes")
		return
	}
	beside, lost, err := b.stalled(c, b.sizes.stalled)
	if !b.results.failed(c.name, "stalled", err) {
		b.results.add(c.name, "stalled", beside)
		b.results.add(c.name, "stalled lost", lost)
	}
	alone, _, _, err := b.rate(c, 1, b.sizes.stalled)
	if !b.results.failed(c.name, "alone", err) {
		b.results.add(c.name, "alone", alone)
	}
}
