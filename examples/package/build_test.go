package main

import (
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestPrograms_PrintTheRelease(t *testing.T) {
	_, dir := shell(t, `tar -xzf "$1" --strip-components 1`, one(t, "*_linux_"+runtime.GOARCH+".tar.gz"))
	for _, p := range programs {
		output, err := exec.Command(filepath.Join(dir, p.name), "--version").Output()
		if want := fmt.Sprintf("%s %s (%s)\n", p.name, version, runtime.Version()); err != nil || string(output) != want {
			t.Errorf("%q, %v; want %q", output, err, want)
		}
	}
}

func TestPrograms_AreStaticAndStripped(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		_, dir := shell(t, `tar -xzf "$1" --strip-components 1`, one(t, "*_linux_"+arch+".tar.gz"))
		for _, p := range programs {
			program, err := elf.Open(filepath.Join(dir, p.name))
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			dynamic := slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
			if program.Machine != machine || dynamic || program.Section(".symtab") != nil {
				t.Errorf("%s for %s: %v, dynamic: %v, symbols: %v",
					p.name, arch, program.Machine, dynamic, program.Section(".symtab"))
			}
		}
	}
}

func TestBOMs_HaveTheLinkedModules(t *testing.T) {
	data, err := os.ReadFile(one(t, "*_linux_amd64_comet-fcgi.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	type component struct{ Name, Version string }
	var bom struct {
		BOMFormat  string
		Metadata   struct{ Component component }
		Components []component
	}
	if err := json.Unmarshal(data, &bom); err != nil {
		t.Fatal(err)
	}
	if want := (component{"novcomet", version}); bom.BOMFormat != "CycloneDX" || bom.Metadata.Component != want {
		t.Errorf("%s %v, want CycloneDX %v", bom.BOMFormat, bom.Metadata.Component, want)
	}
	var names []string
	licences, _ := shell(t, `tar -xOzf "$1" --wildcards '*/LICENCES'`, one(t, "*_linux_amd64.tar.gz"))
	for _, c := range bom.Components {
		names = append(names, c.Name)
		if c.Name != "std" && !strings.Contains(licences, "\n"+c.Name+" "+c.Version+", ") {
			t.Errorf("no licence of %v", c)
		}
	}
	for _, name := range []string{"std", "github.com/redis/go-redis/v9", "golang.org/x/sys"} {
		if !slices.Contains(names, name) {
			t.Errorf("%q does not have %s", names, name)
		}
	}
}

func TestLicenceFiles_RefusesAModuleWithoutOne(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if paths, err := licenceFiles(dir, root); err == nil {
		t.Errorf("%q, no error", paths)
	}
	want := filepath.Join(root, "a", "COPYING.txt")
	if err := os.WriteFile(want, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if paths, err := licenceFiles(dir, root); err != nil || !slices.Equal(paths, []string{want}) {
		t.Errorf("%q, %v", paths, err)
	}
}
