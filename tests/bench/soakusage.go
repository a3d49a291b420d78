package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sampleEvery is how often it is looked what the processes use.
const sampleEvery = 10 * time.Second

// watch takes samples until ctx ends.
func (s *soak) watch(ctx context.Context) {
	for pause(ctx, sampleEvery) == nil {
		s.sample(false)
	}
}

func (s *soak) daemons() (all []*daemon) {
	for _, vm := range s.vms {
		all = append(all, vm.daemon)
	}
	for _, relay := range s.relays {
		all = append(all, relay.daemon)
	}
	return all
}

// sample takes a sample of all processes, and of the journals' disk.
func (s *soak) sample(quiet bool) {
	for _, d := range s.daemons() {
		if err := d.sample(quiet); err != nil {
			s.fault("%v", err)
		}
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Join(s.work, "state"), &disk); err != nil {
		s.fault("statfs: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[1] = int64(disk.Blocks-disk.Bfree) * disk.Bsize; !s.full {
		s.used[0] = max(s.used[0], s.used[1])
	}
}

// progress is a line after each cycle.
func (s *soak) progress(number int) {
	var words []string
	for _, d := range s.daemons() {
		if life := d.lives[len(d.lives)-1]; len(life.samples) > 0 {
			last := life.samples[len(life.samples)-1]
			words = append(words, fmt.Sprintf("%s %.1f MiB %d", strings.TrimPrefix(d.role, "microvm-run "), last.rss, last.descriptors))
		}
	}
	fmt.Fprintf(os.Stderr, "%4.0f s  cycle %d: %s; journals %d MiB\n",
		time.Since(s.begin).Seconds(), number, strings.Join(words, ", "), s.used[1]>>20)
}

// memory is what a daemon's processes had in memory, MiB: medians.
type memory struct{ second, last float64 }

// flat reports whether memory does not grow: 10 % and 2 MiB are left to chance.
func (m memory) flat() bool { return m.last <= 1.1*m.second+2 }

// memoryBetween is that of the second and of the last quarter of a time, of all
// processes that ran then.
func memoryBetween(lives []*life, begin, end time.Time) memory {
	var quarters [4][]float64
	for _, life := range lives {
		for _, sample := range life.samples {
			quarter := int(4 * sample.time.Sub(begin) / (end.Sub(begin) + 1))
			quarters[min(max(0, quarter), 3)] = append(quarters[min(max(0, quarter), 3)], sample.rss)
		}
	}
	return memory{spreadOf(quarters[1]).median, spreadOf(quarters[3]).median}
}

// longLife is the age from which on the quarters of one process's life are compared too.
const longLife = 10 * time.Minute

// worstLife is the memory of the process that grew most, of those that lived long.
func (d *daemon) worstLife() (worst memory, long int) {
	for _, l := range d.lives {
		if len(l.samples) == 0 || l.samples[len(l.samples)-1].time.Sub(l.begun) < longLife {
			continue
		}
		m := memoryBetween([]*life{l}, l.begun, l.samples[len(l.samples)-1].time)
		if long++; long == 1 || m.last-1.1*m.second > worst.last-1.1*worst.second {
			worst = m
		}
	}
	return worst, long
}

// descriptors are those at the quiet moments: of each process, how many it had at the
// first one, and the most that any had more than that, or less.
func (d *daemon) descriptors() (first []int, most int) {
	for _, life := range d.lives {
		begun := false
		for _, sample := range life.samples {
			switch {
			case !sample.quiet:
			case !begun:
				begun, first = true, append(first, sample.descriptors)
			default:
				more := sample.descriptors - first[len(first)-1]
				most = max(most, more, -more)
			}
		}
	}
	slices.Sort(first)
	return slices.Compact(first), most
}
