package core_test

import (
	"testing"

	"go.uber.org/goleak"

	"novcomet/core"
	"novcomet/core/access"
	"novcomet/core/internal/coretest"
	"novcomet/core/store"
)

// A goroutine that is left over fails the run.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ask, send = coretest.Ask, coretest.Send

const form = "application/x-www-form-urlencoded"

func newEndpoint(s store.Store, l core.Location) *core.Endpoint {
	return core.NewEndpoint(s, core.Options{Location: l, Log: coretest.Discard})
}

// withAccess returns an endpoint of an empty store, whose polls do not wait.
func withAccess(rules access.Rules) *core.Endpoint {
	return newEndpoint(coretest.NewMemory(), core.Location{Access: rules})
}

func patterns(globs ...string) access.Patterns { return coretest.Must(access.ParsePatterns(globs)) }

func origins(sites ...string) access.Origins { return coretest.Must(access.ParseOrigins(sites)) }
