package core

// ProbeByName is Probe on a file system that has no files without a name.
func (f *Files) ProbeByName() error { return f.probe(namedSample) }
