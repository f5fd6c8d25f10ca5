package core_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"novcomet/core"
)

// told is a query as this table writes it: "publish ID", or "ID=cursor …", with " wait N" behind where it is set.
func told(q core.Query) string {
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

func TestAQueryIsReadAsPHPReadIt(t *testing.T) {
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
		"subscribed[../b]=1&publish=a":                                  "publish a",
		"publish=a&publish=b":                                           "publish b",
		"publish=a%2Bb":                                                 "publish a+b",
		"publish=100%":                                                  "publish 100%",
		"publish=%zz%41":                                                "publish %zzA",
		"publish=a'b\"<c>":                                              "publish a'b\"<c>",
		"publish=&publish[]=x&subscribed=5&subscribed[a&subscribed[]=1": "",
		"publish":                      "",
		"subscribed[a]":                "a=0",
		"subscribed[a]=":               "a=0",
		"subscribed[a]=x":              "a=0",
		"subscribed[a]=-":              "a=0",
		"subscribed[a]=0":              "a=0",
		"subscribed[a]=-5":             "a=-5",
		"subscribed[a]=%2B5":           "a=5",
		"subscribed[a]=1a2b3":          "a=123",
		"subscribed[a]=12-3":           "a=12",
		"subscribed[a]=now":            "a=now",
		"subscribed[a]=NOW":            "a=0",
		"subscribed[a]=1.5":            "a=1.500000",
		"subscribed[a]=1.123456":       "a=1.123456",
		"subscribed[a]=0.000000":       "a=0.000000",
		"subscribed[a]=now&wait=0":     "a=now wait 0s",
		"subscribed[a]=now&wait=1.5":   "a=now wait 1.5s",
		"subscribed[a]=now&wait=":      "a=now",
		"subscribed[a]=now&other=1&_=": "a=now",
		"1763800000":                   "",
		"subscribed[a]b=1":             "a=1",
	} {
		q, err := core.ParseQuery(query)
		if err != nil || told(q) != want {
			t.Errorf("ParseQuery(%q) = %q, %v; want %q", query, told(q), err, want)
		}
	}
}

func TestABadQueryIsAnErrorThatNamesWhatIsWrong(t *testing.T) {
	thousandAndOne := make([]string, core.MaxSubscriptions+1)
	for i := range thousandAndOne {
		thousandAndOne[i] = fmt.Sprintf("subscribed[%d]=now", i)
	}
	for query, want := range map[string]struct {
		sentinel error
		names    string
	}{
		"publish=../a":                                    {core.ErrID, "../a"},
		"publish=a%00b":                                   {core.ErrID, `a\x00b`},
		"publish=a&publish=.b":                            {core.ErrID, ".b"},
		"subscribed[a]=1&subscribed[b/c]=1":               {core.ErrID, "b/c"},
		"subscribed[a][b]=1":                              {core.ErrQuery, "subscribed[a][b]"},
		"subscribed[a][]=1":                               {core.ErrQuery, "subscribed[a][]"},
		"subscribed[a]=1.":                                {core.ErrCursor, "1."},
		"subscribed[a]=.5":                                {core.ErrCursor, ".5"},
		"subscribed[a]=1.1234567":                         {core.ErrCursor, "1.1234567"},
		"subscribed[a]=-1.5":                              {core.ErrCursor, "-1.5"},
		"subscribed[a]=1.5.5":                             {core.ErrCursor, "1.5.5"},
		"subscribed[a]=1e9.5":                             {core.ErrCursor, "1e9.5"},
		"subscribed[a]=" + strings.Repeat("9", 20) + ".5": {core.ErrCursor, "99999"},
		"subscribed[a]=now&wait=soon":                     {core.ErrQuery, "soon"},
		"subscribed[a]=now&wait=-1":                       {core.ErrQuery, "-1"},
		"subscribed[a]=now&wait=NaN":                      {core.ErrQuery, "NaN"},
		strings.Join(thousandAndOne, "&"):                 {core.ErrQuery, "1000"},
	} {
		_, err := core.ParseQuery(query)
		if !errors.Is(err, want.sentinel) || !strings.Contains(err.Error(), want.names) {
			t.Errorf("ParseQuery(%.60q): %v; want %v that names %q", query, err, want.sentinel, want.names)
		}
	}
}

func TestTAsFarAwayAsTIsGetsIsKeptCountable(t *testing.T) {
	for _, value := range []string{"99999999999999999999", "-99999999999999999999", "9223372036854775807"} {
		q, err := core.ParseQuery("subscribed[a]=" + value)
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if kept := strings.TrimPrefix(q.Subscriptions[0].Cursor.String(), "-"); len(kept) != 13 {
			t.Errorf("T %s became %s; want 13 digits", value, kept)
		}
	}
}

func TestAThousandIDsAreReadInOrder(t *testing.T) {
	var parameters []string
	for i := range core.MaxSubscriptions {
		parameters = append(parameters, fmt.Sprintf("subscribed[event-%d]=now", i))
	}
	q, err := core.ParseQuery(strings.Join(parameters, "&"))
	if err != nil || len(q.Subscriptions) != core.MaxSubscriptions {
		t.Fatalf("%d subscriptions, %v", len(q.Subscriptions), err)
	}
	if last := q.Subscriptions[core.MaxSubscriptions-1].ID.String(); last != "event-999" {
		t.Errorf("the last one is %q", last)
	}
}

// Whatever parses, survives encoding and parsing again, and its ids are file names in the directory.
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
		ids := []core.ID{q.Publish}
		for _, s := range q.Subscriptions {
			ids = append(ids, s.ID)
		}
		for _, id := range ids {
			if name := id.String(); strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") || len(name) > core.MaxID {
				t.Errorf("%q got through", name)
			}
		}
		if q.MaxWait > 0 && q.MaxWait < time.Millisecond {
			t.Errorf("waits %v", q.MaxWait)
		}
		again, err := core.ParseQuery(q.Encode())
		if err != nil || !reflect.DeepEqual(q, again) {
			t.Errorf("%q: encoded as %q it is read as %+v, %v; want %+v", raw, q.Encode(), again, err, q)
		}
	})
}
