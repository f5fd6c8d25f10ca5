package main

import (
	"maps"
	"testing"
)

func TestTracked_HasNoOtherFiles(t *testing.T) {
	const files = "mkdir examples; touch examples/a 'examples/ü'; git add examples; touch examples/a~ b; "
	r := release{root: repository(t, files+"echo '*.b' >.gitignore; touch examples/a.b")}
	got, err := r.tracked("examples")
	if want := map[string]bool{"examples/a": true, "examples/ü": true, "": true}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	r = release{root: repository(t, files+"rm -r .git")}
	if got, err := r.tracked("examples"); got != nil || err != nil {
		t.Errorf("without a repository: %v, %v", got, err)
	}
}
