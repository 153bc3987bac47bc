package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A bar shows progress on a terminal.
type bar struct{ *progressbar.ProgressBar }

// newBar returns a bar that is full at total, or a spinner for a total of -1;
// nil if out is no terminal.
func newBar(out io.Writer, total int, text string) *bar {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return &bar{progressbar.NewOptions(total, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(text),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))}
}

// set shows how far it has come. A bar that cannot be drawn harms nobody.
func (b *bar) set(n int, text string) {
	b.Describe(text)
	if limit := b.GetMax(); limit > 0 {
		n = min(n, limit)
	}
	_ = b.Set(n)
}

// count shows that n are done; a bar that is not there shows nothing.
func (b *bar) count(n int64) {
	if b != nil {
		_ = b.Set64(min(n, b.GetMax64()))
	}
}

func (b *bar) finish() {
	if b != nil {
		_ = b.Finish()
	}
}
