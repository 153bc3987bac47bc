package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"leyden"
	"leyden/daily"
)

var _ daily.Store = (*DB)(nil)

// SaveDailyRun implements [daily.Store].
func (db *DB) SaveDailyRun(ctx context.Context, run daily.Run) error {
	const save = `
INSERT OR REPLACE INTO daily_runs (day, attempts, error, file, rows, bytes, sha256, finished_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`
	if run.Day.IsZero() || !run.Day.Equal(daily.DayOf(run.Day)) {
		return fmt.Errorf("%v is no day: %w", run.Day, leyden.ErrInvalid)
	}
	return db.write(ctx, "save daily run", func(t *tx) error {
		return exec(t.c, save, func(b *binder) {
			b.time(run.Day)
			b.int(int64(run.Attempts))
			b.text(run.Error)
			b.text(run.File)
			b.int(run.Rows)
			b.int(run.Bytes)
			b.text(run.SHA256)
			b.time(run.FinishedAt)
		})
	})
}

// What is read of runs, in one order and in the other.
const (
	dailyRuns = `
SELECT day, attempts, error, file, rows, bytes, sha256, finished_at FROM daily_runs
ORDER BY day DESC LIMIT (?1 + 0)`
	dailyRunsUnfinished = `
SELECT day, attempts, error, file, rows, bytes, sha256, finished_at FROM daily_runs
WHERE finished_at IS NULL ORDER BY day LIMIT (?1 + 0)`
)

// DailyRuns implements [daily.Store].
func (db *DB) DailyRuns(ctx context.Context, unfinished bool, limit int) (runs []daily.Run, err error) {
	query := dailyRuns
	if unfinished {
		query = dailyRunsUnfinished
	}
	err = db.read(ctx, "daily runs", func(c *sqlite.Conn) error {
		return each(c, query, func(b *binder) { b.int(int64(limit)) }, func(r *row) error {
			runs = append(runs, daily.Run{
				Day: r.time(), Attempts: int(r.int()), Error: r.text(), File: r.text(),
				Rows: r.int(), Bytes: r.int(), SHA256: r.text(), FinishedAt: r.time(),
			})
			return nil
		})
	})
	return runs, err
}
