package main

import "testing"

func TestFastCGI_HasVariablesAsLongAsThoseOfNginx(t *testing.T) {
	if n := len(variables("subscribed[event-00000]=1763800000.123456", acceptAnything)); n < 850 || n > 950 {
		t.Errorf("the variables have %d bytes, want about 900", n)
	}
}
