package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// describe tells on which machine, and with what, it is measured.
func describe(b *bench) map[string]string {
	return map[string]string{
		"command":    b.command,
		"date":       time.Now().Format(time.DateOnly),
		"rounds":     fmt.Sprint(b.rounds),
		"processor":  fmt.Sprintf("%d x %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name")),
		"memory":     field("/proc/meminfo", "MemTotal"),
		"kernel":     said("uname", "-sr"),
		"system":     strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`),
		"journal":    said("stat", "-f", "-c", "%T", b.work),
		"load":       first(read("/proc/loadavg"), regexp.MustCompile(`^\S+`)),
		"go":         runtime.Version(),
		"qemu-relay": said(b.relay, "--version"),
		"socat":      first(said("socat", "-V"), regexp.MustCompile(`version \S+`)),
		"ser2net":    first(said("ser2net", "-v"), regexp.MustCompile(`version \S+`)),
		"conserver":  first(said("conserver", "-V"), regexp.MustCompile(`version \S+`)),
	}
}

// said is what a program prints; "not installed" where there is none.
func said(name string, args ...string) string {
	text, err := exec.Command(name, args...).CombinedOutput()
	if err != nil && len(text) == 0 {
		return "not installed"
	}
	return strings.TrimSpace(string(text))
}

func read(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// field is the value of a line `name: value` or `name=value`.
func field(path, name string) string {
	for line := range strings.Lines(read(path)) {
		if rest, found := strings.CutPrefix(line, name); found {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:="))
		}
	}
	return "unknown"
}

func first(text string, wanted *regexp.Regexp) string {
	if found := wanted.FindString(text); found != "" {
		return found
	}
	return text
}
