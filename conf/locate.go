package conf

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/pkg/errors"
)

// Locate returns the configuration of one location: c with the COMET_* that the web server set among the variables of a
// request (SetEnv, fastcgi_param). Request headers arrive as HTTP_* and cannot set anything.
//
// A variable that is unknown, has a bad value or cannot be set for a location is an error that names it. The caller must
// then refuse the request, because c may allow more than the location does. A variable with an empty value is not set.
//
// COMET_USER, the authenticated user, is not a key, and is ignored.
//
// Locate may be called for every request: without any COMET_* it allocates nothing.
func (c Config) Locate(variables map[string]string) (Config, error) {
	for name := range variables {
		if IsSetting(name) {
			return located(c, variables)
		}
	}
	return c, nil
}

// UserVariable is the COMET_* in which the web server passes the name of the authenticated user.
const UserVariable = "COMET_USER"

// IsSetting reports whether the variable of a request sets something, or tries to.
func IsSetting(variable string) bool {
	return strings.HasPrefix(variable, prefix) && variable != UserVariable
}

func located(c Config, variables map[string]string) (Config, error) {
	set := layer{func(key string) string { return "variable " + nameOf(key) }, map[string]any{}}
	tree := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(variables)) { // so that of two errors the same one is returned each time
		value := variables[name]
		if !IsSetting(name) {
			continue
		}
		s, ok := named(name)
		switch {
		case !ok && name != namesFile:
			return Config{}, errors.Errorf("unknown variable %s", unknown(name, append(perLocation(), UserVariable)))
		case value == "":
		case !s.perLocation:
			return Config{}, errors.Errorf("variable %s cannot be set for a location: only %s can",
				name, strings.Join(perLocation(), ", "))
		default:
			set.values[s.key] = value
			graft(tree, s.key, value)
		}
	}

	config := mapstructure.DecoderConfig{Result: &c}
	strictly(&config)
	decoder, err := mapstructure.NewDecoder(&config)
	if err != nil {
		return Config{}, errors.Wrap(err, "configuration")
	}
	if err := check(c, decoder.Decode(tree), set); err != nil {
		return Config{}, err
	}
	return c, nil
}

// graft sets a key in nested maps, the form in which mapstructure expects groups.
func graft(tree map[string]any, key string, value any) {
	if group, rest, ok := strings.Cut(key, "."); ok {
		branch, _ := tree[group].(map[string]any)
		if branch == nil {
			branch = map[string]any{}
			tree[group] = branch
		}
		graft(branch, rest, value)
		return
	}
	tree[key] = value
}

// perLocation returns the names of the variables that a location may set.
func perLocation() (all []string) {
	for _, s := range settings {
		if s.perLocation {
			all = append(all, nameOf(s.key))
		}
	}
	return all
}
