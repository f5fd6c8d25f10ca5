// Package launch starts real web servers with NovComet at /comet.php. It uses the configuration files in
// examples/ that a user copies, so that the tests notice a file that does not work. A server runs as an
// ordinary user on a loopback port, and writes only to one temporary directory. The demo, the tests and the
// bench use this package.
//
//	site, err := launch.Start(ctx, launch.Options{Server: launch.Nginx})
//	if err != nil { … }
//	defer site.Stop()
//	http.Get(site.URL + "/comet.php?publish=news")
//
// It runs on Linux only. Error messages name the packages of Debian.
package launch
