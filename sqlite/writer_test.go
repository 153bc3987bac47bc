package sqlite

import (
	"context"
	"errors"
	"testing"
)

// TestLeftBeforeCommit: who leaves while the writer is busy has written nothing,
// and a queue that holds nothing else does not end the writer.
func TestLeftBeforeCommit(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	begun, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- db.write(t.Context(), "first", func(*tx) error {
			close(begun)
			<-goOn
			return nil
		})
	}()
	<-begun

	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- db.Append(ctx, testEntry(2, "second")) }()
	for len(db.writer.jobs) == 0 {
		if err := ctx.Err(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("Append of one who left: %v; want %v", err, context.Canceled)
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Errorf("the commit that was under way: %v", err)
	}
	if err := db.Append(t.Context(), testEntry(3, "third")); err != nil {
		t.Errorf("Append afterwards: %v", err)
	}
	if _, err := db.Transaction(t.Context(), 2); err == nil {
		t.Error("an append that was given up was written")
	}
}

// TestLeftDuringCommit: who leaves once the commit has begun hears how it ended.
func TestLeftDuringCommit(t *testing.T) {
	db := mustOpen(t, Options{Path: t.TempDir(), Serve: true})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.write(ctx, "change", func(x *tx) error {
		cancel()
		return exec(x.c, `UPDATE meta SET value = 7 WHERE name = 'probe'`, nil)
	})
	if err != nil {
		t.Errorf("write: %v; want nil, for it was committed", err)
	}
}
