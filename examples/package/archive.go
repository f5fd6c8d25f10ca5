package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"path"

	"github.com/pkg/errors"
)

// archive returns a tar.gz archive with one directory, which contains the files.
func (r *release) archive(directory string, files []file) ([]byte, error) {
	var data bytes.Buffer
	archive := tar.NewWriter(&data)
	for _, f := range files {
		header := &tar.Header{
			Name: path.Join(directory, f.name), Mode: int64(f.mode), Size: int64(len(f.data)), ModTime: r.time,
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, errors.WithStack(err)
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, errors.WithStack(err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, errors.WithStack(err)
	}
	return compress(data.Bytes())
}

// compress compresses as gzip -9 does, without a name and a time.
func compress(content []byte) ([]byte, error) {
	var data bytes.Buffer
	w, err := gzip.NewWriterLevel(&data, gzip.BestCompression)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if _, err := w.Write(content); err != nil {
		return nil, errors.WithStack(err)
	}
	if err := w.Close(); err != nil {
		return nil, errors.WithStack(err)
	}
	return data.Bytes(), nil
}
