package core_test

import (
	"fmt"
	"strings"

	"novcomet/core"
)

// GoString is the history as a script, as rapid prints it when it has found one that breaks the promise.
func (h *history) GoString() string {
	var b strings.Builder
	kind := "coarse"
	if h.fine {
		kind = "fine"
	}
	fmt.Fprintf(&b, "\n  a kernel with %s stamps, ticks of %v at %v, each look takes %v", kind, h.tick, h.phase, h.slow)
	if h.notifier {
		fmt.Fprintf(&b, ", a notifier that listens after %v", h.listens)
	}
	if h.maxWaiting > 0 {
		fmt.Fprintf(&b, ", at most %d may wait", h.maxWaiting)
	}
	if h.room > 0 {
		fmt.Fprintf(&b, ", %d bytes of data in an answer", h.room)
	}
	for _, name := range []string{"a", "b", "c"} {
		if age, ok := h.ages[name]; ok {
			fmt.Fprintf(&b, "\n  %12v  %s was published", -age, name)
		}
	}
	if h.streams != (core.StreamLimits{}) {
		fmt.Fprintf(&b, "\n  streams: %+v", h.streams)
	}
	for i, s := range h.subscribers {
		fmt.Fprintf(&b, "\n  %12v  subscriber %d joins: %v", s.joins, i, s)
	}
	for _, step := range h.steps {
		fmt.Fprintf(&b, "\n  %12v  %s %s", step.at, step.what, step.event)
		if step.by != 0 {
			fmt.Fprintf(&b, " %v", step.by)
		}
		if step.data != "" {
			fmt.Fprintf(&b, " %q (after %v, in %v)", step.data, step.begins, step.takes)
		}
		if step.unheard {
			b.WriteString(" (unheard)")
		}
	}
	return b.String()
}

func (s subscriber) String() string {
	kind := fmt.Sprintf("whole seconds, clock %v ahead", s.clock)
	if s.precise {
		kind = "precise"
		if s.longFirst {
			kind += ", waits at first"
		}
		if s.wholeFirst {
			kind += ", the first cursor a whole second"
		}
		if s.patience > 0 {
			kind += fmt.Sprintf(", breaks off after %v", s.patience)
		}
	}
	if s.data {
		kind += ", with data"
	}
	if s.stream != nil {
		kind = fmt.Sprintf("a stream %+v of %s", *s.stream, kind)
	}
	return fmt.Sprintf("%s, %v, %d × %v, pauses %v, stays %v", kind, s.events, s.tries, s.sleep, s.pauses, s.stays)
}
