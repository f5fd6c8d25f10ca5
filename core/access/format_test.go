package access_test

import (
	"slices"
	"strings"
	"testing"

	"novcomet/core/access"
	"novcomet/core/internal/coretest"
)

func TestParseFormats(t *testing.T) {
	for names, want := range map[string][]access.Format{
		"": {}, "raw": {access.Raw}, "turbo,raw": {access.Turbo, access.Raw},
	} {
		got, err := access.ParseFormats(strings.FieldsFunc(names, func(r rune) bool { return r == ',' }))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", names, got, err, want)
		}
	}
	for _, name := range []string{"", "html", "RAW", " raw", "raw\n"} {
		if got, err := access.ParseFormats([]string{"turbo", name}); err == nil {
			t.Errorf("%q: %v; want an error", name, got)
		}
	}
}

// A page inserts what these streams carry as HTML.
func TestRules_DenyFormatsForWhatVisitorsPublish(t *testing.T) {
	raw := []access.Format{access.Raw}
	parse := func(globs ...string) access.Patterns { return coretest.Must(access.ParsePatterns(globs)) }
	nobody, chat, own := parse(), parse("chat-*"), parse("user:<user>:*")
	elsewhere := func(other access.Rules) access.Rules {
		return access.Rules{Publish: nobody, Formats: raw, Elsewhere: other.VisitorsPublish()}
	}
	for _, test := range []struct {
		name   string
		rules  access.Rules
		format access.Format
		ids    string
		reason string // "": allowed
	}{
		{"native", access.Rules{}, access.Native, "news", ""},
		{"not switched on", access.Rules{Publish: nobody}, access.Raw, "news",
			"format=raw is not allowed here (stream.formats)"},
		{"another one switched on", access.Rules{Publish: nobody, Formats: raw}, access.Turbo, "news",
			"format=turbo is not allowed here"},
		{"nobody publishes", access.Rules{Publish: nobody, Formats: raw}, access.Raw, "news chat-1", ""},
		{"everybody publishes", access.Rules{Formats: raw}, access.Raw, "news",
			`format=raw is not allowed for "news": visitors may publish it by URL (publish.allow)`},
		{"visitors publish another event", access.Rules{Publish: chat, Formats: raw}, access.Raw, "news", ""},
		{"visitors publish one of the events", access.Rules{Publish: chat, Formats: raw}, access.Raw, "news chat-1",
			`"chat-1"`},
		{"visitors publish by POST alone", access.Rules{Publish: chat, Formats: raw, Methods: []string{"POST"}}, access.Raw,
			"chat-1", `"chat-1"`},
		{"no method publishes", access.Rules{Formats: raw, Methods: []string{}}, access.Raw, "news", ""},
		{"users publish", access.Rules{Publish: own, Formats: raw}, access.Raw, "user:ann:1", `"user:ann:1"`},
		{"users publish another event", access.Rules{Publish: own, Formats: raw}, access.Raw, "news", ""},
		{"everybody publishes elsewhere", elsewhere(access.Rules{}), access.Raw, "news",
			`"news": visitors may publish it at another URL (publish.allow)`},
		{"nobody publishes elsewhere", elsewhere(access.Rules{Publish: nobody}), access.Raw, "news", ""},
	} {
		reason := test.rules.FormatDenied(test.format, subscriptions(test.ids))
		if !strings.Contains(reason, test.reason) || (reason == "") != (test.reason == "") {
			t.Errorf("%s: %q; want %q", test.name, reason, test.reason)
		}
	}
}
