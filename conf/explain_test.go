package conf_test

import (
	"os"
	"slices"
	"testing"

	"novcomet/conf"
)

func TestExplainSaysWhereEachValueComesFrom(t *testing.T) {
	path := write(t, "tries: 7\nsleep: 3\nsocket:\n  group: www-data\n")
	values, file, err := conf.Explain(conf.Source{File: path, Environ: []string{"COMET_SLEEP=500ms", "COMET_MAX_WAITING=9"},
		Flags: map[string]string{"listen": "127.0.0.1:9000"}})
	if err != nil || file != path {
		t.Fatalf("file %q, %v; want %q", file, err, path)
	}
	want := map[string]conf.Value{
		"tries":        {Value: "7", From: path},
		"sleep":        {Value: "500ms", From: "environment variable COMET_SLEEP"},
		"socket.group": {Value: "www-data", From: path},
		"max_waiting":  {Value: "9", From: "environment variable COMET_MAX_WAITING"},
		"listen":       {Value: "127.0.0.1:9000", From: "flag --listen"},
		"store":        {Value: "files", From: conf.FromDefault},
	}
	var order, shipped []string
	for _, v := range values {
		order = append(order, v.Key)
		if w, ok := want[v.Key]; ok && (v.Value != w.Value || v.From != w.From) {
			t.Errorf("%+v, want %+v", v, w)
		}
		if _, ok := want[v.Key]; !ok && v.From != conf.FromDefault {
			t.Errorf("%+v, which nothing sets", v)
		}
	}
	for _, k := range keys {
		shipped = append(shipped, k.key)
	}
	if !slices.Equal(order, shipped) {
		t.Errorf("the keys are\n%q\nwant those of comet.yaml, in its order:\n%q", order, shipped)
	}
}

func TestExplainShowsABadValueButNotABadName(t *testing.T) {
	values, _, err := conf.Explain(conf.Source{File: os.DevNull, Environ: []string{"COMET_TRIES=many"}})
	if err != nil || values[0] != (conf.Value{Key: "tries", Value: "many", From: "environment variable COMET_TRIES"}) {
		t.Errorf("%+v, %v", values[:1], err)
	}
	for _, from := range []conf.Source{
		{File: "/nonexistent/comet.yaml"},
		{File: write(t, "trys: 1\n")},
		{File: os.DevNull, Environ: []string{"COMET_TRYS=1"}},
	} {
		if values, _, err := conf.Explain(from); err == nil {
			t.Errorf("%+v: no error but %d values", from, len(values))
		}
	}
}
