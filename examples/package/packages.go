package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // a format
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // a format
	"github.com/pkg/errors"
)

// places has the files of a release that a package installs, and where. The web servers' files are not in
// force until the administrator enables or includes them, except for the upstream of nginx, which does
// nothing by itself. All other files are in /usr/share/doc/novcomet.
var places = []struct {
	name, target string
	packager     string // "" is each
}{
	{"comet-fcgi", "/usr/bin/comet-fcgi", ""},
	{"comet.cgi", "/usr/lib/novcomet/comet.cgi", ""}, // No web server serves this directory.
	{"examples/comet.yaml", "/etc/novcomet/comet.yaml", ""},
	{"examples/systemd/comet-fcgi.service", units + "comet-fcgi.service", ""},
	{"examples/systemd/comet-fcgi.socket", units + "comet-fcgi.socket", ""},
	{"examples/systemd/comet-fcgi@.service", units + "comet-fcgi@.service", ""},
	{"examples/systemd/comet-fcgi@.socket", units + "comet-fcgi@.socket", ""},
	{"examples/nginx/comet.conf", "/etc/nginx/snippets/comet.conf", ""},
	{"examples/nginx/comet-upstream.conf", "/etc/nginx/conf.d/comet-upstream.conf", ""},
	{"examples/apache/comet-cgi.conf", "/etc/apache2/conf-available/comet-cgi.conf", "deb"},
	{"examples/apache/comet-proxy.conf", "/etc/apache2/conf-available/comet-proxy.conf", "deb"},
	{"examples/apache/comet-fcgid.conf", "/etc/apache2/conf-available/comet-fcgid.conf", "deb"},
	{"examples/lighttpd/50-comet-cgi.conf", "/etc/lighttpd/conf-available/50-comet-cgi.conf", "deb"},
	{"examples/lighttpd/50-comet-fcgi.conf", "/etc/lighttpd/conf-available/50-comet-fcgi.conf", "deb"},
}

const (
	units = "/usr/lib/systemd/system/"
	doc   = "/usr/share/doc/novcomet/"
)

// packaged replaces the paths of an installation by hand in settings and units. The manuals describe that
// installation.
func packaged(f file) []byte {
	if filepath.Ext(f.name) == ".md" || f.mode == 0o755 {
		return f.data
	}
	return []byte(strings.NewReplacer("/usr/local/bin", "/usr/bin", "/usr/lib/cgi-bin", "/usr/lib/novcomet").
		Replace(string(f.data)))
}

// packages writes a Debian and an RPM package.
func (r *release) packages(temporary, arch string, all []file) error {
	var contents files.Contents
	directories := map[string]bool{} // Those of NovComet alone. RPM removes only what a package names.
	stage := filepath.Join(temporary, arch, "stage")
	add := func(f file, target, packager string) error {
		source := filepath.Join(stage, target)
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			return errors.WithStack(err)
		}
		for directory := filepath.Dir(target); strings.Contains(directory, "/novcomet"); directory = filepath.Dir(directory) {
			directories[directory] = true
		}
		kind := files.TypeFile
		if strings.HasPrefix(target, "/etc/") {
			kind = files.TypeConfigNoReplace
		}
		contents = append(contents, &files.Content{
			Source: source, Destination: target, Type: kind, Packager: packager,
			FileInfo: &files.ContentFileInfo{Mode: f.mode, MTime: r.time},
		})
		return errors.WithStack(os.WriteFile(source, packaged(f), 0o644))
	}
	byName := map[string]file{}
	for _, f := range all {
		byName[f.name] = f
		target := doc + f.name
		switch {
		case f.name == "comet-fcgi", f.name == "comet.cgi", f.name == "LICENSE":
			continue
		case f.name == "LICENCES": // It begins with NovComet's own.
			target = doc + "copyright"
		case strings.HasPrefix(f.name, "man/"):
			var err error
			if f.data, err = compress(f.data); err != nil {
				return err
			}
			target = "/usr/share/" + f.name + ".gz"
		}
		if err := add(f, target, ""); err != nil {
			return err
		}
	}
	for _, p := range places {
		f, found := byName[p.name]
		if !found {
			return fmt.Errorf("%s is missing", p.name)
		}
		if err := add(f, p.target, p.packager); err != nil {
			return err
		}
	}
	for source, target := range map[string]string{
		"tmpfiles.conf": "/usr/lib/tmpfiles.d/novcomet.conf", "sysusers.conf": "/usr/lib/sysusers.d/novcomet.conf",
	} {
		data, err := os.ReadFile(source)
		if err != nil {
			return errors.WithStack(err)
		}
		if err := add(file{source, 0o644, data}, target, ""); err != nil {
			return err
		}
	}
	for _, directory := range slices.Sorted(maps.Keys(directories)) {
		contents = append(contents, &files.Content{
			Destination: directory, Type: files.TypeDir, FileInfo: &files.ContentFileInfo{Mode: 0o755, MTime: r.time},
		})
	}
	for _, format := range []string{"deb", "rpm"} {
		packager, err := nfpm.Get(format)
		if err != nil {
			return errors.WithStack(err)
		}
		info := nfpm.WithDefaults(r.info(arch, format, contents))
		name := strings.ReplaceAll(packager.ConventionalFileName(info), "~", "-") // GitHub would replace "~" by ".".
		err = r.write(name, func() ([]byte, error) {
			var data bytes.Buffer
			err := packager.Package(info, &data)
			return data.Bytes(), errors.WithStack(err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *release) info(arch, format string, contents files.Contents) *nfpm.Info {
	info := &nfpm.Info{
		Name: "novcomet", Arch: arch, Platform: "linux", Version: r.version, MTime: r.time,
		Section: "web", Priority: "optional", License: "MIT", Maintainer: "The NovComet project <novcomet@localhost>",
		Description: "real-time events for web pages, through the web server\n" +
			"Programs publish an event by writing a file. NovComet delivers it to the\n" +
			"browsers that wait for it, as a FastCGI backend of nginx, Apache, lighttpd\n" +
			"or Caddy, or as a CGI program.",
		DisableGlobbing: true,
	}
	info.Contents = contents
	info.RPM.BuildHost = "localhost" // The name of this machine would differ between builds.
	if format == "deb" {
		info.Suggests = []string{"nginx | apache2 | lighttpd | caddy"}
		info.Scripts = nfpm.Scripts{PostInstall: "deb/postinst", PreRemove: "deb/prerm", PostRemove: "deb/postrm"}
	} else {
		info.Scripts = nfpm.Scripts{PostInstall: "rpm/post", PreRemove: "rpm/preun", PostRemove: "rpm/postun"}
	}
	return info
}
