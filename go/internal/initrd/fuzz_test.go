package initrd

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A valid image.json is the same after it was written and decoded again. Its names are single words,
// and its paths are clean.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"busybox": "b", "hostname": "h"}`))
	f.Add([]byte(`{"busybox": "b", "modulesDir": "m", "modules": ["a", "b-c"], "optionalModules": ["d"],
		"gettys": ["ttyS0", "hvc0"], "hostname": "console-demo", "start": "echo hello", "agent": "a",
		"files": [{"path": "/a", "text": "x", "mode": "0755"}, {"path": "/b/c", "source": "/s"}]}`))
	f.Add([]byte(`{"busybox": "b", "hostname": "h", "services": [{"name": "web", "run": "httpd -f"}], "packages": ["/p"]}`))
	f.Add([]byte(`{"busybox": "b", "hostname": "h", "files": [{"path": "/a/./b"}, {"path": "//"}, {"path": "/.."}, {"path": "/\u0000"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Decode(data)
		if err != nil {
			if !IsImageError(err) {
				t.Error(err)
			}
			return
		}
		img.Modules, img.OptionalModules, img.Files = append([]string{}, img.Modules...), append([]string{}, img.OptionalModules...), append([]File{}, img.Files...)
		img.Services, img.Packages = append([]Service{}, img.Services...), append([]string{}, img.Packages...)
		written, err := json.Marshal(img) // without null for empty lists
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(written)
		if diff := cmp.Diff(img, again); diff != "" || err != nil {
			t.Errorf("%s: %v%s", written, err, diff)
		}
		var services []string
		for _, service := range img.Services {
			services = append(services, service.Name)
		}
		for _, name := range slices.Concat(services, img.Gettys, img.Modules, img.OptionalModules, []string{img.Hostname}) {
			if len(strings.Fields(name)) != 1 || strings.ContainsAny(name, "/.'\"$\\;|&:#\x00") {
				t.Errorf("name %q", name)
			}
		}
		for _, file := range img.Files {
			mode, err := file.mode()
			if file.Path == "/" || path.Clean(file.Path) != file.Path || file.Path[0] != '/' || strings.Contains(file.Path, "\x00") || mode > 0o777 || err != nil {
				t.Errorf("file %+v", file)
			}
		}
	})
}

// Only an ELF file is accepted as a static program, and only a busybox with all applets.
func FuzzPrograms(f *testing.F) {
	header := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x3e\x00\x01" + strings.Repeat("\x00", 43)
	f.Add([]byte(header[:52]+"\x40\x00\x38"+header[55:]+"\x00"+strings.Join(applets, "\x00")+"\x00"), uint8(0))
	f.Add([]byte("#!/bin/sh\n"), uint8(3))
	f.Fuzz(func(t *testing.T, program []byte, which uint8) {
		if err := checkStatic(program); err == nil && !bytes.HasPrefix(program, []byte("\x7fELF")) {
			t.Errorf("%q is a program", program)
		}
		applet := []byte("\x00" + applets[int(which)%len(applets)] + "\x00")
		for bytes.Contains(program, applet) {
			program = bytes.ReplaceAll(program, applet, []byte("\x00"))
		}
		if checkBusybox(program) == nil {
			t.Errorf("%q is a busybox without %q", program, applet)
		}
	})
}
