package reactor

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/fcgi/fastcgi"
	. "novcomet/fcgi/fastcgi/fastcgitest"
)

func TestJobs_RecoverFromAPanicInTheStore(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		b.store.publish = func() { panic("a fault in the store") }
		b.panics = 1
		w := b.connect()
		w.Send(t, Request(1, Keep, Get("publish=a"), ""))
		w.WantResponse(t, 1, http.StatusInternalServerError, `{"error":"internal error`)
		w.Send(t, Request(1, 0, Get("subscribed[a]=now&wait=0"), ""))
		w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		wantBubbleLine(t, b, "a fault in the store")
		wantBubbleLine(t, b, "job_test.go")
	})
}

func TestJobs_APanicCostsOneConnection(t *testing.T) {
	inBubble(t, Options{MaxServing: 1}, func(t *testing.T, b *bubble) {
		b.panics = 2
		b.service.open = func(r *fastcgi.Request) {
			if r.Variables[blocks] == "opened" {
				panic("a fault in the service")
			}
			if r.Variables[blocks] != "" {
				r.Variables[blocks] = "opened"
			}
		}
		for range b.panics {
			w := b.connect()
			w.Send(t, Request(1, Keep, With(Get("subscribed[a]=now"), blocks, "1"), ""))
			w.WantClosed(t)
		}
		w := b.connect()
		w.Send(t, Request(1, Keep, Get("publish=a"), ""))
		w.WantResponse(t, 1, http.StatusOK, "true")
	})
}

// A store that does not answer must leave room for other requests.
func TestJobs_ServeOthersWhilePublicationsWaitForTheStore(t *testing.T) {
	for limit, publishing := range map[int]int{1: 1, 2: 1, 8: 4} {
		inBubble(t, Options{MaxServing: limit}, func(t *testing.T, b *bubble) {
			unblock := make(chan struct{})
			b.store.publish = func() { <-unblock }
			var publishers []*webServer
			for range 20 {
				w := b.connect()
				w.Send(t, Request(1, 0, Get("publish=a"), ""))
				publishers = append(publishers, w)
			}
			synctest.Wait()
			if n := b.Serving(); n != publishing {
				t.Errorf("%d of %d requests that are served publish, want %d", n, limit, publishing)
			}
			w := b.connect()
			w.Send(t, Request(1, Keep, Get("subscribed[a]=now&wait=0"), ""))
			w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
			if limit > 1 {
				w.Send(t, Request(2, Keep, Get(""), ""))
				w.WantResponse(t, 2, http.StatusBadRequest, `{"error":`)
			}
			close(unblock)
			for _, w := range publishers {
				w.WantResponse(t, 1, http.StatusOK, "true")
			}
			synctest.Wait()
			if n := b.Serving(); n != 0 {
				t.Errorf("%d requests are being served", n)
			}
		})
	}
}

func TestJobs_ThatDoNotPublishAreLimited(t *testing.T) {
	inBubble(t, Options{MaxServing: 3}, func(t *testing.T, b *bubble) {
		unblock := make(chan struct{})
		b.service.open = func(r *fastcgi.Request) {
			if r.Variables[blocks] == "again" {
				<-unblock
			}
			r.Variables[blocks] += "again"
		}
		var waiting []*webServer
		for range 10 {
			w := b.connect()
			w.Send(t, Request(1, 0, Get("subscribed[a]=now&wait=0"), ""))
			waiting = append(waiting, w)
		}
		synctest.Wait()
		if n := b.Serving(); n != 3 {
			t.Errorf("%d requests are served, want 3", n)
		}
		close(unblock)
		for _, w := range waiting {
			w.WantResponse(t, 1, http.StatusOK, `{"s":0`)
		}
	})
}

func TestJobs_OpenRequestsThatMayBlock(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		w.Send(t, Request(1, Keep, With(GetStream("subscribed[a]=now"), blocks, "1"), ""))
		w.WantStream(t, 1)
		b.wantConnections(1, 1)
		w.Send(t, Abort(1))
		w.WantRefusal(t, 1, 0)
		w.Send(t, Request(2, Keep, With(Get("subscribed[a]=now&wait=3"), blocks, "1"), ""))
		begin := time.Now()
		w.WantResponse(t, 2, http.StatusOK, `{"s":0`)
		wantAfter(t, "the poll was answered", begin, 3*time.Second)
		w.Send(t, Request(3, Keep, With(Get("publish=a"), blocks, "1"), ""))
		w.WantResponse(t, 3, http.StatusOK, "true")
	})
}

func TestJobs_AreEndedByAnAbort(t *testing.T) {
	type test struct {
		variables map[string]string
		want      func(t *testing.T, w *webServer)
	}
	for name, test := range map[string]test{
		"a publication": {Get("publish=a"), func(t *testing.T, w *webServer) {
			t.Helper()
			w.WantResponse(t, 1, http.StatusOK, "true")
		}},
		"a poll of a location that blocks": {
			With(Get("subscribed[a]=now"), blocks, "1"), func(t *testing.T, w *webServer) {
				t.Helper()
				w.WantRefusal(t, 1, 0)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) {
				unblock := make(chan struct{})
				block := func() { <-unblock }
				b.store.publish = block
				b.service.open = func(r *fastcgi.Request) {
					if r.Variables[blocks] == "1again" {
						block()
					}
					r.Variables[blocks] += "again"
				}
				w := b.connect()
				w.Send(t, Request(1, Keep, test.variables, ""))
				synctest.Wait()
				w.Send(t, Abort(1))
				synctest.Wait()
				close(unblock)
				test.want(t, w)
				w.Send(t, Request(2, Keep, Get("publish=a"), ""))
				w.WantResponse(t, 2, http.StatusOK, "true")
			})
		})
	}
}

