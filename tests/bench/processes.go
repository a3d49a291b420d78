package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a process that was started here, or a descendant of one.
type process struct {
	pid   int
	began string // distinguishes it from a later process with the same ID
}

// tree returns a process and its descendants.
func tree(pid int) []process {
	parents := map[int][]process{}
	all, _ := os.ReadDir("/proc")
	var root process
	for _, entry := range all {
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		fields := stat(number)
		if fields == nil {
			continue
		}
		p := process{number, fields[19]}
		if number == pid {
			root = p
		}
		parent, _ := strconv.Atoi(fields[1])
		parents[parent] = append(parents[parent], p)
	}
	root.pid = pid
	found := []process{root}
	for i := 0; i < len(found); i++ {
		found = append(found, parents[found[i].pid]...)
	}
	return found
}

// stat returns the fields of /proc/PID/stat from the state on; see proc(5).
func stat(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(data[max(0, bytes.LastIndexByte(data, ')')):]), " ")
	return strings.Fields(rest)
}

// kill kills the process if it is still the same one.
func (p process) kill() {
	if fields := stat(p.pid); fields != nil && fields[19] == p.began {
		_ = unix.Kill(p.pid, unix.SIGKILL)
	}
}

// usage is the resource usage of processes.
type usage struct {
	cpu      time.Duration
	switches int64 // voluntary context switches: the number of wakeups
	pss, rss int64 // bytes: Pss_Anon, VmRSS
}

// used returns the usage of all processes of a setup except the guest.
func (s *setup) used() (u usage) {
	for _, command := range s.running {
		for _, p := range tree(command.Process.Pid) {
			u.add(p.pid)
		}
	}
	return u
}

// tick is the unit of times in /proc/PID/stat.
const tick = 10 * time.Millisecond

func (u *usage) add(pid int) {
	fields := stat(pid)
	if fields == nil {
		return
	}
	for _, field := range fields[11:15] { // utime and stime, of the process and of its children
		ticks, _ := strconv.Atoi(field)
		u.cpu += time.Duration(ticks) * tick
	}
	proc := fmt.Sprintf("/proc/%d/", pid)
	// Not all of Pss: it includes pages of the program file, which the kernel may reclaim at
	// any time, and which would then distort the usage of a channel.
	u.pss += number(proc+"smaps_rollup", "Pss_Anon:") << 10
	u.rss += number(proc+"status", "VmRSS:") << 10
	tasks, _ := os.ReadDir(proc + "task")
	for _, task := range tasks {
		u.switches += number(proc+"task/"+task.Name()+"/status", "voluntary_ctxt_switches:")
	}
}

// number returns the number after name in a file of /proc, or 0 if there is none.
func number(path, name string) int64 {
	data, _ := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, name); found {
			value, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return value
		}
	}
	return 0
}
