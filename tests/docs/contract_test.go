package docs

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"microvm-console/tests/internal/harness"
)

// contractTable returns the rows of a table in docs/contract.md.
func contractTable(t *testing.T, heading string) []harness.Row {
	t.Helper()
	return harness.TableRows(t, "docs/contract.md", heading)
}

// jsonFields returns the names of the JSON fields of the structs in a Go file, as the tables
// write them. nested has the prefix of the fields of each struct, by the name of the struct.
func jsonFields(t *testing.T, file string, nested map[string]string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(harness.Root, file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok {
			return true
		}
		structure, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, field := range structure.Fields.List {
			tag := ""
			if field.Tag != nil {
				tag = reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json")
			}
			if name, _, _ := strings.Cut(tag, ","); name != "" && name != "-" {
				fields = append(fields, nested[spec.Name.Name]+name)
			}
		}
		return true
	})
	return fields
}

// compareNames compares the names of a table's rows with those of the code.
func compareNames(t *testing.T, rows []harness.Row, want []string) {
	t.Helper()
	var got []string
	for _, r := range rows {
		got = append(got, r.Code(0)...)
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("docs/contract.md lacks %s", name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("docs/contract.md has %s, the code does not", name)
		}
	}
}

// vmFields has the prefixes of the fields of vm.json in the tables.
var vmFields = map[string]string{"Machine": "", "Console": "consoles[].", "Disk": "disks[].", "Share": "shares[]."}

// vmFiles are the files of package vmconfig that define these fields.
var vmFiles = []string{"machine.go", "disks.go", "shares.go"}

// plainVM returns a vm.json whose field is changed next. A field of a list is in its first entry.
func plainVM(field string) map[string]any {
	vm := map[string]any{
		"name": "plain", "machine": "q35", "accel": "tcg", "kernel": "bzImage",
		"consoles": []any{map[string]any{"name": "serial", "device": "ttyS0", "port": 4440}},
		"disks":    []any{map[string]any{"name": "data", "path": "disk.img", "fs": "ext4"}},
		"shares":   []any{map[string]any{"source": ".", "target": "/src", "driver": "9p"}},
	}
	if field == "ports" {
		delete(vm, "consoles") // ports is for a vm.json without consoles
	}
	list, _, _ := strings.Cut(field, "[].")
	for _, other := range []string{"disks", "shares"} {
		if list != other || list == field {
			delete(vm, other)
		}
	}
	return vm
}

// set sets a field of a vm.json to a JSON value, or removes it if the value is "".
func set(vm map[string]any, field, value string) {
	place := vm
	if list, inner, ok := strings.Cut(field, "[]."); ok {
		place, field = vm[list].([]any)[0].(map[string]any), inner
	}
	delete(place, field)
	if value == "" {
		return
	}
	if field == "sizeMiB" {
		delete(place, "path") // they exclude each other
	}
	place[field] = json.RawMessage(value)
}

