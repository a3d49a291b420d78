package initrd

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// services returns the scripts of the services, which guest/etc/service runs.
func services(img Image) []Entry {
	var entries []Entry
	for _, service := range img.Services {
		entries = append(entries, Entry{
			Path: "etc/services/" + service.Name, Mode: 0o755, Data: []byte("#!/bin/busybox sh\n" + service.Run + "\n"),
		})
	}
	return entries
}

// validateServices validates the services, and that their names differ.
func validateServices(all []Service, wrong wrongFunc) {
	seen := map[string]bool{}
	for i, service := range all {
		field := fmt.Sprintf("services[%d]", i)
		switch {
		case !moduleForm.MatchString(service.Name):
			wrong(field+".name", "invalid name %q: want letters, digits, hyphens and underscores", service.Name)
		case seen[service.Name]:
			wrong(field+".name", "%q is listed twice", service.Name)
		}
		seen[service.Name] = true
		if strings.TrimSpace(service.Run) == "" {
			wrong(field+".run", "is missing (set it to the command that runs, and stays in the foreground)")
		}
	}
}

// addPackages adds a link for each program of the packages. If two packages have a program of the
// same name, the link is to that of the first.
func (t tree) addPackages(img Image) error {
	linked := map[string]bool{}
	for i, dir := range img.Packages {
		programs, err := os.ReadDir(filepath.Join(dir, "bin"))
		if err != nil {
			return imageErrorf("packages[%d]: %w (name a directory with programs in its bin)", i, err)
		}
		for _, program := range programs {
			if linked[program.Name()] {
				continue
			}
			linked[program.Name()] = true
			link := Entry{
				Path: "usr/bin/" + program.Name(), Mode: fs.ModeSymlink | 0o777, Data: []byte(path.Join(dir, "bin", program.Name())),
			}
			if err := t.put(link); err != nil {
				return err
			}
		}
	}
	return nil
}

// validatePackages validates that the packages have the same path on the host and in the guest.
func validatePackages(all []string, wrong wrongFunc) {
	for i, dir := range all {
		if !filepath.IsAbs(dir) {
			wrong(fmt.Sprintf("packages[%d]", i), "%q is not an absolute path (the guest has the package under the same path)", dir)
		}
	}
}
