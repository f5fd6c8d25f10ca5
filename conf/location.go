package conf

import (
	"strings"

	"github.com/spf13/viper"

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
	l := Loaded{Config: c, viper: viper.New(), setBy: map[string]string{}}
	err := l.setVariables("variable", variables, location)
	if err == nil {
		err = l.decode()
	}
	if err != nil {
		return Config{}, err
	}
	if !l.Sets("subscribe.secret_file") {
		// If the file were read again, a change of it would take effect without a reload, and only for some
		// locations.
		l.Subscribe.Signed = l.Subscribe.Signed.WithSecretsOf(c.Subscribe.Signed)
	}
	return l.Config, nil
}
