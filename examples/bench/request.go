package main

// A browser's headers of an ordinary length.
const (
	browser  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	language = "en-GB,en;q=0.9,de;q=0.8"
	cookie   = "session=0123456789abcdef0123456789abcdef"
)

// What browsers take: fetch anything, EventSource a stream.
const (
	anything = "*/*"
	aStream  = "text/event-stream"
)

// pairs are the variables that nginx's own fastcgi_params passes on, about 900 bytes.
func pairs(query, accept string) []byte {
	var b []byte
	for _, pair := range [][2]string{
		{"QUERY_STRING", query},
		{"REQUEST_METHOD", "GET"},
		{"CONTENT_TYPE", ""},
		{"CONTENT_LENGTH", ""},
		{"SCRIPT_NAME", "/comet.php"},
		{"REQUEST_URI", "/comet.php?" + query},
		{"DOCUMENT_URI", "/comet.php"},
		{"DOCUMENT_ROOT", "/var/www/html"},
		{"SERVER_PROTOCOL", "HTTP/1.1"},
		{"REQUEST_SCHEME", "http"},
		{"GATEWAY_INTERFACE", "CGI/1.1"},
		{"SERVER_SOFTWARE", "nginx/1.22.1"},
		{"REMOTE_ADDR", "127.0.0.1"},
		{"REMOTE_PORT", "50000"},
		{"REMOTE_USER", ""},
		{"SERVER_ADDR", "127.0.0.1"},
		{"SERVER_PORT", "80"},
		{"SERVER_NAME", "www.example.org"},
		{"REDIRECT_STATUS", "200"},
		{"HTTP_HOST", "www.example.org"},
		{"HTTP_CONNECTION", "keep-alive"},
		{"HTTP_USER_AGENT", browser},
		{"HTTP_ACCEPT", accept},
		{"HTTP_SEC_FETCH_SITE", "same-origin"},
		{"HTTP_SEC_FETCH_MODE", "cors"},
		{"HTTP_REFERER", "http://www.example.org/news/index.html"},
		{"HTTP_ACCEPT_ENCODING", "gzip, deflate"},
		{"HTTP_ACCEPT_LANGUAGE", language},
		{"HTTP_COOKIE", cookie},
	} {
		b = append(b, byte(len(pair[0])), byte(len(pair[1]))) // None is longer than 127.
		b = append(append(b, pair[0]...), pair[1]...)
	}
	return b
}
