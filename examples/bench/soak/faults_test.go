package soak

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each fault is put into a history of a correct server. fault returns false if there is no place for it.
func TestJudges_FindAFaultInAHistory(t *testing.T) {
	t.Parallel()
	flush := &disturbanceRecord{Kind: "flush"}
	tests := map[string]struct {
		fault func(h *History) bool
		found func(v Verdict) bool
	}{
		"an answer that is missing": {func(h *History) bool { return removeAnswer(h, nil) }, func(v Verdict) bool {
			return v.Never > 0
		}},
		"the same, excused": {func(h *History) bool { return removeAnswer(h, flush) }, func(v Verdict) bool {
			return v.Never == 0 && v.Excused["flush"] > 0
		}},
		"two answers that are swapped": {swapAnswers, func(v Verdict) bool { return v.Disordered > 0 }},
		"data of an older stamp":       {ageData, func(v Verdict) bool { return v.Stale == 1 }},
		"torn data":                    {tearData, func(v Verdict) bool { return v.Torn == 1 }},
		"a publication that is not recorded": {func(h *History) bool {
			for i, p := range h.Publications {
				if isDelivered(h, p) {
					h.Publications = append(h.Publications[:i:i], h.Publications[i+1:]...)
					return true
				}
			}
			return false
		}, func(v Verdict) bool { return v.Invented > 0 }},
	}
	recorded := soakHere(t, correctly, time.Minute)
	hasPlace := func() bool {
		for _, test := range tests {
			if !test.fault(recorded.clone(t)) {
				return false
			}
		}
		return true
	}
	const patience = 2 * time.Minute // A run is short and random.
	for end := time.Now().Add(patience); !hasPlace(); recorded = soakHere(t, correctly, time.Minute) {
		if time.Now().After(end) {
			t.Fatal("no history has a place for each fault")
		}
	}
	if r := bothJudge(t, recorded); !r.Good() {
		t.Fatal(printed(r))
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := recorded.clone(t)
			test.fault(h)
			if r := bothJudge(t, h); !test.found(r.Verdict) {
				t.Errorf("not found: %+v", r.Verdict)
			}
		})
	}
}

func (h *History) clone(t *testing.T) *History {
	c := &History{}
	text, err := json.Marshal(h)
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// isPrecise reports whether a poll is of a page that polls precisely, so that each answer has one stamp.
func (h *History) isPrecise(p *pollRecord) bool {
	return !slices.ContainsFunc(h.Pages, func(page *pageRecord) bool { return page.Page == p.Page && page.Kind == legacy })
}

// only returns the only event of a precise answer, and its data; or nothing.
func (h *History) only(p *pollRecord) (id, data string) {
	var got answer
	if !h.isPrecise(p) || json.Unmarshal([]byte(p.Answer), &got) != nil || len(got.K) != 1 {
		return "", ""
	}
	for id = range got.K {
		data = string(got.D[id])
	}
	return id, data
}

func isDelivered(h *History, published *publication) bool {
	alone, delivered := true, false
	for _, p := range h.Publications {
		alone = alone && (p == published || p.ID != published.ID)
	}
	for _, p := range h.Polls {
		delivered = delivered || h.isPrecise(p) && strings.Contains(p.Answer, published.ID+`":`+published.cursor()+"}")
	}
	return alone && delivered
}

func (p *publication) cursor() string { return cursor(p.Stamp - 1000*sec) }

// removeAnswer makes the last answer with an event one that says that nothing has changed. A loss at that
// time excuses it.
func removeAnswer(h *History, loss *disturbanceRecord) bool {
	for i := len(h.Publications) - 1; i >= 0; i-- {
		published := h.Publications[i]
		for _, p := range h.Polls {
			if id, _ := h.only(p); id == published.ID && strings.HasPrefix(id, "quiet") &&
				strings.Contains(p.Answer, `"`+id+`":"`+published.cursor()+`"`) {
				p.Answer = `{"s":0,"at":{"` + id + `":"` + p.Cursors[id] + `"}}`
				if loss != nil {
					h.add(&disturbanceRecord{Kind: loss.Kind, Start: published.End, End: published.End})
				}
				return true
			}
		}
	}
	return false
}

// swapAnswers swaps two answers of a page with the same event.
func swapAnswers(h *History) bool {
	for i, p := range h.Polls {
		for _, other := range h.Polls[i+1:] {
			id, _ := h.only(p)
			next, _ := h.only(other)
			// The first answer has the cursor of the second poll. Between others, there may be less than a tick.
			if p.Page == other.Page && id != "" && id == next && strings.Contains(p.Answer, other.Cursors[id]) {
				p.Answer, other.Answer = other.Answer, p.Answer
				return true
			}
		}
	}
	return false
}

// ageData puts the data of an earlier answer into a later one, whose stamp is that of the later data.
func ageData(h *History) bool {
	for i, p := range h.Polls {
		for _, other := range h.Polls[i+1:] {
			id, data := h.only(p)
			next, later := h.only(other)
			if data == "" || later == "" || id != next {
				continue
			}
			if before, after := h.withData(data), h.withData(later); before.End < after.Start &&
				strings.Contains(other.Answer, `":`+after.cursor()+"}") {
				other.Answer = strings.Replace(other.Answer, later, data, 1)
				return true
			}
		}
	}
	return false
}

// withData returns the publication with this data.
func (h *History) withData(data string) *publication {
	for _, p := range h.Publications {
		if p.Data != nil && *p.Data == data {
			return p
		}
	}
	return nil
}

// tearData removes a piece of the data in an answer.
func tearData(h *History) bool {
	for _, p := range h.Polls {
		if _, data := h.only(p); strings.Contains(data, "xxxxxxx") {
			p.Answer = strings.Replace(p.Answer, "xxxxxxx", "", 1)
			return true
		}
	}
	return false
}
