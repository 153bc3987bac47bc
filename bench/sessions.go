package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"leyden"
	"leyden/sim"
	"leyden/sqlite"
)

// Sessions measures how many complete charges a second the server keeps, each
// station doing one after the other. ctx ends it early, with an error. It fails if
// the ledger lacks a session that was answered.
func Sessions(ctx context.Context, o Options) (r *Sample, err error) {
	data, err := os.MkdirTemp("", "leyden-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	r = new(Sample)
	disk, err := SyncTime(data)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s, err := start(ctx, &o, data)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	sample := sampler{server: s, span: o.Duration, also: o.OnMeasure}
	load := sim.Load{
		Dial: o.Dial(s.url), Stations: o.Stations, Duration: o.Duration, Warmup: o.Warmup,
		OnMeasure: sample.begin,
	}
	measured, err := load.Run(ctx)
	used, rss := sample.used(), s.rss()
	kept := 0
	if err == nil && o.store() == Memory {
		kept, err = s.completed(ctx)
	}
	if err := errors.Join(err, s.stop()); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r.take(measured)
	r.cost(measured.Messages, &used)
	r.add("server RSS", "MiB", Less, rss)
	r.disk(disk)
	if o.store() != Memory {
		size, err := sizeOf(data)
		if err != nil {
			return nil, fmt.Errorf("bench: ledger: %w", err)
		}
		if kept, err = count(ctx, data); err != nil {
			return nil, fmt.Errorf("bench: ledger: %w", err)
		}
		r.add("ledger", "KiB/transaction", Less, over(size/1024, float64(kept)))
	}
	if kept < measured.Sessions {
		return nil, fmt.Errorf("bench: the ledger holds %d of %d answered sessions", kept, measured.Sessions)
	}
	return r, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// take adds what the load achieved.
func (r *Sample) take(m *sim.LoadResult) {
	r.Errors, r.FirstError = m.Errors, m.FirstError
	r.add("sessions", "/s", More, m.SessionsPerSecond())
	r.add("messages", "/s", More, m.MessagesPerSecond())
	r.latencies(m)
}

// latencies adds how long answers took.
func (r *Sample) latencies(m *sim.LoadResult) {
	for _, l := range []struct {
		name string
		sim.Latency
	}{
		{"Authorize", m.Authorizes}, {"StartTransaction", m.Starts}, {"MeterValues", m.Readings}, {"StopTransaction", m.Stops}, {"any answer", m.Answers},
	} {
		r.add(l.name+" p50", "ms", Less, ms(l.P50))
		r.add(l.name+" p99", "ms", Less, ms(l.P99))
	}
}

// cost adds what was used for so many messages.
func (r *Sample) cost(messages int, u *usage) {
	each := func(n float64) float64 { return over(n, float64(messages)) }
	r.add("server processor", "µs/message", Less, each(u.server*1e6))
	r.add("load processor", "µs/message", Neither, each(u.load*1e6))
	r.add("read calls", "/message", Less, each(u.reads))
	r.add("write calls", "/message", Less, each(u.writes))
	if u.counts[countFrames] > 0 {
		r.add("allocations", "/message", Less, u.perFrame(countMallocs))
		r.add("allocated", "B/message", Less, u.perFrame(countBytes))
	}
	if _, commits := u.counts[countCommits]; commits {
		r.add("commits", "/s", Neither, u.rate(countCommits))
		r.add("messages a commit", "", Neither, over(u.counts[countFrames], u.counts[countCommits]))
	}
}

// disk adds how long the disk takes, and how long a start beside it.
func (r *Sample) disk(took time.Duration) {
	r.add("fdatasync p50", "ms", Neither, ms(took))
	r.add("StartTransaction p50 over fdatasync p50", "", Less, over(r.Get("StartTransaction p50"), ms(took)))
}

// completed asks the server how many charges are completed.
func (s *server) completed(ctx context.Context) (int, error) {
	body, err := s.get(ctx, "/api/v1/transactions?status=completed&limit=1")
	if err != nil {
		return 0, err
	}
	var page struct{ Pagination struct{ Total int } }
	if err := json.Unmarshal(body, &page); err != nil {
		return 0, fmt.Errorf("list of transactions: %w", err)
	}
	return page.Pagination.Total, nil
}

// count opens the ledger of a folder and counts the charges that are completed.
func count(ctx context.Context, data string) (n int, err error) {
	db, err := sqlite.Open(ctx, sqlite.Options{Path: data, Now: time.Now})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	page, err := db.Transactions(ctx, leyden.Query{Statuses: []leyden.Status{leyden.Completed}, Limit: 1})
	return page.Total, err
}

// sizeOf returns how many bytes the ledger's files take.
func sizeOf(data string) (bytes float64, err error) {
	files, err := filepath.Glob(filepath.Join(data, "leyden.db*"))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return 0, err
		}
		bytes += float64(info.Size())
	}
	return bytes, nil
}
