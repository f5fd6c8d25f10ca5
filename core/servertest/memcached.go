//go:build linux

package servertest

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

const memcached = "memcached"

// Memcached is a memcached server.
type Memcached struct {
	process

	arguments []string
	filled    int // values stored by Fill
}

// StartMemcached starts a memcached with these additional arguments.
func StartMemcached(t testing.TB, arguments ...string) *Memcached {
	t.Helper()
	m := &Memcached{arguments: arguments}
	m.prepare(t)
	m.Restart()
	return m
}

// Restart starts the server again after Kill. It is empty.
func (m *Memcached) Restart() {
	m.t.Helper()
	arguments := append([]string{"-l", "127.0.0.1", "-p", strconv.Itoa(m.port), "-U", "0", "-t", "2"}, m.arguments...)
	m.run(memcached, nil, arguments, func() bool {
		_, err := m.exchange("version", "")
		return err == nil
	})
}

// Do sends a command, which may have several lines, and returns the first line of the answer.
func (m *Memcached) Do(command string) string {
	m.t.Helper()
	return m.mustExchange(command, "")[0]
}

// Set stores a value.
func (m *Memcached) Set(key, value string) {
	m.t.Helper()
	if answer := m.Do(fmt.Sprintf("set %s 0 0 %d\r\n%s", key, len(value), value)); answer != "STORED" {
		m.t.Fatalf("set %s: %s", key, answer)
	}
}

// Fill stores n values of this size in bytes, each with a key of its own. A server without room drops some.
func (m *Memcached) Fill(n, size int) {
	m.t.Helper()
	var commands strings.Builder
	value := strings.Repeat("x", size)
	for range n {
		m.filled++
		fmt.Fprintf(&commands, "set fill:%08d 0 0 %d noreply\r\n%s\r\n", m.filled, size, value)
	}
	// memcached answers "SERVER_ERROR out of memory" in spite of noreply.
	m.mustExchange(commands.String()+"version", "VERSION")
}

// Stat returns one of the server's counters.
func (m *Memcached) Stat(name string) int {
	m.t.Helper()
	for _, line := range m.mustExchange("stats", "END") {
		if text, ok := strings.CutPrefix(line, "STAT "+name+" "); ok {
			value, err := strconv.Atoi(text)
			if err != nil {
				m.t.Fatal(err)
			}
			return value
		}
	}
	m.t.Fatalf("memcached has no counter %s", name)
	return 0
}

func (m *Memcached) mustExchange(commands, last string) []string {
	m.t.Helper()
	lines, err := m.exchange(commands, last)
	if err != nil {
		m.t.Fatalf("memcached at %s: %v", m.Address(), err)
	}
	return lines
}

// exchange sends commands on a connection of its own. It returns the answer up to the first line that begins
// with last.
func (m *Memcached) exchange(commands, last string) (lines []string, err error) {
	connection, err := net.DialTimeout("tcp", m.Address(), Patience)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(Patience)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprint(connection, commands, "\r\n"); err != nil {
		return nil, err
	}
	answer := bufio.NewScanner(connection)
	for answer.Scan() {
		lines = append(lines, answer.Text())
		if strings.HasPrefix(answer.Text(), last) {
			return lines, nil
		}
	}
	return nil, fmt.Errorf("no answer to %.80q: %v", commands, answer.Err())
}
