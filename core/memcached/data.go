package memcached

import (
	"bytes"
	"context"

	"novcomet/core"
)

// PublishData is Publish, with data in the place of what was behind the stamp. Stamp and data are one value: nobody sees the
// one without the other. memcached itself takes no value of more than 1 MiB, unless told otherwise (-I).
func (s *Store) PublishData(ctx context.Context, id core.ID, data []byte) (core.Stamp, error) {
	var behind []byte
	if len(data) > 0 {
		behind = append([]byte{'\n'}, data...)
	}
	return s.publish(ctx, id, func([]byte) []byte { return behind })
}

// Data returns what is behind the stamps.
func (s *Store) Data(ctx context.Context, ids []core.ID, limit int) ([]core.Content, error) {
	data := make([]core.Content, len(ids))
	for _, q := range s.ask(ctx, ids) {
		if q.err != nil {
			return nil, q.err
		}
		for i, key := range q.keys {
			_, behind, err := parseValue(q.values[key])
			if behind = bytes.TrimPrefix(behind, []byte{'\n'}); err == nil {
				data[q.positions[i]] = core.Limited(behind, limit)
			}
		}
	}
	return data, nil
}
