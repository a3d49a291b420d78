package systemd

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// VM is the service of one VM: a user service, or a system service.
type VM struct {
	// Name is the name of the VM. The service is microvm-NAME.service.
	Name string
	// Program is the absolute path of microvm-run, and Args are its arguments.
	Program string
	Args    []string
	// System is set for a system service. The fields User, KVM and Group are for such a service.
	System bool
	// User is the user of the service, who must exist. If it is "", systemd makes one for the
	// time that the service runs (DynamicUser= in systemd.exec(5)).
	User string
	// KVM adds the group kvm, which must exist, and may open /dev/kvm and /dev/vhost-vsock.
	KVM bool
	// Group is a group whose members may use the VM. If it is "", only root may.
	Group string
	// Restart is one of Restarts, and RestartSeconds the time before a restart.
	Restart        string
	RestartSeconds int
}

// Restarts are the values of VM.Restart; see Restart= in systemd.service(5).
var Restarts = []string{"no", "on-failure", "always"}

// accountName matches the names of users and groups that systemd accepts without a warning.
var accountName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,30}$`)

// Validate returns an error if a field is invalid, or is only for system services.
func (v VM) Validate() error {
	for field, name := range map[string]string{"user": v.User, "group": v.Group} {
		switch {
		case name == "":
		case !v.System:
			return fmt.Errorf("%s: only a system service has one (add --system)", field)
		case !accountName.MatchString(name):
			return fmt.Errorf("%s: invalid name %q", field, name)
		}
	}
	if !slices.Contains(Restarts, v.Restart) {
		return fmt.Errorf("restart: unknown word %q (choose %s)", v.Restart, strings.Join(Restarts, ", "))
	}
	if v.RestartSeconds < 1 {
		return fmt.Errorf("restart-seconds: %d is too small (at least 1)", v.RestartSeconds)
	}
	return v.Unit().Validate()
}

// Unit returns the unit of the VM.
func (v VM) Unit() Unit {
	var text strings.Builder
	mode, umask, target := "0700", "0077", "default.target"
	if v.Group != "" {
		mode, umask = "0750", "0027"
	}
	fmt.Fprintf(&text, vmText, v.Name, commandLine(append([]string{v.Program}, v.Args...)), v.Restart, v.RestartSeconds, umask)
	if v.System {
		target = "multi-user.target"
		text.WriteString(v.account())
		fmt.Fprintf(&text, systemText, v.Name, mode)
	}
	fmt.Fprintf(&text, "\n[Install]\nWantedBy=%s\n", target)
	return Unit{Name: "microvm-" + v.Name + ".service", Maker: "microvm-run", Program: v.Program, Body: text.String()}
}

// account returns the lines with the user and the groups of a system service. The user of
// DynamicUser= sees the file system read-only, except for the folders of the service. A user
// that exists may have other files, such as disks.
func (v VM) account() string {
	lines := "DynamicUser=yes\n"
	if v.User != "" {
		lines = "User=" + v.User + "\nProtectSystem=full\n"
	}
	if v.Group != "" {
		lines += "Group=" + v.Group + "\n"
	}
	if v.KVM {
		lines += "SupplementaryGroups=kvm\n"
	}
	return lines
}

// KillMode=mixed sends SIGTERM to microvm-run only, which then stops the guest within 30 s. QEMU
// would end at once. The start has no time limit: a guest that never shows a login is in use
// all the same. Status 2 is a wrong vm.json, which a restart does not repair; without
// GOTRACEBACK=crash a Go panic would give the same status. LimitCORE=0 because a core dump
// would contain the guest's memory. There is no MemoryDenyWriteExecute, as TCG makes code, and
// nothing that needs a user namespace, which the user manager would have to make.
const vmText = `[Unit]
Description=microVM %[1]s
Documentation=man:microvm-run(1)

[Service]
Type=notify
NotifyAccess=main
ExecStart=%[2]s
Environment=GOTRACEBACK=crash
Restart=%[3]s
RestartSec=%[4]ds
RestartPreventExitStatus=2
TimeoutStartSec=infinity
TimeoutStopSec=45s
KillMode=mixed
LimitCORE=0
UMask=%[5]s
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
`

// There is no DevicePolicy=, since a VM may have a disk of the host, and no ProtectKernelModules=, which hides /lib/modules, where
// kernels are.
const systemText = `RuntimeDirectory=microvm/%[1]s
RuntimeDirectoryMode=%[2]s
StateDirectory=microvm/%[1]s
StateDirectoryMode=%[2]s
CacheDirectory=microvm/%[1]s
CacheDirectoryMode=0700
PrivateTmp=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
RestrictSUIDSGID=yes
`
