package core_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"novcomet/core"
	"novcomet/core/internal/coretest"
)

func TestAnswer_EncodesEveryIDAsAJSONString(t *testing.T) {
	memory := coretest.NewMemory()
	endpoint := newEndpoint(memory, core.Location{})
	for _, name := range []string{`a"b`, `back\slash`, "<script>", "日本", "a&b", "\u2028", "0"} {
		memory.Set(name, time.Unix(5, 0))
		_, body := ask(t, endpoint, "subscribed["+url.QueryEscape(name)+"]=0.0")
		var answer struct {
			K  map[string]float64
			At map[string]string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.K[name] != 5 || answer.At[name] != "5.000000" {
			t.Errorf("%q is answered with %s, %v", name, body, err)
		}
	}
}

func TestAnswer_HasAThousandEventsInTheOrderOfTheQuery(t *testing.T) {
	memory := coretest.NewMemory()
	k, at := "", ""
	for i := range core.MaxSubscriptions {
		memory.Set(fmt.Sprintf("event %d", i), coretest.Start)
		k += fmt.Sprintf(`,"event %d":{0.0}`, i)
		at += fmt.Sprintf(`,"event %d":"{0.0}"`, i)
	}
	query := numbered(core.MaxSubscriptions, "subscribed[event+%d]=0.0&")
	status, body := ask(t, newEndpoint(memory, core.Location{}), query)
	want := coretest.Times(`{"s":1,"k":{` + k[1:] + `},"at":{` + at[1:] + `}}`)
	if status != http.StatusOK || body != want {
		t.Errorf("HTTP %d %s; want %s", status, body, want)
	}
}

func TestAnswer_ContainsDataOnRequest(t *testing.T) {
	const without = `{"s":1,"k":{"a":{0.0}},"at":{"a":"{0.0}"}}`
	const with = `{"s":1,"k":{"a":{0.0}},"d":{"a":{"x":"y"}},"at":{"a":"{0.0}"}}`
	memory := coretest.NewMemory()
	memory.Set("a", coretest.Start)
	memory.SetData("a", "{\n\"x\": \"y\" }\n")
	endpoint := newEndpoint(memory, core.Location{})
	for query, want := range map[string]string{
		"subscribed[a]=0.0&data=1": with, "data=1&subscribed[a]=0.0": with, "subscribed[a]=0.0": without,
		"subscribed[a]=5&data=1": `{"s":1,"k":{"a":{0}}}`,
	} {
		if _, body := ask(t, endpoint, query); body != coretest.Times(want) {
			t.Errorf("%s: %s; want %s", query, body, coretest.Times(want))
		}
	}
	memory.SetData("a", "")
	if _, body := ask(t, endpoint, "subscribed[a]=0.0&data=1"); body != coretest.Times(without) {
		t.Errorf("after the data was removed: %s", body)
	}
}

func TestAnswer_ReadsDataOnceForAllPolls(t *testing.T) {
	memory := coretest.NewMemory()
	memory.Watchable = true
	inBubble(t, memory, core.Options{}, func(g *group) {
		memory.SetData("a", "1")
		for range 50 {
			g.poll(0, "subscribed[a]=now&subscribed[b]=now&data=1",
				`{"s":1,"k":{"a":{5.0}},"d":{"a":1},"at":{"a":"{5.0}","b":"0.000000"}}`, 5*time.Second+time.Microsecond)
		}
		time.AfterFunc(5*time.Second, func() { memory.Happen("a") })
		g.requests.Wait()
		if _, n := memory.Counts(); n != 1 {
			t.Errorf("the data was read %d times", n)
		}
	})
}
