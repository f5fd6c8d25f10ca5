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
	compressed, err := gzip.NewWriterLevel(&data, gzip.BestCompression)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	archive := tar.NewWriter(compressed)
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
	if err := compressed.Close(); err != nil {
		return nil, errors.WithStack(err)
	}
	return data.Bytes(), nil
}
