package soak

import (
	"errors"
	"testing"
)

func TestPage_RefusesAnswersThatDoNotFitThePoll(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   kind
		data   bool
		answer string
		want   error
	}{
		{"a change", precise, false, `{"s":1,"k":{"a":1000.000002},"at":{"a":"1000.000002","b":"1000.000001"}}`, nil},
		{"data", precise, true, `{"s":1,"k":{"a":1000.000002},"d":{"a":1},"at":{"a":"1000.000002","b":"1000.000001"}}`, nil},
		{"a part of a stream", stream, false, `{"s":1,"k":{"a":1000.000002},"at":{"a":"1000.000002"}}`, nil},
		{"a second", legacy, false, `{"s":1,"k":{"a":1000}}`, nil},
		{"the event of another client in k", precise, false,
			`{"s":1,"k":{"c":1000.000002},"at":{"a":"1000.000001","b":"1000.000001"}}`, errInvalid},
		{"the event of another client in k and at", stream, false, `{"s":1,"k":{"c":1000.000002},"at":{"c":"1000.000002"}}`,
			errInvalid},
		{"the event of another client, legacy", legacy, false, `{"s":1,"k":{"c":1000}}`, errInvalid},
		{"two stamps of an event", precise, false,
			`{"s":1,"k":{"a":1000.000002},"at":{"a":"1000.000001","b":"1000.000001"}}`, errInvalid},
		{"data that was not asked for", precise, false,
			`{"s":1,"k":{"a":1000.000002},"d":{"a":1},"at":{"a":"1000.000002","b":"1000.000001"}}`, errInvalid},
		{"data of an event that has not changed", precise, true,
			`{"s":1,"k":{"a":1000.000002},"d":{"b":1},"at":{"a":"1000.000002","b":"1000.000001"}}`, errInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &page{pageRecord: pageRecord{Kind: test.kind, IDs: []string{"a", "b"}}, data: test.data,
				cursors: map[string]string{"a": "1000.000001", "b": "1000.000001"}}
			if err := p.read([]byte(test.answer)); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}
