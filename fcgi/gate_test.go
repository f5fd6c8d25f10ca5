package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"novcomet/conf"
	"novcomet/conf/build"
)

// Whatever comes in on a connection, in whatever pieces: nothing panics, nothing hangs, what goes out are whole records, at
// most one poll waits, and everything is gone afterwards. (A bubble ends only when every goroutine in it has ended, and its
// clock goes on only when all of them wait.)
func FuzzGate(f *testing.F) {
	poll, publication := asked("subscribed[a]=now"), asked("publish=a")
	kept := sentRequest(1, keep, poll, "")
	form := "subscribed[a]=now&wait=3"
	for _, seed := range [][]byte{
		nil,
		kept,
		kept[:len(kept)-3],
		sentRequest(1, keep, publication, ""),
		append(sentRequest(1, keep, publication, ""), sentRequest(2, 0, poll, "")...),
		append(kept[:len(kept):len(kept)], sentRequest(2, 0, poll, "")...),
		append(kept[:len(kept):len(kept)], sentRecord(2, 1, nil, 0)...),
		append(append(kept[:len(kept):len(kept)], sentRecord(2, 1, nil, 0)...), sentRequest(1, keep, publication, "")...),
		append(kept[:len(kept):len(kept)], 1, 9, 0, 0, 255, 255, 0, 0),
		append(kept[:len(kept):len(kept)], sentRecord(9, 0, sentPair("FCGI_MPXS_CONNS", ""), 5)...),
		sentRequest(1, 0, posted(len(form)), form),
		append(sentBegin(1, 2, 0), kept...),
		append(sentBegin(1, 1, 0), sentStream(4, 1, []byte{0xff, 0xff, 0xff, 0xff, 0x80, 0, 0}, 0)...),
		[]byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		for _, pieces := range [][]byte{nil, {1}, {7, 0, 90}} {
			f.Add(seed, pieces, byte(len(pieces)))
		}
	}
	settings, err := conf.Read(conf.Source{File: os.DevNull, Environ: []string{"COMET_TRIES=10", "COMET_SLEEP=1", "COMET_REQUEST_TIMEOUT=5", "COMET_MAX_REQUEST=4096", "COMET_MAX_SERVING=2"}})
	if err != nil {
		f.Fatal(err)
	}
	log := build.Log(io.Discard, slog.LevelInfo)
	f.Fuzz(func(t *testing.T, sent, pieces []byte, then byte) {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(&memory{}, settings, 10, log)
			ours, theirs := net.Pipe()
			s.places <- struct{}{}
			s.enter(newConnection(theirs, settings.RequestTimeout))
			out := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(ours)
				out <- b
			}()
			sendInPieces(ours, sent, pieces)
			synctest.Wait()
			if n := s.waiting(); n > 1 {
				t.Errorf("%d polls wait on one connection", n)
			}
			time.Sleep(afterwards[int(then)%len(afterwards)])
			ours.Close()
			closed := time.Now()
			wantWholeRecords(t, <-out)
			s.end()
			synctest.Wait()
			if took := time.Since(closed); took > settings.RequestTimeout {
				t.Errorf("it took %v to forget the connection", took)
			}
			if waiting, busy := s.waiting(), s.connections(); waiting+busy > 0 {
				t.Errorf("%d polls and %d connections are left", waiting, busy)
			}
		})
	})
}

// afterwards is how long a web server stays: it leaves at once, while its poll waits, long after everything was answered.
var afterwards = []time.Duration{0, 4 * time.Second, time.Hour}

// sendInPieces sends the bytes in pieces of these lengths, a second between any two where the length is 0.
func sendInPieces(conn net.Conn, sent, pieces []byte) {
	for i := 0; len(sent) > 0; i++ {
		length := len(sent)
		if i < len(pieces) {
			length = min(length, int(pieces[i]))
		}
		if length == 0 {
			time.Sleep(time.Second)
		}
		if _, err := conn.Write(sent[:length]); err != nil {
			return // It was closed, for what was sent so far.
		}
		sent = sent[length:]
	}
}

func wantWholeRecords(t *testing.T, out []byte) {
	t.Helper()
	for rest := out; len(rest) > 0; {
		var length int
		if len(rest) >= 8 && rest[0] == 1 {
			length = 8 + int(binary.BigEndian.Uint16(rest[4:])) + int(rest[6])
		}
		if length == 0 || len(rest) < length {
			t.Fatalf("no whole record at byte %d of %q", len(out)-len(rest), bytes.Clone(out))
		}
		rest = rest[length:]
	}
}
