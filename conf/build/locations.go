package build

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/access"
)

// Locations are the settings of all locations. They are made once for each set of COMET_* variables, because
// parsing lists of patterns takes longer than the rest of a request.
type Locations struct {
	config   conf.Config
	replaced atomic.Bool
	common   *core.Location // of a location without variables

	mu   sync.RWMutex
	made map[string]*core.Location
}

// The cache is bounded. Few locations set anything, but a web server that puts a part of the request into a
// setting makes each request a new location.
const (
	maxLocations = 256
	maxKey       = 4 << 10 // bytes
)

// NewLocations returns the locations of a program with these settings.
func NewLocations(c conf.Config) *Locations {
	l := &Locations{config: c, made: map[string]*core.Location{}}
	l.common = l.location(c)
	return l
}

// Replace ends the streams of all locations, because other settings have taken the place of these. See
// [core.Location].Replaced.
func (l *Locations) Replace() { l.replaced.Store(true) }

// Of returns the settings for a request with these variables. An error means that the location must not be
// served.
func (l *Locations) Of(variables map[string]string) (*core.Location, error) {
	key := keyOf(variables)
	if made := l.known(key); made != nil {
		return made, nil
	}
	config, err := l.config.Locate(variables)
	if err != nil {
		return nil, err
	}
	made := l.location(config)
	if len(key) > maxKey {
		return made, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.made) == maxLocations {
		clear(l.made)
	}
	l.made[key] = made
	return made, nil
}

// Known is Of for a location that was made already. For any other it returns nil, because making a location
// can mean reading a file.
func (l *Locations) Known(variables map[string]string) *core.Location {
	return l.known(keyOf(variables))
}

func (l *Locations) known(key string) *core.Location {
	if key == "" {
		return l.common
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.made[key]
}

// keyOf returns all settings among the variables, in one order.
func keyOf(variables map[string]string) string {
	var settings []string
	for name, value := range variables {
		if conf.IsSetting(name) {
			settings = append(settings, name+"\x00"+value+"\x00")
		}
	}
	slices.Sort(settings)
	return strings.Join(settings, "")
}

func (l *Locations) location(c conf.Config) *core.Location {
	var elsewhere access.Matcher
	if l.common != nil { // A location without variables may be served at another URL.
		elsewhere = l.common.Access.VisitorsPublish()
	}
	return &core.Location{
		Replaced: &l.replaced,
		Tries:    c.Tries, Sleep: c.Sleep, StreamComment: c.Stream.Comment, StreamEnd: c.Stream.End, Status: c.Status,
		Access: access.Rules{
			Subscribe: c.Subscribe.Allow, Publish: c.Publish.Allow, Methods: c.Publish.Methods,
			Origins: c.Origins, Signed: c.Subscribe.Signed, Rate: c.Publish.Rate,
			Formats: c.Stream.Formats, Elsewhere: elsewhere,
		},
	}
}
