package launch

import _ "embed" // the main configurations

// The main configurations: text/template over Dir, Root, Port, Extra and Variant. They hold what a
// system's own main configuration has (a port, a document root, modules, logs), all of it below Dir,
// and include Dir/comet.conf, the shipped file. Time-outs stay at the server's own defaults.
var (
	//go:embed main/apache.conf
	apacheMain string
	//go:embed main/nginx.conf
	nginxMain string
	//go:embed main/lighttpd.conf
	lighttpdMain string
	//go:embed main/Caddyfile
	caddyMain string
)

var apacheArgs = []string{"-D", "FOREGROUND", "-f", "{dir}/main.conf"}
