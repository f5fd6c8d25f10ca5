package build_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"novcomet/conf/build"
	"novcomet/core/access"
	"novcomet/core/event"
)

func TestLocations_MakesEachLocationOnce(t *testing.T) {
	locations := build.NewLocations(load(t))
	of := func(variables map[string]string) string {
		l, err := locations.Of(variables)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%p", l)
	}
	common := of(map[string]string{"QUERY_STRING": "publish=a"})
	five := of(map[string]string{"COMET_TRIES": "5", "QUERY_STRING": "publish=a"})
	if of(map[string]string{"QUERY_STRING": "publish=b"}) != common || of(map[string]string{"COMET_TRIES": "5"}) != five {
		t.Error("the same settings are made again")
	}
	both := map[string]string{"COMET_TRIES": "5", "COMET_SLEEP": "3"}
	first := of(both)
	for range 20 { // The order in which Go ranges over a map differs.
		if of(both) != first {
			t.Fatal("the same settings in another order are made again")
		}
	}
	if five == common || of(map[string]string{"COMET_TRIES": "6"}) == five {
		t.Error("other settings are the same location")
	}
}

// To make a location can mean to read a file, which may block.
func TestLocations_KnowsOnlyWhatItHasMade(t *testing.T) {
	locations := build.NewLocations(load(t))
	common, err := locations.Of(nil)
	if err != nil || common == nil || locations.Known(map[string]string{"QUERY_STRING": "a"}) != common {
		t.Error("the location without variables is not known", err)
	}
	secrets := filepath.Join(t.TempDir(), "secrets")
	variables := map[string]string{"COMET_SUBSCRIBE_SIGNED": "a", "COMET_SUBSCRIBE_SECRET_FILE": secrets}
	if locations.Known(variables) != nil {
		t.Error("a location is known that was not made")
	}
	if _, err := locations.Of(variables); err == nil || locations.Known(variables) != nil {
		t.Error("a location is known that cannot be made:", err)
	}
	if err := os.WriteFile(secrets, []byte(strings.Repeat("s", 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	if made, err := locations.Of(variables); err != nil || made == nil || locations.Known(variables) != made {
		t.Error("a location is not known that was made:", err)
	}
	long := map[string]string{"COMET_PUBLISH_ALLOW": strings.Repeat("a, ", 4<<10) + "a"}
	if _, err := locations.Of(long); err != nil || locations.Known(long) != nil {
		t.Error("the settings of a location take memory without a limit:", err)
	}
}

func TestLocations_ForgetsLocationsWhenThereAreTooMany(t *testing.T) {
	locations := build.NewLocations(load(t))
	for i := range 1000 {
		if _, err := locations.Of(map[string]string{"COMET_TRIES": strconv.Itoa(1 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	known := 0
	for i := range 1000 {
		if locations.Known(map[string]string{"COMET_TRIES": strconv.Itoa(1 + i)}) != nil {
			known++
		}
	}
	if known == 0 || known > 256 {
		t.Errorf("%d of 1000 locations are known, want at most 256", known)
	}
}

func TestLocations_RefusesInvalidSettings(t *testing.T) {
	if _, err := build.NewLocations(load(t)).Of(map[string]string{"COMET_TRIES": "many"}); err == nil {
		t.Error("no error")
	}
}

func TestLocations_ReplaceMarksEachLocation(t *testing.T) {
	locations := build.NewLocations(load(t))
	common, err1 := locations.Of(nil)
	five, err2 := locations.Of(map[string]string{"COMET_TRIES": "5"})
	if err1 != nil || err2 != nil || common.Replaced.Load() || five.Replaced.Load() {
		t.Fatalf("%v, %v; replaced: %v, %v", err1, err2, common.Replaced.Load(), five.Replaced.Load())
	}
	locations.Replace()
	six, err := locations.Of(map[string]string{"COMET_TRIES": "6"}) // a request that began before the reload
	if err != nil || !common.Replaced.Load() || !five.Replaced.Load() || !six.Replaced.Load() {
		t.Errorf("%v; replaced: %v, %v, %v", err, common.Replaced.Load(), five.Replaced.Load(), six.Replaced.Load())
	}
}

// A location without variables may exist, so visitors may publish there.
func TestLocations_DenyFormatsForWhatVisitorsPublishElsewhere(t *testing.T) {
	closed := map[string]string{"COMET_STREAM_FORMATS": "raw", "COMET_PUBLISH_ALLOW": "none"}
	id, err := event.ParseID("news")
	if err != nil {
		t.Fatal(err)
	}
	news := []event.Subscription{{ID: id}}
	for allow, denied := range map[string]bool{"*": true, "none": false, "chat": false, "<user>": true} {
		locations := build.NewLocations(load(t, "COMET_PUBLISH_ALLOW="+allow))
		l, err := locations.Of(closed)
		if err != nil {
			t.Fatal(err)
		}
		if reason := l.Access.FormatDenied(access.Raw, news); (reason != "") != denied {
			t.Errorf("publish.allow is %s: %q", allow, reason)
		}
		common, err := locations.Of(nil)
		if err != nil || common.Access.FormatDenied(access.Raw, news) == "" {
			t.Error("a format is allowed that is not switched on", err)
		}
	}
}
