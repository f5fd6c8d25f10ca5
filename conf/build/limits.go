package build

import (
	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/hub"
)

// Limits returns the limits of the endpoint.
func Limits(c conf.Config) core.Limits {
	return core.Limits{
		Limits: hub.Limits{
			MaxWaiting: c.MaxWaiting, MaxEvents: c.MaxEvents, MaxData: c.Data.MaxBytes, MaxAnswerData: c.Data.MaxAnswer(),
		},
		MaxForm: int64(c.MaxRequest), MaxStreams: c.MaxWaiting,
	}
}
