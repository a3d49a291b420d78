package ctl

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// CrashRequest says what a crash bundle contains.
type CrashRequest struct {
	// Reason is why the bundle is collected, in one line. Client.Crash does not send it: its
	// bundles are "requested".
	Reason string
	// Output is the folder that the bundle becomes, an absolute path at which nothing exists.
	// Default: a new one below the folder of the machine's journals.
	Output string
	// Dump adds the guest's memory.
	Dump bool
	// NMI sends a non-maskable interrupt after SysRq. The guest may panic.
	NMI bool
	// Force takes the writer's seat of the console on which SysRq keys are typed.
	Force bool
}

// CrashBundle describes a crash bundle. Without Folder, it is the content of the bundle's
// index.json.
type CrashBundle struct {
	// Folder is the path of the bundle.
	Folder string `json:"folder,omitempty"`
	// VM is the name of the machine.
	VM string `json:"vm"`
	// Reason is why the bundle was collected: "panicked: Kernel panic - not syncing: …",
	// "requested".
	Reason string `json:"reason"`
	// Time is when.
	Time time.Time `json:"time"`
	// RunState is QEMU's run state then: "running", "guest-panicked", "paused". Only a guest
	// that runs gets SysRq keys.
	RunState string `json:"runState"`
	// Files are the files besides index.json.
	Files []CrashFile `json:"files"`
	// Problems are what could not be collected, and why, in a line each.
	Problems []string `json:"problems,omitempty"`
}

// CrashFile is a file of a crash bundle.
type CrashFile struct {
	Name  string `json:"name"`
	About string `json:"about"` // what it contains
	Bytes int64  `json:"bytes"`
}

// Crash collects a crash bundle of the machine and returns its description.
func (c Client) Crash(ctx context.Context, request CrashRequest) (CrashBundle, error) {
	query := url.Values{}
	for name, value := range map[string]bool{"dump": request.Dump, "nmi": request.NMI, "force": request.Force} {
		if value {
			query.Set(name, strconv.FormatBool(value))
		}
	}
	if request.Output != "" {
		query.Set("output", request.Output)
	}
	var bundle CrashBundle
	code, err := c.do(ctx, http.MethodPost, "/crash?"+query.Encode(), &bundle)
	return bundle, wantOK(code, err)
}
