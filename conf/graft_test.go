package conf

import (
	"reflect"
	"testing"
)

// A key of a group that stayed flat would not reach its field.
func TestGroupsOfALocationsKeysAreNested(t *testing.T) {
	tree := map[string]any{}
	for _, key := range []string{"a", "g.a", "g.b", "g.h.c"} {
		graft(tree, key, key)
	}
	want := map[string]any{"a": "a", "g": map[string]any{"a": "g.a", "b": "g.b", "h": map[string]any{"c": "g.h.c"}}}
	if !reflect.DeepEqual(tree, want) {
		t.Errorf("%v", tree)
	}
}
