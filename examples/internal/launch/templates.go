package launch

import _ "embed" // the templates

// The main configurations: text/template over Dir, Root, Port, Extra, Variant, Files, Connections and Several. They hold what a
// system's own main configuration has (a port, a document root, modules, logs), all of it below Dir,
// and include Dir/comet.conf, the shipped file. Time-outs stay at the server's own defaults.
var (
	//go:embed templates/apache.conf
	apacheMain string
	//go:embed templates/nginx.conf
	nginxMain string
	//go:embed templates/lighttpd.conf
	lighttpdMain string
	//go:embed templates/Caddyfile
	caddyMain string
)

var apacheArgs = []string{"-D", "FOREGROUND", "-f", "{dir}/main.conf"}
