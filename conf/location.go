package conf

import (
	"strings"

	"novcomet/core/cgienv"
)

// IsSetting reports whether the variable of a request sets a key, or tries to.
func IsSetting(variable string) bool {
	return strings.HasPrefix(variable, variablePrefix) && variable != cgienv.UserVariable
}

// Locate returns the settings of one location: c with the COMET_* that the web server set among the variables
// of a request (SetEnv, fastcgi_param). Request headers arrive as HTTP_* and set nothing.
//
// A variable that is unknown, has a wrong value or cannot be set for a location is an error that names it.
// The caller must then refuse the request, because c may allow more than the location does. A key whose
// variable is empty is not set.
func (c Config) Locate(variables map[string]string) (Config, error) {
	bound, err := bindVariables("variable", variables, location)
	if err != nil {
		return Config{}, err
	}
	if len(bound) == 0 {
		return c, nil
	}
	l := Loaded{Config: c, viper: newViper(bound), bound: bound}
	if err := l.decode(); err != nil {
		return Config{}, err
	}
	// The file of secrets is read again only if the location names another one. Otherwise, a change of the
	// file would take effect without a reload, and only for some locations.
	if _, ok := bound["subscribe.secret_file"]; ok {
		err = l.readSecrets()
	} else {
		l.Subscribe.Signed = l.Subscribe.Signed.WithSecretsOf(c.Subscribe.Signed)
	}
	if err != nil {
		return Config{}, err
	}
	return l.Config, nil
}
