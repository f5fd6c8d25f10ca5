// Package launch starts a real web server with NovComet at /comet.php, from the very configuration
// files in examples/ that a user copies: as an ordinary user, on a loopback port, with everything
// it writes in one temporary directory. The demo uses it, and so do the tests, so a file that does
// not work is noticed.
//
//	site, err := launch.Start(ctx, launch.Options{Server: launch.Nginx})
//	if err != nil { … }
//	defer site.Stop()
//	http.Get(site.URL + "/comet.php?publish=news")
//
// Nothing but Linux is supported; the packages it names are Debian's.
package launch
