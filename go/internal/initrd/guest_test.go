package initrd

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"microvm-console/internal/testsupport/initrdtest"
)

func TestInittabOfAnImageWithAnAgent(t *testing.T) {
	with, without := inittab(Image{Gettys: []string{"ttyS0"}, Agent: "a"}), inittab(Image{Gettys: []string{"ttyS0"}})
	want := strings.Replace(string(without), "::ctrlaltdel:", "null::respawn:/bin/microvm-agent\n::ctrlaltdel:", 1)
	if diff := cmp.Diff(want, string(with)); diff != "" {
		t.Error(diff)
	}
}

func TestInittabOf(t *testing.T) {
	want := `::sysinit:/etc/rc
null::respawn:/etc/login-on ttyS0
null::respawn:/bin/busybox syslogd -n
null::respawn:/etc/power-button
::ctrlaltdel:/bin/busybox reboot
::shutdown:/etc/end
`
	if diff := cmp.Diff(want, string(inittab(Image{Gettys: []string{"ttyS0"}}))); diff != "" {
		t.Error(diff)
	}
}

// Image.Start runs once.
func TestStart(t *testing.T) {
	image := tree{}
	if err := image.addGuest(Image{Hostname: "h", Start: "echo hello"}); err != nil {
		t.Fatal(err)
	}
	if table := string(image["etc/inittab"].Data); !strings.Contains(table, "\nnull::once:/etc/run-start\n") {
		t.Error(table)
	}
	start := image["etc/start"]
	if want := "#!/bin/busybox sh\necho hello\n"; string(start.Data) != want || start.Mode != 0o755 {
		t.Errorf("%v %q", start.Mode, start.Data)
	}
}

// Every script must run by /bin/busybox, since the links for the applets do not exist before /etc/rc.
func TestGuestScripts(t *testing.T) {
	image := tree{}
	if err := image.addGuest(Image{Hostname: "h"}); err != nil {
		t.Fatal(err)
	}
	var scripts []string
	for _, e := range image.sorted() {
		first, _, _ := strings.Cut(string(e.Data), "\n")
		if e.Mode.IsRegular() && e.Mode.Perm()&0o111 != 0 {
			scripts = append(scripts, e.Path+" "+first)
		}
	}
	want := []string{
		"etc/acpi/PWRF/00000080 #!/bin/busybox sh",
		"etc/devices #!/bin/busybox sh",
		"etc/disk #!/bin/busybox sh",
		"etc/end #!/bin/busybox sh",
		"etc/login-on #!/bin/busybox sh",
		"etc/network #!/bin/busybox sh",
		"etc/power-button #!/bin/busybox sh",
		"etc/rc #!/bin/busybox sh",
		"etc/run-start #!/bin/busybox sh",
		"etc/service #!/bin/busybox sh",
		"etc/share #!/bin/busybox sh",
		"usr/sbin/shutdown #!/bin/busybox sh",
	}
	if diff := cmp.Diff(want, scripts); diff != "" {
		t.Error(diff)
	}
}

func TestCheckBusybox(t *testing.T) {
	script := []byte("#!/bin/sh\n")
	_, invalid := elf.NewFile(bytes.NewReader(script)) // its text changes with the version of Go
	tests := []struct {
		name    string
		program []byte
		want    []string
	}{
		{"all applets", initrdtest.Busybox(applets...), nil},
		{"a script", script, []string{fmt.Sprint("not a program: ", invalid)}},
		{"two applets missing", initrdtest.Busybox(without(applets, "login", "sh")...), []string{
			`has no applet "login"`,
			`has no applet "sh"`,
		}},
		{"dynamic", initrdtest.Program(string(initrdtest.Busybox(applets...)), true), []string{
			"dynamically linked, but the image has no libraries (use a static busybox)",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, initrdtest.Mistakes(checkBusybox(test.program), "-")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// without returns list without some of its elements.
func without(list []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(some, s) })
}