// TestContractOfVMJSON checks the table of vm.json: it lists every field, the default is
// right, and QEMU's command line has what the table says.
func TestContractOfVMJSON(t *testing.T) {
	t.Parallel()
	harness.OwnFolders(t)
	rows := contractTable(t, "`vm.json` = `mkMicrovm`")
	var fields []string
	for _, file := range vmFiles {
		fields = append(fields, jsonFields(t, "go/internal/vmconfig/"+file, vmFields)...)
	}
	compareNames(t, rows, fields)

	run := harness.Tool(t, "microvm-run")
	dir := t.TempDir()
	harness.Must(t, dir, "bash", "-c", "mkdir other && { head -c 510 /dev/zero; printf '\\125\\252'; head -c 2096640 /dev/zero; } >disk.img && { head -c 56 /dev/zero; printf ARMd; } >Image && { head -c 514 /dev/zero; printf HdrS; } >bzImage && cp bzImage other && touch initrd && printf '#!/bin/sh\n' >my-qemu && chmod +x my-qemu")
	// dryRun returns the command line of QEMU for a plain machine with one field changed.
	dryRun := func(field, value string, flags ...string) (string, error) {
		vm := plainVM(field)
		if value == `"aarch64"` {
			vm = map[string]any{"name": "plain", "accel": "tcg", "kernel": "Image"}
		}
		set(vm, field, value)
		if field == "image" && value != "" {
			delete(vm, "kernel") // an image replaces it
		}
		text, err := json.Marshal(vm)
		if err != nil {
			t.Fatalf("%s: %s: %v", field, value, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "vm.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return harness.Command(t, dir, run, append([]string{"--config", "vm.json", "--dry-run"}, flags...)...)
	}
	for _, r := range rows {
		field := r.Code(0)[0]
		without, err := dryRun(field, "")
		leftAlone := without
		if value := r.Code(1); len(value) > 0 { // else the default cannot be written
			leftAlone, _ = dryRun(field, value[0])
		}
		switch {
		case strings.HasPrefix(r[1], "required") != (err != nil):
			t.Errorf("%s is %s, but the error without it is %v", field, r[1], err)
		case leftAlone != without:
			t.Errorf("the default of %s is not %s:\n%s\n%s", field, r[1], without, leftAlone)
		}
		gets, flags := r.Code(3), []string(nil)
		switch len(gets) {
		case 0: // the field does not change the command line
			gets = []string{oneLine(without)}
		case 2:
			gets, flags = gets[1:], gets[:1]
		}
		with, err := dryRun(field, r.Code(2)[0], flags...)
		if err != nil || !strings.Contains(oneLine(with), gets[0]) {
			t.Errorf("with %s = %s, QEMU does not get %q: %v\n%s", field, r.Code(2)[0], gets[0], err, with)
		}
	}
}

// TestContractOfImages checks that the table lists every field of an image, and that QEMU gets what
// the table says.
func TestContractOfImages(t *testing.T) {
	t.Parallel()
	rows := contractTable(t, "`image` = `image` of `mkMicrovm`")
	compareNames(t, rows, jsonFields(t, "go/internal/vmconfig/image.go", nil))
	run, dir := harness.Tool(t, "microvm-run"), t.TempDir()
	harness.Must(t, dir, "bash", "-c", "{ head -c 510 /dev/zero; printf '\\125\\252'; head -c 2096640 /dev/zero; } >disk.img && cp disk.img other.img")
	for _, r := range rows {
		image := map[string]any{"path": "disk.img", r.Code(0)[0]: json.RawMessage(r.Code(2)[0])}
		vm, err := json.Marshal(map[string]any{"name": "plain", "accel": "tcg", "image": image})
		if err != nil {
			t.Fatal(err)
		}
		harness.WriteFile(t, filepath.Join(dir, "vm.json"), string(vm))
		with := harness.Must(t, dir, run, "--config", "vm.json", "--dry-run")
		if gets := r.Code(3)[0]; !strings.Contains(oneLine(with), gets) {
			t.Errorf("with %s = %s, QEMU does not get %q:\n%s", r.Code(0)[0], r.Code(2)[0], gets, with)
		}
	}
}

// oneLine returns a command that was printed on several lines as one line.
func oneLine(command string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(command, "\\\n", " ")), " ")
}

// TestContractOfNetwork checks that the table lists every field of a network.
func TestContractOfNetwork(t *testing.T) {
	t.Parallel()
	compareNames(t, contractTable(t, "field of `network`"),
		jsonFields(t, "go/internal/vmconfig/network.go", map[string]string{"Forward": "forward[]."}))
}

// TestContractOfChecks checks that the table lists every field of a check.
func TestContractOfChecks(t *testing.T) {
	t.Parallel()
	var rows []harness.Row
	for _, r := range contractTable(t, "field of a check") {
		for _, name := range r.Code(0) {
			rows = append(rows, harness.Row{"`" + name + "`"})
		}
	}
	compareNames(t, rows, jsonFields(t, "go/internal/vmconfig/check.go", nil))
}

// TestContractOfTheImage checks that the table lists every field of guest.json.
func TestContractOfTheImage(t *testing.T) {
	t.Parallel()
	rows := contractTable(t, "`guest.json` of `microvm-initrd` = `guest` of `mkMicrovm`")
	compareNames(t, rows, jsonFields(t, "go/internal/initrd/image.go", map[string]string{"File": "files[].", "Service": "services[]."}))
}

