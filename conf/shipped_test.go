package conf

import (
	"reflect"
	"testing"
)

func TestTheShippedTextMeansTheSameWithoutItsComments(t *testing.T) {
	whole, err := parse(YAML)
	if err != nil {
		t.Fatal(err)
	}
	if bare := shipped().values; !reflect.DeepEqual(bare, whole) || len(bare) != len(keys()) {
		t.Errorf("without comments: %v; with them: %v", bare, whole)
	}
}
