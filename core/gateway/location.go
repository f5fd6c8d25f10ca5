package gateway

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"novcomet/conf"
	"novcomet/core"
)

// locations are the settings of each location, made once: of lists of patterns that takes longer than all else that is done
// for a request.
type locations struct {
	config conf.Config
	common core.Settings // of a location that sets nothing

	mu   sync.RWMutex
	made map[string]core.Settings // by what the location sets
}

// How many are kept, and how long what one sets may be. Few locations set anything; but where the web server puts something of
// the visitor's into a setting, each request may be a new one.
const (
	maxLocations = 256
	maxLocation  = 4 << 10 // bytes
)

func newLocations(config conf.Config) *locations {
	return &locations{config: config, common: settings(config), made: map[string]core.Settings{}}
}

// of returns the settings for a request, but for the user. An error says that the location must not be served.
func (l *locations) of(variables map[string]string) (core.Settings, error) {
	set := false
	for name := range variables {
		set = set || conf.IsSetting(name)
	}
	if !set {
		return l.common, nil
	}
	key := keyOf(variables)
	l.mu.RLock()
	s, ok := l.made[key]
	l.mu.RUnlock()
	if ok {
		return s, nil
	}
	config, err := l.config.Locate(variables)
	if err != nil {
		return core.Settings{}, err
	}
	if s = settings(config); len(key) > maxLocation {
		return s, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.made) == maxLocations {
		clear(l.made)
	}
	l.made[key] = s
	return s, nil
}

// keyOf is all that a location sets, in one order.
func keyOf(variables map[string]string) string {
	var key strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if conf.IsSetting(name) {
			key.WriteString(name + "\x00" + variables[name] + "\x00")
		}
	}
	return key.String()
}

// settings returns the part of a configuration that core needs.
func settings(c conf.Config) core.Settings {
	return core.Settings{
		Tries: c.Tries, Sleep: c.Sleep, StreamComment: c.Stream.Comment, StreamEnd: c.Stream.End, Status: c.Status,
		Access: &core.Access{
			Subscribe: c.Subscribe.Allow, Publish: c.Publish.Allow, Methods: c.Publish.Methods, Origins: c.Origins,
			Signed: c.Subscribe.Signed, Rate: c.Publish.Rate,
		},
	}
}

// user returns who is authenticated; "": nobody.
//
// REMOTE_USER alone says nothing: nginx passes on the name in any Authorization header, whether or not it has checked the
// password. A web server that has, says how: AUTH_TYPE.
func user(variables map[string]string) string {
	if name, ok := variables[conf.UserVariable]; ok {
		return name
	}
	if variables["AUTH_TYPE"] == "" {
		return ""
	}
	return variables["REMOTE_USER"]
}
