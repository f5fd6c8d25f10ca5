package examples_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"novcomet/examples/demo/launch"
)

// What the scripts of examples/publish publish is what a page gets.
func TestScriptsPublishWithTheirData(t *testing.T) {
	site := launchSite(t, launch.Options{Server: launch.Nginx})
	for _, script := range []struct {
		program string
		args    []string
		event   string
		data    string
		fails   bool
	}{
		{"sh", []string{"publish/build.sh", "true"}, "build", `"d":{"build":{"state":"green","at":"`, false},
		{"sh", []string{"publish/build.sh", "false"}, "build", `"d":{"build":{"state":"red","at":"`, true},
		{"php", []string{"publish/order.php", "4711", "19.90"}, "orders", `"d":{"orders":{"number":4711,"sum":19.9}}`, false},
		{"python3", []string{"publish/sensor.py", site.URL + "/comet.php", "21.5"}, "sensor", `"d":{"sensor":{"celsius":21.5}}`, false},
	} {
		t.Run(filepath.Base(script.args[0]), func(t *testing.T) {
			if _, err := exec.LookPath(script.program); err != nil {
				skipOrFail(t, err)
			}
			before := stampOf(t, site, script.event)
			if before == "" {
				before = "0.000000"
			}
			poll := polling(t, site, "subscribed["+script.event+"]="+before+"&data=1")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, script.program, script.args...)
			cmd.Env = append(os.Environ(), "COMET_FILE_DIRECTORY="+site.Events)
			if output, err := cmd.CombinedOutput(); err != nil != script.fails || len(output) > 0 {
				t.Fatalf("%v: %s", err, output)
			}
			if r := within(t, patience, poll); !strings.Contains(r.body, script.data) {
				t.Errorf("a page gets %s, want %s", r.body, script.data)
			}
		})
	}
}
