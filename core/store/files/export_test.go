package files

// ProbeByName is Probe on a file system that has no files without a name.
func (s *Store) ProbeByName() error { return s.probeWith(namedSample) }
