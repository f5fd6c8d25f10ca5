package main

import (
	"context"

	"novcomet/conf"
	"novcomet/core"
	"novcomet/core/gateway"
)

// publish publishes an event as the configuration says, for programs that do so without a web server.
func publish(ctx context.Context, source conf.Source, name string) (err error) {
	id, err := core.ParseID(name)
	if err != nil {
		return err
	}
	config, err := conf.Load(source)
	if err != nil {
		return err
	}
	store, shut, err := gateway.Store(config)
	if err != nil {
		return err
	}
	defer func() { _ = shut() }() // It is published, or it is not; this changes nothing.
	_, err = store.Publish(ctx, id)
	return err
}
