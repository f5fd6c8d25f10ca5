package soak

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"os/exec"

	"github.com/pkg/errors"
)

//go:embed judge.py
var judgePy []byte

// JudgeAgain writes the history to a file, lets judge.py judge it, and returns that verdict.
func (h *History) JudgeAgain(ctx context.Context, path string) (*Verdict, error) {
	if err := h.Write(path); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "python3", "-", path)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(judgePy), &stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, errors.Wrapf(err, "judge.py (apt install python3): %s", stderr.String())
	}
	verdict := &Verdict{}
	return verdict, errors.Wrap(json.Unmarshal(output, verdict), "judge.py")
}
