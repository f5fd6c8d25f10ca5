package e2e_test

import (
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"novcomet/conf/conftest"
	"novcomet/examples/internal/launch"
)

// Each example file has settings of a location as a comment: tries 10 and sleep 500ms.
func TestSettings_OfLocationOverrideFile(t *testing.T) {
	const wait = 5 * time.Second
	o := launch.Options{
		Blocks: []string{"Settings of this location"}, Settings: map[string]string{"tries": "1", "sleep": "0.1"},
	}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		r := query(t, site, "subscribed[never]=0.000000")
		wantBody(t, r, `{"s":0,"at":{"never":"0.000000"}}`)
		if r.took < wait {
			t.Errorf("the poll ended after %v, want %v", r.took, wait)
		}
	})
}

// Each example file and unit names the settings file. If the file is damaged or missing, nobody can publish.
func TestSettings_DamagedFileAllowsNothing(t *testing.T) {
	const group = "\n  allow: none" // One kind of damage cuts the group.
	o := launch.Options{Settings: map[string]string{"tries": "1", "sleep": "0.1", "publish": group}}
	forEachServer(t, launch.Servers(), o, func(t *testing.T, site *launch.Site) {
		whole, err := os.ReadFile(site.File())
		if err != nil {
			t.Fatal(err)
		}
		try(t, site, attempt{"before the damage", "publish=a", "", nil, 403, "not allowed"})
		for _, damage := range conftest.Damages() {
			if damage.UnseenAtStart {
				continue
			}
			if err := errors.Join(damage.Do(site.File()), site.Kill()); err != nil {
				t.Fatal(err)
			}
			if site.Socket() != "" && site.StartDaemon(t.Context()) == nil {
				t.Errorf("%s: comet-fcgi starts", damage.Name)
			}
			r := do(t, newRequest(t, http.MethodGet, site.URL+"/comet.php?publish=a", ""))
			if r.status < 500 {
				t.Errorf("%s: HTTP %d %s; want an error of the server", damage.Name, r.status, r.body)
			}
			if err := errors.Join(os.RemoveAll(site.File()), os.WriteFile(site.File(), whole, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if events, err := os.ReadDir(site.Events); len(events) > 0 || err != nil {
			t.Errorf("published: %v, %v", events, err)
		}
	})
}
