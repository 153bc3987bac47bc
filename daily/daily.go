// Package daily writes what the ledger made final each day as a file, to a folder
// or a bucket.
//
// # What it promises
//
// A day is [00:00, 24:00) UTC, by InsertedAt: its file has the final records that
// were stored then, by InsertedAt. It is written once the day is over, and the
// ledger answers only when no commit can lie in the day any more: nothing is
// missed, and no final record is in two files unless it was revised. A revision
// is a new InsertedAt: it is in the file of its own day, with a higher Revision.
// A record that was revised before the file of its first day was written is only
// in that of the revision. Who reads all files and keeps, of each transaction,
// the row with the highest Revision has the ledger as of the last day.
//
// A file is there whole or not at all. Beside it is a [Manifest], written after
// it: who waits for the manifest never meets a file without one. To write a day
// again replaces both.
//
// Which days are done is kept in the ledger ([Store]): the days that a server
// missed are written when it comes back, the oldest first, each until it
// succeeds; one that fails keeps no other from being written. A file that somebody
// makes by hand ([ByHand]) is noted there too, and changes nothing of that.
package daily

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"leyden/export"
)

// Length is how long a day is, in UTC.
const Length = 24 * time.Hour

// DayOf returns the begin of the day in which t lies.
func DayOf(t time.Time) time.Time { return t.UTC().Truncate(Length) }

// A Run is what is known of the file of one day.
type Run struct {
	Day        time.Time // its begin
	Attempts   int       // how often a Schedule tried it
	Error      string    // why the last attempt failed; "" if it did not
	File       string    // where it is
	Rows       int64
	Bytes      int64
	SHA256     string    // of the file, in hex
	FinishedAt time.Time // zero: it is to be done
}

// ByHand reports whether it is no day of a [Schedule]: the only file was made by
// hand.
func (r *Run) ByHand() bool { return r.Attempts == 0 && !r.FinishedAt.IsZero() }

// A Store keeps runs. The drivers memory and sqlite implement it; package
// storetest says what an implementation must do.
type Store interface {
	// SaveDailyRun keeps what is known of a day in place of what was before. A Day
	// that is zero, or no begin of a day, is leyden.ErrInvalid.
	SaveDailyRun(ctx context.Context, r Run) error

	// DailyRuns returns up to limit runs, the newest day first; with unfinished
	// only those that are to be done, the oldest day first.
	DailyRuns(ctx context.Context, unfinished bool, limit int) ([]Run, error)
}

// A Target is where files go.
type Target interface {
	// Put makes a file of what write writes, in place of one with that name: whole
	// or not at all, and durable when it returns. It returns where that is.
	Put(ctx context.Context, name string, write func(io.Writer) error) (place string, err error)
}

var (
	_ Target = Folder("")
	_ Target = (*Bucket)(nil)
)

// A Source writes the rows of a day as a file of a format, and counts them.
type Source func(ctx context.Context, w io.Writer, f export.Format, day time.Time) (rows int64, err error)

// A Manifest tells what a file is, and proves that it is whole.
type Manifest struct {
	File       string        `json:"file"`
	Day        string        `json:"day"` // 2026-11-20
	From       time.Time     `json:"from"`
	To         time.Time     `json:"to"`
	Format     export.Format `json:"format"`
	Rows       int64         `json:"rows"`
	Bytes      int64         `json:"bytes"`
	SHA256     string        `json:"sha256"`
	ExportedAt time.Time     `json:"exportedAt"`
}

// FileName returns the name of the file of a day.
func FileName(day time.Time, f export.Format) string {
	return "transactions-" + day.Format(time.DateOnly) + "." + string(f)
}

// ManifestName returns the name of the manifest of a day.
func ManifestName(day time.Time) string {
	return "transactions-" + day.Format(time.DateOnly) + ".manifest.json"
}

// Write writes the file of a day and its manifest.
func Write(ctx context.Context, to Target, from Source, f export.Format, day, now time.Time) (Run, error) {
	run := Run{Day: day}
	name := FileName(day, f)
	place, err := to.Put(ctx, name, func(w io.Writer) (err error) {
		sum := sha256.New()
		size := &counter{w: io.MultiWriter(w, sum)}
		run.Rows, err = from(ctx, size, f, day)
		run.Bytes, run.SHA256 = size.n, hex.EncodeToString(sum.Sum(nil))
		return err
	})
	if err != nil {
		return run, fmt.Errorf("export %s: %w", name, err)
	}
	run.File = place
	manifest, err := json.MarshalIndent(Manifest{
		File: name, Day: day.Format(time.DateOnly), From: day, To: day.Add(Length), Format: f,
		Rows: run.Rows, Bytes: run.Bytes, SHA256: run.SHA256, ExportedAt: now.UTC().Truncate(time.Millisecond),
	}, "", "  ")
	if err != nil {
		return run, err
	}
	_, err = to.Put(ctx, ManifestName(day), func(w io.Writer) error {
		_, err := w.Write(append(manifest, '\n'))
		return err
	})
	if err != nil {
		return run, fmt.Errorf("export the manifest of %s: %w", name, err)
	}
	run.FinishedAt = now
	return run, nil
}

// ByHand is Write, and notes the file in the store. A day that a Schedule owes
// stays due: what is made by hand may go elsewhere than its files.
func ByHand(ctx context.Context, s Store, to Target, from Source, f export.Format, day, now time.Time) (Run, error) {
	run, err := Write(ctx, to, from, f, day, now)
	if err != nil {
		return run, err
	}
	all, err := s.DailyRuns(ctx, false, allRuns)
	if err != nil {
		return run, fmt.Errorf("runs of days: %w", err)
	}
	kept := run
	for i := range all {
		if before := &all[i]; before.Day.Equal(day) {
			kept.Attempts = before.Attempts
			if before.FinishedAt.IsZero() {
				kept.FinishedAt, kept.Error = time.Time{}, before.Error
			}
		}
	}
	if err := s.SaveDailyRun(ctx, kept); err != nil {
		return run, fmt.Errorf("keep the run of %s: %w", day.Format(time.DateOnly), err)
	}
	return run, nil
}

// allRuns is more than there are: one a day.
const allRuns = 1_000_000

// A counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

// Write writes p.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
