package conf

import "testing"

// So far no key of its own says so: whatever will be called a secret or a password is one.
func TestASecretIsNotShown(t *testing.T) {
	for _, test := range []struct {
		key   string
		value any
		want  string
	}{
		{"redis.password", "hunter2", "(secret)"},
		{"redis.password", "", "(not set)"},
		{"subscribe.secret", "0123456789", "(secret)"},
		{"subscribe.secret", []any{"0123456789", "abcdef"}, "(secret)"},
		{"subscribe.secret", "none", "(not set)"},
		{"subscribe.secret", []any{}, "(not set)"},
		{"redis.password_file", "/etc/novcomet/password", "/etc/novcomet/password"},
		{"tries", "20", "20"},
	} {
		if got := shown(test.key, test.value); got != test.want {
			t.Errorf("%s: %v is shown as %s, want %s", test.key, test.value, got, test.want)
		}
	}
}
