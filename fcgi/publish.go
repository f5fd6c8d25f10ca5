package main

import (
	"context"
	"io"
	"os"

	"github.com/pkg/errors"
	"github.com/spf13/pflag"

	"novcomet/conf"
	"novcomet/core"
)

const publishCommand = "publish" // before the event

// publishing is what the command line says of a publication.
type publishing struct {
	event string
	data  string // the file with the data
	with  bool   // data
}

func (p *publishing) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&p.data, "data", "", "publish: the content of this `FILE` as data, too; -: what comes on standard input")
}

// take takes the arguments after the command.
func (p *publishing) take(arguments []string, flags *pflag.FlagSet) error {
	if len(arguments) != 1 {
		return errors.New("publish takes one event: comet-fcgi publish ID")
	}
	p.event, p.with = arguments[0], flags.Changed("data")
	return nil
}

// publish publishes an event as the configuration says, for programs that do so without a web server.
func publish(ctx context.Context, source conf.Source, p publishing) (err error) {
	id, err := core.ParseID(p.event)
	if err != nil {
		return err
	}
	config, err := conf.Load(source)
	if err != nil {
		return err
	}
	store, shut, err := openStore(config)
	if err != nil {
		return err
	}
	defer func() { _ = shut() }() // It is published, or it is not; this changes nothing.
	if !p.with {
		_, err = store.Publish(ctx, id)
		return err
	}
	data, err := p.read(ctx, config.Data.MaxBytes)
	if err == nil {
		err = core.CheckData(data)
	}
	if err != nil {
		return errors.WithMessage(err, "--data")
	}
	_, err = store.(core.Carrier).PublishData(ctx, id, data) // All that can be configured are.
	return err
}

// read reads the data, unless ctx ends before: a terminal, or a FIFO, may never say anything.
func (p *publishing) read(ctx context.Context, limit int) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	read := make(chan content, 1)
	go func() {
		file, err := os.Stdin, error(nil)
		if p.data != "-" {
			file, err = os.Open(p.data)
		}
		if err != nil {
			read <- content{nil, errors.WithStack(err)}
			return
		}
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
		read <- content{data, errors.WithStack(err)}
	}()
	select {
	case c := <-read:
		if len(c.data) > limit {
			return nil, errors.Errorf("it has more than %d bytes (data.max_bytes)", limit)
		}
		return c.data, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
