package memcached

import (
	"context"

	"novcomet/core/event"
	"novcomet/core/store"
)

// Data reads the data of all events with one command to each server. It fails if one server does not answer.
func (s *Store) Data(ctx context.Context, ids []event.ID, limit int) ([]store.Content, error) {
	contents := make([]store.Content, len(ids))
	for _, r := range s.get(ctx, ids) {
		if r.err != nil {
			return nil, r.err
		}
		for i, key := range r.keys {
			if _, data, err := parseValue(r.values[key]); err == nil {
				contents[r.positions[i]] = store.Limited(data, limit)
			}
		}
	}
	return contents, nil
}
