package conf

import (
	"reflect"
	"testing"

	"github.com/go-viper/mapstructure/v2"
)

func TestAListIsCommasOrYAMLsOwn(t *testing.T) {
	for _, l := range []struct {
		value any
		want  []string // nil: refused
	}{
		{"a", []string{"a"}},
		{"a,b", []string{"a", "b"}},
		{" a b ,\tc ", []string{"a b", "c"}},
		{"none", []string{}},
		{" none ", []string{}},
		{"None", []string{"None"}},
		{"", nil}, {" ", nil}, {",", nil}, {"a,", nil}, {",a", nil}, {"a,,b", nil},
		{[]any{}, []string{}},
		{[]any{"a, b", "none"}, []string{"a, b", "none"}},
	} {
		config := mapstructure.DecoderConfig{Result: &[]string{"from", "another", "layer"}}
		strictly(&config)
		decoder, err := mapstructure.NewDecoder(&config)
		if err != nil {
			t.Fatal(err)
		}
		err = decoder.Decode(l.value)
		if got := *config.Result.(*[]string); (err == nil) != (l.want != nil) || err == nil && !reflect.DeepEqual(got, l.want) {
			t.Errorf("%q: %q, %v; want %q", l.value, got, err, l.want)
		}
	}
}

// Decoding one location's list must not write into that of the configuration, which all requests share.
func TestAListIsNotWrittenIntoAnother(t *testing.T) {
	shared := []string{"a", "b"}
	copied := shared
	config := mapstructure.DecoderConfig{Result: &copied}
	strictly(&config)
	decoder, err := mapstructure.NewDecoder(&config)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{"c", []any{"c"}} {
		if err := decoder.Decode(value); err != nil || shared[0] != "a" || copied[0] != "c" {
			t.Errorf("%q: %q, %q, %v", value, shared, copied, err)
		}
	}
}

// The messages for lists, and which element they name.
func TestAnErrorNamesTheElementThatIsWrong(t *testing.T) {
	l := list{func(Config) []string { return []string{"good", "bad"} }, func(e string) bool { return e == "good" }}
	if e, found := l.wrong(Config{}); e != "bad" || !found {
		t.Errorf("%q, %v", e, found)
	}
	empty := list{func(Config) []string { return []string{""} }, func(string) bool { return true }}
	if e, found := empty.wrong(Config{}); e != "" || !found {
		t.Errorf("the empty one: %q, %v", e, found)
	}
	if _, found := (list{}).wrong(Config{}); found {
		t.Error("the key of no list has a wrong element")
	}
	if got := written([]any{"a b", "c"}); got != `["a b", "c"]` {
		t.Errorf("shown as %s", got)
	}
}
