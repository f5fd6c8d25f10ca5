// Package makes a release of NovComet: static programs for amd64 and arm64 in archives, Debian and RPM
// packages, the browser client as an npm package, lists of what is linked, and checksums.
//
//	go -C examples/package run .
//
// writes to dist in the clone. Two builds of one commit are equal in each byte.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	r := release{root: "../.."}
	flag.StringVar(&r.output, "output", "../../dist", "write to this `directory`, and remove the release that is there")
	flag.StringVar(&r.version, "version", "", "the `version`, such as 0.2.0 (default: the tag v0.2.0 of the commit; "+
		"without a tag, a version before the next one of CHANGELOG.md)")
	arch := flag.String("arch", "amd64,arm64", "build for these `architectures`")
	flag.Parse()
	r.arches = strings.Split(*arch, ",")
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "package: %q is not a flag; --help lists them\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := r.make(); err != nil {
		fmt.Fprintf(os.Stderr, "package: %v\n", err)
		os.Exit(1)
	}
}
