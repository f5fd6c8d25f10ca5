package core_test

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"novcomet/core"
)

func TestParseList(t *testing.T) {
	for text, want := range map[string][]string{
		"a": {"a"}, "a,b": {"a", "b"}, " a b ,\tc ": {"a b", "c"}, "none": {}, " none ": {}, "None": {"None"},
		"": nil, " ": nil, ",": nil, "a,": nil, ",a": nil, "a,,b": nil,
	} {
		got, err := core.ParseList(text)
		if !reflect.DeepEqual(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestUnmarshalText_ParsesAsTheFunctionsDo(t *testing.T) {
	patterns, _ := core.ParsePatterns([]string{"news", "user:<user>:*"})
	nothing, _ := core.ParsePatterns([]string{})
	origins, _ := core.ParseOrigins([]string{"https://a.example", "*"})
	nowhere, _ := core.ParseOrigins(nil)
	signed, _ := core.NewSigned([]string{"private-*", "b"}, nil)
	rate, _ := core.ParseRate("10/s")
	for _, test := range []struct {
		text string
		into encoding.TextUnmarshaler
		want any // nil: an error
	}{
		{"news, user:<user>:*", &core.Patterns{}, &patterns},
		{"none", &core.Patterns{}, &nothing},
		{"a,,b", &core.Patterns{}, nil},
		{"a/b", &core.Patterns{}, nil},
		{"https://a.example,*", &core.Origins{}, &origins},
		{"none", &core.Origins{}, &nowhere},
		{"example.com", &core.Origins{}, nil},
		{"private-*, b", &core.Signed{}, &signed},
		{"user:<user>:*", &core.Signed{}, nil},
		{"10/s", &core.Rate{}, &rate},
		{"none", &rate, &core.Rate{}},
		{"010/s", &core.Rate{}, nil},
	} {
		err := test.into.UnmarshalText([]byte(test.text))
		if (err == nil) != (test.want != nil) || err == nil && !reflect.DeepEqual(test.into, test.want) {
			t.Errorf("%q into %T: %+v, %v; want %+v", test.text, test.into, test.into, err, test.want)
		}
	}
}

func TestPatternsAndSigned_StringIsTheText(t *testing.T) {
	for _, text := range []string{"news, user:<user>:*, *, a", "none", "*"} {
		var p core.Patterns
		if err := p.UnmarshalText([]byte(text)); err != nil || p.String() != text {
			t.Errorf("patterns %q: %q, %v", text, p, err)
		}
	}
	var s core.Signed
	if err := s.UnmarshalText([]byte("private-*, *")); err != nil || s.String() != "private-*, *" {
		t.Errorf("signed: %q, %v", s, err)
	}
	if p, s := (core.Patterns{}).String(), (core.Signed{}).String(); p != "*" || s != "none" {
		t.Errorf("the zero values: %q, %q", p, s)
	}
}

func TestSigned_NoFormatPrintsASecret(t *testing.T) {
	s, err := core.NewSigned([]string{"private-*"}, []string{secret})
	if err != nil {
		t.Fatal(err)
	}
	type settings struct{ Signed core.Signed }
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		text := fmt.Sprintf(format, settings{s})
		for _, shown := range []string{secret, fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprint([]byte(secret)),
			"[]")} {
			if strings.Contains(text, shown) {
				t.Errorf("%s prints %s", format, text)
			}
		}
	}
}
