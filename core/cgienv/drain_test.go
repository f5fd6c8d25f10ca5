package cgienv_test

import (
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/core/cgienv"
)

func TestDrain_ReadsTheWholeBody(t *testing.T) {
	body := strings.NewReader(strings.Repeat("a", 1<<20))
	if cgienv.Drain(body); body.Len() > 0 {
		t.Errorf("%d bytes are unread", body.Len())
	}
}

// A web server may send its bytes slowly, or keep standard input open.
func TestDrain_EndsAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, web := io.Pipe()
		var writing sync.WaitGroup
		defer writing.Wait()
		defer body.Close()
		writing.Go(func() {
			for {
				if _, err := web.Write([]byte("a")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		began := time.Now()
		cgienv.Drain(body)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v, want 5s", took)
		}
	})
}
