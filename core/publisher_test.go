package core_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"novcomet/core"
)

// publisher is another process, which publishes what it is told.
type publisher struct {
	in      io.WriteCloser
	out     *bufio.Scanner
	pending int
}

// publishingScript publishes by the means of a shell.
const publishingScript = `n=0
while read -r means file; do
	case $means in
	write | post) echo $((n += 1))$$ > "$file" ;;
	publish | touch) touch "$file" ;;
	esac
	echo done
done`

// publisherVariable makes the test binary a publisher.
const publisherVariable = "NOVCOMET_TEST_PUBLISHER"

func startPublisher(t *testing.T, directory, program string, arguments ...string) *publisher {
	t.Helper()
	command := exec.Command(program, arguments...)
	command.Dir, command.Env, command.Stderr = directory, append(os.Environ(), publisherVariable+"=1"), os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("%s: %v", program, err)
		}
	})
	return &publisher{in: in, out: bufio.NewScanner(out)}
}

// publish tells the publisher to publish, and does not wait for it.
func (p *publisher) publish(t *testing.T, means, event string) {
	t.Helper()
	if _, err := fmt.Fprintf(p.in, "%s %s.comet\n", means, event); err != nil {
		t.Fatal(err)
	}
	p.pending++
}

// finish waits until all that was to be published is.
func (p *publisher) finish(t *testing.T) {
	t.Helper()
	for ; p.pending > 0; p.pending-- {
		if !p.out.Scan() || p.out.Text() != "done" {
			t.Fatalf("a publisher says %q, %v", p.out.Text(), p.out.Err())
		}
	}
}

// publishAsTold is what the test binary does as a publisher, in the directory of the events.
func publishAsTold() {
	store := &core.Files{Directory: ".", Mode: 0o664}
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		means, file, _ := strings.Cut(orders.Text(), " ")
		if err := publishBy(store, means, file); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("done")
	}
}

func publishBy(store *core.Files, means, file string) error {
	switch means {
	case "write":
		return os.WriteFile(file, strconv.AppendInt(nil, time.Now().UnixNano(), 10), 0o664)
	case "touch":
		opened, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o664)
		if err != nil {
			return err
		}
		defer opened.Close()
		now := unix.Timespec{Nsec: unix.UTIME_NOW} // A time of our own could be too late, in a second that is over.
		return unix.UtimesNanoAt(unix.AT_FDCWD, file, []unix.Timespec{now, now}, 0)
	}
	id, err := core.ParseID(strings.TrimSuffix(file, ".comet"))
	if err != nil {
		return err
	}
	if means == "post" {
		_, err = store.PublishData(context.Background(), id, strconv.AppendInt(nil, time.Now().UnixNano(), 10))
		return err
	}
	_, err = store.Publish(context.Background(), id)
	return err
}
