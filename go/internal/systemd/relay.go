package systemd

import "fmt"

// Relay is the user service of the relay of one channel.
type Relay struct {
	// Channel is the channel's name.
	Channel string
	// Program is the absolute path of qemu-relay.
	Program string
	// Config is the absolute path of the settings file. If it is "", the relay searches
	// for one when it starts.
	Config string
}

// Unit returns the unit of the relay. It has no option that needs a user namespace: with one the
// relay could not see which process has opened a FIFO, and might have another /tmp.
func (r Relay) Unit() Unit {
	command := []string{r.Program, "serve"}
	if r.Config != "" {
		command = append(command, "--config", r.Config)
	}
	return Unit{
		Name: "qemu-" + r.Channel + "-relay.service", Maker: "qemu-relay", Program: r.Program,
		Body: fmt.Sprintf(relayText, r.Channel, commandLine(append(command, r.Channel))),
	}
}

// Status 2 is a wrong configuration, which a restart does not repair. Without
// GOTRACEBACK=crash a Go panic would give the same status. LimitCORE=0 because a core dump
// would contain what was typed. MemoryMax and TasksMax are far above the needs of a relay
// with many clients (about 12 kB for each, and a thread for each one that waits for a disk).
// The link to the pseudoterminal is in RuntimeDirectory=, which systemd removes even after
// the relay was killed.
const relayText = `[Unit]
Description=Relay of QEMU's %[1]s channel
Documentation=man:qemu-relay(1)
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=%[2]s
Environment=GOTRACEBACK=crash
Restart=always
RestartSec=200ms
RestartPreventExitStatus=2
WatchdogSec=30s
FileDescriptorStoreMax=16
RuntimeDirectory=qemu-%[1]s-relay
RuntimeDirectoryMode=0700
LimitCORE=0
MemoryMax=1G
TasksMax=1024
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
`
