package conf_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"novcomet/conf"
)

func TestTheFlagBeatsTheVariableThatNamesAFile(t *testing.T) {
	five, six := write(t, "tries: 5"), write(t, "tries: 6")
	environ := []string{"COMET_CONFIG=" + five}
	if c := load(t, conf.Source{Environ: environ}); c.Tries != 5 {
		t.Errorf("COMET_CONFIG: tries %d", c.Tries)
	}
	if c := load(t, conf.Source{File: six, Environ: environ}); c.Tries != 6 {
		t.Errorf("--config: tries %d", c.Tries)
	}
}

func TestAFileThatIsNamedMustBeReadable(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.yaml")
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, []byte("# "+strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling.yaml")
	if err := os.Symlink(missing, dangling); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo.yaml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		fifo:             "is not a regular file",
		missing:          "no such file or directory",
		dangling:         "a symbolic link leads nowhere",
		dir:              "is not a regular file",
		large:            "larger than 1 MiB",
		"/dev/null/what": "not a directory",
	} {
		_, err := conf.Load(conf.Source{File: path})
		mustSay(t, err, "--config: ", path, says)
		_, err = conf.Load(conf.Source{Environ: []string{"COMET_CONFIG=" + path}})
		mustSay(t, err, "COMET_CONFIG: ", path, says)
	}
}

func TestUnknownVariablesAreRefused(t *testing.T) {
	for variable, says := range map[string]string{
		"COMET_TRYS=5":         `unknown environment variable "COMET_TRYS": did you mean COMET_TRIES?`,
		"COMET_FILEDIRECTORY=": `did you mean COMET_FILE_DIRECTORY?`,
		"COMET_WHATEVER=1":     `"COMET_WHATEVER": the shipped comet.yaml lists all keys`,
		"COMET_=1":             `"COMET_"`,
		"COMET_FILE=1":         `"COMET_FILE"`,
		"COMET_file_mode=0600": `did you mean COMET_FILE_MODE?`,
		"COMET_FILE.MODE=0600": `did you mean COMET_FILE_MODE?`,
	} {
		_, err := conf.Load(conf.Source{File: os.DevNull, Environ: []string{variable}})
		mustSay(t, err, "unknown environment variable ", says)
	}
}

func TestOtherProgramsVariablesAndEmptyOnesChangeNothing(t *testing.T) {
	from := conf.Source{File: os.DevNull, Environ: []string{"TRIES=5", "HTTP_COMET_TRIES=5", "comet_tries=5", "XCOMET_TRIES=5",
		"COMET_TRIES=", "COMET_FILE_MODE=", "NOVALUE", ""}}
	if got := load(t, from); !reflect.DeepEqual(got, defaults(t)) {
		t.Errorf("%+v", got)
	}
}

// comet-fcgi --listen "" takes the socket that is handed over, whatever the file says.
func TestAnEmptyFlagIsAValue(t *testing.T) {
	c := load(t, conf.Source{File: write(t, "listen: 127.0.0.1:9000"), Flags: map[string]string{"listen": ""}})
	if c.Listen != "" {
		t.Errorf("listen %q", c.Listen)
	}
}

func TestUnknownFlagIsRefused(t *testing.T) {
	_, err := conf.Load(conf.Source{File: os.DevNull, Flags: map[string]string{"listn": ""}})
	mustSay(t, err, `flag --listn: unknown key "listn": did you mean listen?`)
}

// Only this path means it: another empty file may be a comet.yaml that was emptied.
func TestLoad_DevNullMeansNoFile(t *testing.T) {
	link := filepath.Join(t.TempDir(), "comet.yaml")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, from := range []conf.Source{{File: os.DevNull}, {File: "/dev/../dev/null"}, {Environ: []string{"COMET_CONFIG=/dev/null"}}} {
		l, err := conf.Read(from)
		if err != nil || l.File() != "" {
			t.Errorf("%+v: file %q, %v", from, l.File(), err)
		}
	}
	_, err := conf.Load(conf.Source{File: link})
	mustSay(t, err, link+": is not a regular file")
}

// The program is looked for under the path it was called by, then where it really is.
func TestTheFileBesideTheProgramIsFound(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	place := func(dir, tries string) string {
		if tries != "" {
			if err := os.WriteFile(filepath.Join(dir, "comet.yaml"), []byte("tries: "+tries), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(dir, "comet.cgi")
	}
	scene := func(besideProgram, besideLink string) (program, link string) {
		program, link = place(t.TempDir(), besideProgram), place(t.TempDir(), besideLink)
		text, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(program, text, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(program, link); err != nil {
			t.Fatal(err)
		}
		return program, link
	}
	elsewhere := t.TempDir()
	place(elsewhere, "99")

	program1, link1 := scene("5", "")
	_, link2 := scene("5", "6")
	for _, c := range []struct {
		name, path, argv0, dir string
		environ                []string
		want                   int
	}{
		{"called by its path", program1, program1, elsewhere, nil, 5},
		{"called by a link without a file", link1, link1, elsewhere, nil, 5},
		{"called by a link with a file", link2, link2, elsewhere, nil, 6},
		{"called by a relative path", link2, "./comet.cgi", filepath.Dir(link2), nil, 6},
		{"called by a bare name", link2, "comet.cgi", elsewhere, nil, 5},
		{"the path of another program is not trusted", program1, filepath.Join(elsewhere, "comet.cgi"), elsewhere, nil, 5},
		{"an empty argv[0]", program1, "", elsewhere, nil, 5},
		{"COMET_CONFIG beats it", link2, link2, elsewhere, []string{"COMET_CONFIG=" + filepath.Join(elsewhere, "comet.yaml")}, 99},
		{"a variable beats it", link2, link2, elsewhere, []string{"COMET_TRIES=7"}, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := program(t, c.path, c.argv0, c.dir, c.environ...); got.Tries != c.want {
				t.Errorf("tries %d, want %d", got.Tries, c.want)
			}
		})
	}
}

// A file that is there but can't be read may restrict who publishes, so the search does not go on.
func TestLoad_StopsTheSearchAtAFileThatCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"a link that leads nowhere": func(path string) error { return os.Symlink("missing", path) },
		"a directory":               func(path string) error { return os.Mkdir(path, 0o700) },
		"a large file":              func(path string) error { return os.WriteFile(path, make([]byte, 2<<20), 0o600) },
		"its directory is a link that leads nowhere": func(path string) error { return os.Symlink("missing", filepath.Dir(path)) },
		"its directory is a file":                    func(path string) error { return os.WriteFile(filepath.Dir(path), nil, 0o600) },
	} {
		path := filepath.Join(t.TempDir(), "comet.yaml")
		if strings.HasPrefix(name, "its directory") {
			path = filepath.Join(filepath.Dir(path), "novcomet", "comet.yaml")
		}
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		_, _, err := conf.Search(path, write(t, "tries: 7"))
		mustSay(t, err, "comet.yaml: ")
	}
	missing, next := filepath.Join(t.TempDir(), "novcomet", "comet.yaml"), write(t, "tries: 7")
	if path, text, err := conf.Search(missing, next); path != next || string(text) != "tries: 7" || err != nil {
		t.Errorf("where there is nothing: %s %q, %v", path, text, err)
	}
	if path, _, err := conf.Search(missing); path != "" || err != nil {
		t.Errorf("without any file: %s, %v", path, err)
	}
}
