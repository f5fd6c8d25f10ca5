package build

import (
	"cmp"
	"runtime/debug"
)

// version is set by the linker in a release: -ldflags "-X novcomet/conf/build.version=0.2.0".
var version string

// Version returns the version of the release. In another build it is the version of the module that the Go
// toolchain has recorded.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(version, "unknown")
	}
	return cmp.Or(version, info.Main.Version)
}
