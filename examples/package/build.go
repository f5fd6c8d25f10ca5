package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/pkg/errors"
	"github.com/rs/zerolog"
)

// programs are the names of the programs and their packages.
var programs = []struct{ name, path string }{{"comet-fcgi", "./fcgi"}, {"comet.cgi", "./cgi"}}

// goCommand returns a go command for one architecture. No setting of this machine changes what it makes. An
// empty variable would not override go env -w, so GOFLAGS has a value.
func (r *release) goCommand(arch string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=-trimpath",
		"GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "GOEXPERIMENT=")
	cmd.Stderr = os.Stderr
	return cmd
}

// build builds the static programs for one architecture, in the directory temporary/arch.
func (r *release) build(temporary, arch string) (all []file, _ error) {
	for _, p := range programs {
		path := filepath.Join(temporary, arch, p.name)
		cmd := r.goCommand(arch, "build", "-buildvcs=false",
			"-ldflags=-s -w -buildid= -X novcomet/conf/build.version="+r.version, "-o", path, p.path)
		if err := cmd.Run(); err != nil {
			return nil, errors.Wrapf(err, "go build %s", p.path)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, errors.WithStack(err)
		}
		all = append(all, file{p.name, 0o755, data})
	}
	return all, nil
}

// boms writes a list of the linked modules of each program, in the form of CycloneDX. It has no time and no
// serial number, so that it is the same in each build.
func (r *release) boms(temporary, arch string) error {
	for _, p := range programs {
		generator, err := bin.NewGenerator(filepath.Join(temporary, arch, p.name),
			bin.WithIncludeStdlib(true), bin.WithVersionOverride(r.version), bin.WithLogger(zerolog.Nop()))
		if err != nil {
			return errors.WithStack(err)
		}
		name := fmt.Sprintf("novcomet_%s_linux_%s_%s.cdx.json", r.version, arch, p.name)
		err = r.write(name, func() ([]byte, error) {
			bom, err := generator.Generate()
			if err != nil {
				return nil, errors.WithStack(err)
			}
			var text bytes.Buffer
			err = cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
			return text.Bytes(), errors.WithStack(err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A goPackage is what go list prints of a package.
type goPackage struct {
	Dir    string
	Module *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// licences returns the licences of NovComet, of Go and of all linked modules. A linked module without one is
// an error.
func (r *release) licences() (file, error) {
	var text strings.Builder
	seen := map[string]bool{}
	add := func(title, path string) error {
		data, err := os.ReadFile(path)
		if err != nil || seen[path] {
			return errors.WithStack(err)
		}
		seen[path] = true
		fmt.Fprintf(&text, "%s\n%s, %s\n\n%s\n", strings.Repeat("=", 80), title, filepath.Base(path), data)
		return nil
	}
	if err := add("NovComet", filepath.Join(r.root, "LICENSE")); err != nil {
		return file{}, err
	}
	goroot, err := r.goCommand("", "env", "GOROOT").Output()
	if err != nil {
		return file{}, errors.Wrap(err, "go env")
	}
	if err := add("Go", filepath.Join(strings.TrimSpace(string(goroot)), "LICENSE")); err != nil {
		return file{}, err
	}
	for _, arch := range r.arches {
		output, err := r.goCommand(arch, "list", "-deps", "-json=Dir,Module", "./cgi", "./fcgi").Output()
		if err != nil {
			return file{}, errors.Wrap(err, "go list")
		}
		for packages := json.NewDecoder(bytes.NewReader(output)); packages.More(); {
			var p goPackage
			if err := packages.Decode(&p); err != nil {
				return file{}, errors.WithStack(err)
			}
			if p.Module == nil || p.Module.Main {
				continue
			}
			paths, err := licenceFiles(p.Dir, p.Module.Dir)
			if err != nil {
				return file{}, err
			}
			for _, path := range paths {
				if err := add(p.Module.Path+" "+p.Module.Version, path); err != nil {
					return file{}, err
				}
			}
		}
	}
	return file{"LICENCES", 0o644, []byte(text.String())}, nil
}

// licenceFiles returns the licences in a directory and above it, up to the root of the module.
func licenceFiles(dir, root string) (paths []string, _ error) {
	for ; strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, errors.WithStack(err)
		}
		for _, e := range entries {
			if isLicence(e) {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s has no licence: do not link this module", root)
	}
	return paths, nil
}

func isLicence(e fs.DirEntry) bool {
	name, _, _ := strings.Cut(strings.ToUpper(e.Name()), ".")
	switch name {
	case "LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS":
		return e.Type().IsRegular()
	}
	return false
}
