package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestAPollBeyondTheLimitIsAnsweredAsSoonAsTheRulesAllowAndTheOthersWaitOn(t *testing.T) {
	t.Parallel()
	const most = 10
	s, path := inside(t, t.TempDir(), fmt.Sprint("COMET_MAX_WAITING=", most))
	polls := connectCrowd(t, path, most)
	for _, w := range polls.of {
		w.send(t, sentRequest(1, 0, asked("subscribed[a]=0.0"), ""))
	}
	eventually(t, "they all wait", func() bool { return s.waiting() == most })

	wantAnswer(t, ask(t, path, asked("subscribed[a]=now"), ""), http.StatusOK, `{"s":0,"at":{"a":"0.000000"}}`)
	wantAnswer(t, ask(t, path, asked("subscribed[a]=1"), ""), http.StatusOK, `{"s":0}`)
	// Of the second that the client goes by there is something left: a publication could still fall into it.
	now := time.Now().Unix()
	wantAnswer(t, ask(t, path, asked(fmt.Sprintf("subscribed[a]=%d", now)), ""), http.StatusOK, `{"s":0}`)
	if time.Now().Unix() == now {
		t.Error("it was answered before its client's second was over")
	}
	if n := s.waiting(); n != most {
		t.Errorf("%d wait, want %d", n, most)
	}

	wantAnswer(t, ask(t, path, asked("publish=a"), ""), http.StatusOK, "true")
	for _, w := range polls.of {
		w.wantResponse(t, 1, http.StatusOK, `{"s":1,"k":{"a":`)
	}
}
