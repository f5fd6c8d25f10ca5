package build

import "runtime/debug"

// Version returns the version of the module that the Go toolchain recorded at the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