// A page publishes while it unloads, and a script closes its connection without reading the answer.
func TestJobs_PublishEvenIfTheClientHasLeft(t *testing.T) {
	leaves := map[string]func(t *testing.T, w *webServer){
		"aborted": func(t *testing.T, w *webServer) { w.Send(t, Abort(1)) },
		"closed":  func(_ *testing.T, w *webServer) { w.Close() },
	}
	for name, location := range map[string]string{"a publication": "", "a publication of a location that blocks": "1"} {
		for how, leave := range leaves {
			t.Run(name+" is "+how, func(t *testing.T) {
				inBubble(t, Options{MaxServing: 1}, func(t *testing.T, b *bubble) {
					unblock := make(chan struct{})
					b.store.publish = func() { <-unblock }
					b.service.open = func(r *fastcgi.Request) {
						switch r.Variables[blocks] {
						case "1":
							r.Variables[blocks] = "opened in the loop"
						case "opened in the loop":
							<-unblock
						}
					}
					for _, id := range []string{"running", "queued"} {
						w := b.connect()
						w.Send(t, Request(1, Keep, With(Get("publish="+id), blocks, location), ""))
						synctest.Wait()
						leave(t, w)
					}
					synctest.Wait()
					close(unblock)
					synctest.Wait()
					if n := len(b.store.stamps); n != 2 {
						t.Errorf("%d events are published, want 2: %s", n, b.log)
					}
				})
			})
		}
	}
}

// The outcome of the first request arrives while the connection with the same descriptor serves another one.
func TestJobs_ForgetTheOutcomeOfAClosedConnection(t *testing.T) {
	for name, variables := range map[string]map[string]string{
		"a publication":                    Get("publish=a"),
		"a poll of a location that blocks": With(Get("subscribed[a]=now"), blocks, "1"),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, b *bubble) {
				unblock := make(chan struct{})
				b.store.publish = func() { <-unblock }
				b.service.open = func(r *fastcgi.Request) {
					if r.Variables[blocks] == "1again" {
						<-unblock
					}
					r.Variables[blocks] += "again"
				}
				w := b.connect()
				w.Send(t, Request(1, Keep, variables, ""))
				synctest.Wait()
				w.Close()
				synctest.Wait()
				next := b.connect()
				next.Send(t, Request(1, Keep, Get("subscribed[b]=now"), ""))
				synctest.Wait()
				if next.fd != w.fd {
					t.Fatalf("the descriptor is %d, want %d", next.fd, w.fd)
				}
				close(unblock)
				next.WantResponse(t, 1, http.StatusOK, `{"s":0`)
				b.wantConnections(1, 0)
			})
		})
	}
}

func TestJobs_ServeTheBodyOfARequest(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, b *bubble) {
		w := b.connect()
		form := strings.Repeat("padding=1&", 30_000) + "publish=at-the-end"
		w.Send(t, Request(1, Keep, Post(len(form)), form))
		w.WantResponse(t, 1, http.StatusOK, "true")
		w.Send(t, Request(2, Keep, Get("subscribed[at-the-end]=1.0"), ""))
		w.WantResponse(t, 2, http.StatusOK, `{"s":1`)
		w.Send(t, Request(3, Keep, Post(len(form)+1), form)) // A part of the body is missing.
		w.WantResponse(t, 3, http.StatusBadRequest, "Content-Length")
		tooLarge := strings.Repeat("x", 2<<20)
		w.Send(t, Request(4, Keep, Post(len(tooLarge)), tooLarge))
		w.WantResponse(t, 4, http.StatusRequestEntityTooLarge, `{"error":`)
	})
}

func TestJobs_CountTheRequestsThatTheyKeep(t *testing.T) {
	inBubble(t, Options{MaxServing: 2}, func(t *testing.T, b *bubble) {
		unblock := make(chan struct{})
		b.store.publish = func() { <-unblock }
		const form = "publish=a"
		size := len(Pairs(Post(len(form)))) + len(form)
		var all []*webServer
		for range 3 {
			w := b.connect()
			w.Send(t, Request(1, Keep, Post(len(form)), form))
			all = append(all, w)
		}
		b.wantBuffered(3 * size)
		all[0].Close() // Its job is running.
		all[1].Close() // Its job waits.
		b.wantBuffered(3 * size)
		close(unblock)
		all[2].WantResponse(t, 1, http.StatusOK, "true")
		b.wantBuffered(0)
	})
}

// Clients publish and leave, while the store does not answer.
func TestJobs_OfClientsThatHaveLeftAreLimited(t *testing.T) {
	const connections = 100
	inBubble(t, Options{MaxServing: 8, MaxConnections: connections}, func(t *testing.T, b *bubble) {
		unblock := make(chan struct{})
		b.store.publish = func() { <-unblock }
		for range 3 * connections {
			w := b.connect()
			w.Send(t, Request(1, Keep, Get("publish=a"), ""))
			synctest.Wait()
			w.Close()
			synctest.Wait()
		}
		if n := len(b.jobs.publications); n != connections {
			t.Errorf("%d publications wait, want %d", n, connections)
		}
		w := b.connect()
		w.Send(t, Request(1, Keep, Get("publish=a"), ""))
		w.WantResponse(t, 1, http.StatusServiceUnavailable, "max_serving")
		close(unblock)
	})
}
