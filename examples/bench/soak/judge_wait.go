package soak

import "encoding/json"

// judgeWaits asks for each poll and stream of a page: did it end too early without a reason, or too late?
func (h *History) judgeWaits(r *Report, page *pageRecord, polls []*pollRecord) {
	for _, p := range polls {
		begun, wait := p.Sent, h.Run.Wait
		if p.Opened > 0 {
			begun, wait = p.Opened, h.Run.Age
		}
		if p.At-begun < wait-tick && p.isUnchanged() && !h.during(endsEarly, "", begun, p.At) {
			r.Early++
			r.detail("page %d (%s), sent at %v, was answered unchanged too early, at %v", p.Page, page.Kind, begun, p.At)
		}
		longest := wait + h.Run.Slack
		if page.Kind == legacy {
			longest += hold
		}
		if p.At-begun <= longest { // Most are; passed takes long.
			continue
		}
		if took, _ := h.passed(polls, begun, p.At, longest); took > longest {
			r.Overdue++
			r.detail("page %d (%s), sent at %v, was not answered in time, at %v", p.Page, page.Kind, begun, p.At)
		}
	}
}

// isUnchanged reports whether this is an unchanged answer or the end of a stream, which come when the wait is
// over. A poll for the first cursors does not wait, so it is neither.
func (p *pollRecord) isUnchanged() bool {
	for _, cursor := range p.Cursors {
		if cursor == "now" {
			return false
		}
	}
	var got answer
	return p.Error == "" && !p.Pending && (p.Answer == "" || json.Unmarshal([]byte(p.Answer), &got) == nil && got.S == 0)
}
