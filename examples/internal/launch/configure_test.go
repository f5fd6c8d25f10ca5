package launch

import "testing"

func TestUncomment_RemovesCommentSignsOfTheBlockUnderAHeading(t *testing.T) {
	const text = `a {
    # A long
    # heading:
    # b 1;
    # c {
    #     d "x: y";
    # }

    # Another heading:
    # e 2;
    f 3;
    # g 4;
}`
	const want = `a {
    # A long
    # heading:
    b 1;
    c {
        d "x: y";
    }

    # Another heading:
    # e 2;
    f 3;
    # g 4;
}`
	if got, err := uncomment(text, "A long"); err != nil || got != want {
		t.Errorf("%v:\n%s", err, got)
	}
	for _, heading := range []string{"No heading", "e 2", "g 4", "b 1", "f 3"} {
		if got, err := uncomment(text, heading); err == nil {
			t.Errorf("%s: got no error, and\n%s", heading, got)
		}
	}
}
