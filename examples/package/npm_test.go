package main

import (
	"strings"
	"testing"
)

func TestNPM_HasTheFilesOfNPMPack(t *testing.T) {
	archive := one(t, "novcomet-"+version+".tgz")
	got, _ := shell(t, `tar -tzf "$1" | sort`, archive)
	want, _ := shell(t, `npm pack --silent "$OLDPWD/../browser" >/dev/null && tar -tzf *.tgz | sort`, "")
	if got != want {
		t.Errorf("%q; npm pack makes %q", got, want)
	}
	manifest, _ := shell(t, `tar -xOzf "$1" package/package.json`, archive)
	if !strings.Contains(manifest, `"version": "`+version+`"`) {
		t.Errorf("another version: %s", manifest)
	}
}
