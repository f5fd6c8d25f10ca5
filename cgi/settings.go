package main

import (
	"slices"
	"strings"

	"novcomet/conf"
	"novcomet/core/cgienv"
)

// requestVariables returns the variables of the request. The settings are left out: package conf reads them
// from the whole environment.
func requestVariables(environ []string) map[string]string {
	variables := make(map[string]string, len(environ))
	for _, variable := range environ {
		if name, value, _ := strings.Cut(variable, "="); !conf.IsSetting(name) {
			variables[name] = value
		}
	}
	return variables
}

// settingsEnviron returns the environment without the variable that names the user of this request.
func settingsEnviron(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		return strings.HasPrefix(variable, cgienv.UserVariable+"=")
	})
}
