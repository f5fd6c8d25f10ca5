package build_test

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"novcomet/conf/build"
)

func TestLogHandler_WritesTheTimeIfAsked(t *testing.T) {
	const date = `2[0-9]{3}-[0-9]{2}-[0-9]{2}`
	for _, test := range []struct {
		format   string
		withTime bool
		want     string
	}{
		{"text", true, `^time=` + date + `T[0-9:.]{12}(Z|[+-][0-9:]{5}) level=ERROR msg="it broke" g.time=then\n$`},
		{"text", false, `^level=ERROR msg="it broke" g.time=then\n$`},
		{"json", true, `^{"time":"` + date + `T[^"]+","level":"ERROR","msg":"it broke","g":{"time":"then"}}\n$`},
		{"json", false, `^{"level":"ERROR","msg":"it broke","g":{"time":"then"}}\n$`},
	} {
		var line strings.Builder
		log := slog.New(build.LogHandler(&line, slog.LevelInfo, test.format, test.withTime))
		log.Error("it broke", slog.Group("g", "time", "then"))
		if !regexp.MustCompile(test.want).MatchString(line.String()) {
			t.Errorf("%s, time %v: %q; want %s", test.format, test.withTime, line.String(), test.want)
		}
	}
}

func TestLogHandler_WritesAnErrorInOneLineWithoutItsStack(t *testing.T) {
	var line strings.Builder
	log := slog.New(build.LogHandler(&line, slog.LevelInfo, "text", false))
	log.Error("it broke", "error", errors.Wrap(errors.New("rusty"), "an old part"))
	if want := "level=ERROR msg=\"it broke\" error=\"an old part: rusty\"\n"; line.String() != want {
		t.Errorf("%q; want %q", line.String(), want)
	}
}
