package core_test

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/access"
)

// summary returns a query as "publish ID", or as "ID=cursor … wait N".
func summary(q core.Query) string {
	if !q.Publish.IsZero() {
		return "publish " + q.Publish.String()
	}
	var parts []string
	for _, s := range q.Subscriptions {
		parts = append(parts, s.ID.String()+"="+s.Cursor.String())
	}
	if q.MaxWait >= 0 {
		parts = append(parts, "wait "+q.MaxWait.String())
	}
	return strings.Join(parts, " ")
}

func TestParseQuery_ReadsAsPHP(t *testing.T) {
	for query, want := range map[string]string{
		"publish=a": "publish a",
		"subscribed[a]=1763800000&subscribed[b]=1763800001": "a=1763800000 b=1763800001",
		"?subscribed[a]=1": "",
		"&subscribed[a]=1763800000&subscribed[b]=5&1763800009":          "a=1763800000 b=5",
		"subscribed%5Ba%5D=1&subscribed%5bb%5d=2":                       "a=1 b=2",
		"subscribed[a b]=1&subscribed[c+d]=2&subscribed[e%20f]=3":       "a b=1 c d=2 e f=3",
		"subscribed[a;b]=1;2":                                           "a;b=12",
		"subscribed[%C3%A9]=1":                                          "é=1",
		"subscribed[b]=1&subscribed[a]=2&subscribed[b]=3":               "b=3 a=2",
		"subscribed[0]=1&subscribed[1]=2":                               "0=1 1=2",
		"publish=a&subscribed[b]=1":                                     "publish a",
		"subscribed[b]=1&publish=a":                                     "publish a",
		"publish=a&format=html":                                         "publish a",
		"subscribed[../b]=1&publish=a":                                  "publish a",
		"publish=a&publish=b":                                           "publish b",
		"publish=a%2Bb":                                                 "publish a+b",
		"publish=100%":                                                  "publish 100%",
		"publish=%zz%41":                                                "publish %zzA",
		"publish=%zz+b":                                                 "publish %zz b",
		"publish=a'b\"<c>":                                              "publish a'b\"<c>",
		"publish=&publish[]=x&subscribed=5&subscribed[a&subscribed[]=1": "",
		"publish":                      "",
		"subscribed[a]":                "a=0",
		"subscribed[a]=":               "a=0",
		"subscribed[a]=%2B5":           "a=5",
		"subscribed[a]=now":            "a=now",
		"subscribed[a]=1.5":            "a=1.500000",
		"subscribed[a]=now&wait=0":     "a=now wait 0s",
		"subscribed[a]=now&wait=1.5":   "a=now wait 1.5s",
		"subscribed[a]=now&wait=":      "a=now",
		"subscribed[a]=now&wait=1e99":  "a=now wait 277777h46m40s",
		"subscribed[a]=now&other=1&_=": "a=now",
		"1763800000":                   "",
		"subscribed[a]b=1":             "a=1",
	} {
		q, err := core.ParseQuery(query)
		if err != nil || summary(q) != want {
			t.Errorf("ParseQuery(%q) = %q, %v; want %q", query, summary(q), err, want)
		}
	}
}

func TestParseQuery_ReadsTokensDataFormatAndLastEventID(t *testing.T) {
	q, err := core.ParseQuery("token=a.b.c%2A&token=&token=d&data=1&lastEventId=1.5%2C2&subscribed[a]=now")
	if err != nil || !reflect.DeepEqual(q.Tokens, []string{"a.b.c*", "d"}) || !q.Data || q.LastEventID != "1.5,2" {
		t.Errorf("%+v, %v", q, err)
	}
	for query, want := range map[string]bool{
		"data=1": true, "data=yes": true, "data=0": false, "data=": false, "data=1&data=0": false,
	} {
		if q, err := core.ParseQuery(query); err != nil || q.Data != want {
			t.Errorf("%s: %v, %v; want %v", query, q.Data, err, want)
		}
	}
	for query, want := range map[string]access.Format{
		"format=raw": access.Raw, "data=0&format=%74urbo": access.Turbo,
		"format=": access.Native, "format=raw&format=": access.Native,
	} {
		q, err := core.ParseQuery(query)
		if err != nil || q.Format != want || q.Data != (want != access.Native) {
			t.Errorf("%s: %q, data: %v, %v; want %q", query, q.Format, q.Data, err, want)
		}
	}
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestParseQuery_NamesWhatIsWrong(t *testing.T) {
	for query, want := range map[string]string{
		"publish=../a":                                           `this id is not allowed: "../a"`,
		"publish=a%00b":                                          `this id is not allowed: "a\x00b"`,
		"publish=a&publish=.b":                                   `".b"`,
		"subscribed[a]=1&subscribed[b/c]=1":                      `"b/c"`,
		"subscribed[a][b]=1":                                     `bad query: "subscribed[a][b]": subscriptions don't nest`,
		"subscribed[a][]=1":                                      `"subscribed[a][]"`,
		"subscribed[a]=1.":                                       `not a cursor: "1."`,
		"subscribed[a]=now&wait=soon":                            `bad query: wait="soon"`,
		"subscribed[a]=now&wait=-1":                              `wait="-1"`,
		"subscribed[a]=now&format=html":                          `bad query: format="html": give raw or turbo`,
		"subscribed[a]=now&wait=NaN":                             `wait="NaN"`,
		numbered(core.MaxSubscriptions+1, "subscribed[%d]=now&"): "more than 1000 ids",
		numbered(core.MaxTokens+1, "token=%d&"):                  "more than 100 tokens",
	} {
		if _, err := core.ParseQuery(query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseQuery(%.60q): %v; want %q", query, err, want)
		}
	}
}

// A query that was parsed means the same when it is written and parsed again, and its ids are file names.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"publish=a", "subscribed[a]=1&subscribed[b]=now&wait=0", "?&subscribed[a]=1&1763800000", "subscribed%5Ba%5D=1.5",
		"publish=..%2f..%2fetc", "subscribed[a][b]=1", "subscribed[a;b+c]=-5", "%zz=%", "subscribed[%]]=1", "wait=0.0001",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := core.ParseQuery(raw)
		if err != nil {
			return
		}
		if q.MaxWait > 0 && q.MaxWait < time.Millisecond {
			t.Errorf("waits %v", q.MaxWait)
		}
		written := "publish=" + url.QueryEscape(q.Publish.String())
		for _, s := range q.Subscriptions {
			if name := s.ID.String(); strings.ContainsAny(name, "/\x00]") || name == "" || name[0] == '.' {
				t.Errorf("%q is not a file name, or contains a bracket", name)
			}
			written += "&subscribed[" + url.QueryEscape(s.ID.String()) + "]=" + s.Cursor.String()
		}
		again, err := core.ParseQuery(written)
		if err != nil || again.Publish != q.Publish || !reflect.DeepEqual(q.Subscriptions, again.Subscriptions) {
			t.Errorf("%q: written as %q it is read as %+v, %v; want %+v", raw, written, again, err, q)
		}
	})
}
