package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	pkgerrors "github.com/pkg/errors"
	"github.com/spf13/pflag"

	"novcomet/conf"
	"novcomet/core/event"
)

const publishCommand = "publish"

// publishFlags are the event and the flags of comet-fcgi publish.
type publishFlags struct {
	event   string
	data    string // the name of the file with the data; "-": standard input
	hasData bool
}

func (p *publishFlags) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&p.data, "data", "", "publish: publish the content of this `FILE` as data; -: standard input")
}

// parse reads the arguments after the command.
func (p *publishFlags) parse(arguments []string, flags *pflag.FlagSet) error {
	if len(arguments) != 1 {
		return errors.New("publish takes one event: comet-fcgi publish ID")
	}
	p.event, p.hasData = arguments[0], flags.Changed("data")
	return nil
}

// publish publishes an event in the store of the settings. It is for programs that do not use a web server.
func publish(ctx context.Context, source conf.Source, p publishFlags) error {
	id, err := event.ParseID(p.event)
	if err != nil {
		return err
	}
	config, err := conf.Load(source)
	if err != nil {
		return err
	}
	var data []byte
	if p.hasData {
		if data, err = p.read(ctx, config.Data.MaxBytes); err == nil {
			_, err = event.EncodeData(data)
		}
		if err != nil {
			return fmt.Errorf("--data: %w", err)
		}
	}
	store, err := openStore(config)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // The event is published or not; an error here changes neither.
	_, err = store.Publish(ctx, id, data)
	return err
}

// read returns the data, never nil. It ends with ctx, because a terminal or a FIFO may never be read to its
// end.
func (p *publishFlags) read(ctx context.Context, limit int) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	results := make(chan result, 1)
	go func() {
		file := os.Stdin
		if p.data != "-" {
			var err error
			if file, err = os.Open(p.data); err != nil {
				results <- result{nil, pkgerrors.WithStack(err)}
				return
			}
		}
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
		results <- result{data, pkgerrors.WithStack(err)}
	}()
	select {
	case r := <-results:
		if len(r.data) > limit {
			return nil, fmt.Errorf("it has more than %d bytes (data.max_bytes)", limit)
		}
		return r.data, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