// TestContractOfFiles checks that a running VM has exactly the files of the table.
func TestContractOfFiles(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	vm := harness.Start(t, harness.DemoProgram(t, "microvm-run"), "--auto-ports")
	vm.Expect(`hvc0 +tcp`, 1)
	// Once the journal has a line, every file that is created at the start exists.
	harness.Must(t, harness.Root, "bash", "-c", "until grep -q . "+dir+"/state/microvm/console-demo/serial/*.log; do sleep 0.05; done")
	found := filesBelow(t, filepath.Join(dir, "microvm", "console-demo"))
	found = append(found, filesBelow(t, filepath.Join(dir, "state", "microvm", "console-demo"))...)
	harness.Must(t, harness.Root, harness.DemoProgram(t, "microvm-shutdown"), "--force")

	var listed []string
	for _, r := range contractTable(t, "file") {
		listed = append(listed, r.Code(0)...)
	}
	for _, name := range found {
		if !slices.Contains(listed, name) {
			t.Errorf("docs/contract.md lacks the file %s", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(found, name) && !slices.Contains(notInThisVM, name) {
			t.Errorf("docs/contract.md has the file %s, a running VM does not: %q", name, found)
		}
	}
}

// notInThisVM are the files of the table that a VM has only after an error, or if it is asked for
// them.
var notInThisVM = []string{"<console>/gaps", "gdb", "initrd"}

// segmentPattern matches the name of a journal segment.
var segmentPattern = regexp.MustCompile(`[0-9]{20}\.[0-9]{6}\.log`)

// filesBelow returns the files below the folder of a VM, as the table writes them.
func filesBelow(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	for _, path := range strings.Fields(harness.Must(t, folder, "find", ".", "-mindepth", "1", "!", "-type", "d", "-printf", `%P\n`)) {
		path = segmentPattern.ReplaceAllString(path, "<offset>.<boot>.log")
		for _, console := range []string{"serial/", "console/"} {
			path = strings.Replace(path, console, "<console>/", 1)
		}
		found = append(found, path)
	}
	return found
}

// TestContractOfServices checks that the unit of a VM has what the table says.
func TestContractOfServices(t *testing.T) {
	t.Parallel()
	run, dir := harness.Tool(t, "microvm-run"), t.TempDir()
	harness.Must(t, dir, "bash", "-c", "{ head -c 514 /dev/zero; printf HdrS; } >bzImage")
	harness.WriteFile(t, filepath.Join(dir, "vm.json"), `{"name": "plain", "kernel": "bzImage", "qemu": "sh"}`)
	for _, r := range contractTable(t, "flag of `microvm-run units` = option of `services.microvm-console.vms.<name>`") {
		args, flags := []string{"--config", "vm.json"}, strings.Fields(r.Code(2)[0])
		if flags[0] == "--name" {
			args = append(append(args, flags...), "units", "--system")
		} else {
			args = append(append(args, "units", "--system"), flags...)
		}
		if unit := harness.Must(t, dir, run, args...); !strings.Contains(unit, "\n"+r.Code(3)[0]+"\n") {
			t.Errorf("with %s, the unit lacks %s:\n%s", r.Code(2)[0], r.Code(3)[0], unit)
		}
	}
}

// channelFields has the prefixes of the fields of the settings in the tables.
var channelFields = map[string]string{"Settings": "", "Channel": "channels.<name>."}

// TestContractOfChannels checks that the table lists every setting of the relays, and the
// units, QEMU's arguments and the endpoints of each channel.
func TestContractOfChannels(t *testing.T) {
	t.Parallel()
	dir := harness.OwnFolders(t)
	compareNames(t, contractTable(t, "settings file = option of `services.qemu-relay`"),
		jsonFields(t, "go/internal/settings/settings.go", channelFields))

	bin := filepath.Join(harness.Build(t, "tools"), "bin")
	config := filepath.Join(dir, "config.json")
	harness.WriteFile(t, config, `{"directory": "`+dir+`/endpoints", "channels": {"com2": {}}}`)
	harness.Setenv(t, "QEMU_RELAY_CONFIG", config)
	harness.Must(t, dir, "mkdir", "endpoints")
	harness.Must(t, dir, filepath.Join(bin, "qemu-relay"), "units", "--output", "units")

	// This QEMU prints its arguments and the endpoints, and exits.
	qemu := filepath.Join(dir, "qemu-system-x86_64")
	if err := os.WriteFile(qemu, []byte("#!/bin/sh\necho \"$@\"\nls "+dir+"/endpoints\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	harness.Setenv(t, "QEMU", qemu)
	printed := harness.Must(t, dir, filepath.Join(bin, "run-qemu"), "-m", "64")
	for _, r := range contractTable(t, "channel") {
		unit, endpoints := r.Code(1)[0], r.Code(3)[0]
		harness.Must(t, dir, "test", "-f", filepath.Join("units", unit))
		argument := strings.Replace(r.Code(2)[0], "…", filepath.Join(dir, "qemu-relay"), 1)
		if !strings.Contains(printed, argument) {
			t.Errorf("QEMU does not get %q:\n%s", argument, printed)
		}
		stem, endings, _ := strings.Cut(strings.TrimSuffix(endpoints, "}"), "{")
		for _, ending := range strings.Split(endings, ",") {
			if !strings.Contains(printed, stem+ending+"\n") {
				t.Errorf("missing endpoint %s:\n%s", stem+ending, printed)
			}
		}
	}
}

// routePattern matches a route of the control socket in the code.
var routePattern = regexp.MustCompile(`"((?:GET|POST) /[a-z/]+)": *{`)

// TestContractOfHTTP checks that the table lists exactly the routes of the control socket.
func TestContractOfHTTP(t *testing.T) {
	t.Parallel()
	source := harness.ReadFile(t, filepath.Join(harness.Root, "go", "internal", "ctl", "server", "server.go"))
	var routes []string
	for _, match := range routePattern.FindAllStringSubmatch(source, -1) {
		routes = append(routes, match[1])
	}
	rows := contractTable(t, "request")
	for _, r := range rows {
		r[0], _, _ = strings.Cut(r[0], "?")
		r[0] = "`" + strings.Trim(r[0], "`") + "`"
	}
	compareNames(t, rows, routes)
}
