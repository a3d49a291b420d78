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

// describe returns a description of the machine and the versions of the programs.
func describe(b *bench) map[string]string {
	return map[string]string{
		"command":    b.command,
		"date":       time.Now().Format(time.DateOnly),
		"processor":  fmt.Sprintf("%d x %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name")),
		"memory":     field("/proc/meminfo", "MemTotal"),
		"kernel":     outputOf("uname", "-sr"),
		"system":     strings.Trim(field("/etc/os-release", "PRETTY_NAME"), `"`),
		"journal":    outputOf("stat", "-f", "-c", "%T", b.work),
		"tcp":        strings.TrimSpace(read("/proc/sys/net/ipv4/tcp_congestion_control")),
		"load":       first(read("/proc/loadavg"), regexp.MustCompile(`^\S+`)),
		"go":         runtime.Version(),
		"qemu-relay": outputOf(b.relay, "--version"),
		"socat":      first(outputOf("socat", "-V"), regexp.MustCompile(`version \S+`)),
		"ser2net":    first(outputOf("ser2net", "-v"), regexp.MustCompile(`version \S+`)),
		"conserver":  first(outputOf("conserver", "-V"), regexp.MustCompile(`version \S+`)),
	}
}

// outputOf returns the output of a program, or "not installed".
func outputOf(name string, args ...string) string {
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

// field returns the value of a line `name: value` or `name=value` of a file.
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
