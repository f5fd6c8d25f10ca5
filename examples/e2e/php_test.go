package e2e_test

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"novcomet/examples/internal/launch"
)

// runPHP runs code that uses examples/publish/novcomet.php, and returns its output. The code reads the
// variables by getenv. PHP has no allow_url_fopen, and prints every warning and deprecation.
func runPHP(t *testing.T, code string, variables ...string) string {
	t.Helper()
	return runPHPBy(t, nil, code, variables...)
}

// runPHPBy is runPHP, but lets a command run PHP, such as strace.
func runPHPBy(t *testing.T, command []string, code string, variables ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code = `declare(strict_types=1); require "../publish/novcomet.php"; ` + code
	args := append(command[:len(command):len(command)], "php",
		"-d", "allow_url_fopen=0", "-d", "error_reporting=-1", "-d", "display_errors=stdout", "-r", code)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), variables...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", code, err, output)
	}
	return string(output)
}

// failingPHP runs code that throws an exception, and returns "CODE: MESSAGE".
func failingPHP(t *testing.T, code string, variables ...string) string {
	t.Helper()
	code = `try { ` + code + ` echo "no exception"; } catch (Exception $e) { echo $e->getCode(), ": ", $e->getMessage(); }`
	return runPHP(t, code, variables...)
}

func TestPHP_PublishesByFileAndByURL(t *testing.T) {
	site := launchSite(t, launch.Options{Server: launch.Nginx, Settings: longPolls})
	ids := []string{"php", "ü ?&=#%+\"'"}
	for i, target := range []string{site.Events, site.URL + "/comet.php"} {
		id := ids[i]
		t.Run(target, func(t *testing.T) {
			cursor := "0.0"
			for _, step := range []struct{ argument, data string }{
				{`, ["text" => "ü / <b>", "list" => [1, 2.5, null, true]]`, `{"text":"ü / <b>","list":[1,2.5,null,true]}`},
				{``, `{"text":"ü / <b>","list":[1,2.5,null,true]}`},
				{`, "text\n"`, `"text\n"`},
				{`, null`, `null`},
				{`, str_repeat("x", 65534)`, `"` + strings.Repeat("x", 65534) + `"`},
			} {
				poll := sendQuery(t, site, "subscribed["+url.QueryEscape(id)+"]="+cursor+"&data=1")
				code := `(new NovComet(getenv("TARGET")))->publish(getenv("ID")` + step.argument + `);`
				if output := runPHP(t, code, "TARGET="+target, "ID="+id); output != "" {
					t.Errorf("%s prints %s", code, output)
				}
				a := receive(t, poll)
				var body struct {
					D  map[string]json.RawMessage
					At map[string]string
				}
				if err := json.Unmarshal([]byte(a.body), &body); err != nil || string(body.D[id]) != step.data {
					t.Errorf("publish(ID%s): a page gets %.200s, %v; want the data %.200s", step.argument, a.body, err, step.data)
				}
				cursor = stampOf(t, site, id)
			}
		})
	}
}
