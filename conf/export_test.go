package conf

// Search reads the first file that is there, as [Load] does if no file is named.
func Search(places ...string) (path string, text []byte, err error) {
	f, err := search(places)
	return f.path, f.text, err
}
