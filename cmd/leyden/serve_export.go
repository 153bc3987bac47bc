package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"leyden"
	"leyden/daily"
	"leyden/export"
)

// exportSettings say where the file of each day goes.
type exportSettings struct {
	folder, format, at, since string
	bucket                    daily.BucketConfig

	// What check made of the texts.
	parsedFormat export.Format
	parsedAt     time.Duration
	parsedSince  time.Time
}

func (s *exportSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.folder, "export-folder", "", "folder for a file of each day's final records")
	f.StringVar(&s.bucket.Bucket, "export-s3-bucket", "", "bucket for the files of days, instead of a folder")
	f.StringVar(&s.bucket.Endpoint, "export-s3-endpoint", "https://s3.amazonaws.com", "where the bucket's service is")
	f.StringVar(&s.bucket.Prefix, "export-s3-prefix", "", "what the names of the files begin with in the bucket")
	f.StringVar(&s.bucket.Region, "export-s3-region", "", "region of the bucket; what the service says if none")
	f.StringVar(&s.bucket.Credentials, "export-s3-credentials", "", "file with access key and secret, as the AWS tools have it; else AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	f.StringVar(&s.format, "export-format", string(export.Parquet), "form of the files of days: csv, ndjson, json or parquet")
	f.StringVar(&s.at, "export-at", "02:00", "when the file of a day is written, in UTC, after its end")
	f.StringVar(&s.since, "export-since", "", "first day to write, e.g. 2026-02-01; the last one that is over if none")
}

// on reports whether files are written at all.
func (s *exportSettings) on() bool { return s.folder != "" || s.bucket.Bucket != "" }

func (s *exportSettings) check() error {
	if s.folder != "" && s.bucket.Bucket != "" {
		return usagef("give --export-folder or --export-s3-bucket, not both")
	}
	f, ok := export.ParseFormat(s.format)
	if !ok {
		return usagef("--export-format is csv, ndjson, json or parquet, not %q", s.format)
	}
	at, err := time.Parse("15:04", s.at)
	if err != nil {
		return usagef("--export-at: %q is no time of day; write 02:00", s.at)
	}
	since, err := parseDay("--export-since", s.since)
	if err != nil {
		return err
	}
	s.parsedFormat, s.parsedSince = f, since
	s.parsedAt = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	if _, err := s.target(""); s.on() && err != nil {
		return usagef("--export-s3: %v", err)
	}
	return nil
}

// parseDay reads a day; "" is none.
func parseDay(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, usagef("%s: %q is no day; write 2026-02-06", flag, text)
	}
	return day, nil
}

// target returns where files go; on their way to a bucket they lie in the spool.
func (s *exportSettings) target(spool string) (daily.Target, error) {
	if s.bucket.Bucket == "" {
		return daily.Folder(s.folder), nil
	}
	c := s.bucket
	c.Spool = spool
	return daily.NewBucket(c)
}

// dayOf writes the final records of a day.
func (f *folder) dayOf(ctx context.Context, w io.Writer, format export.Format, day time.Time) (int64, error) {
	end := day.Add(daily.Length)
	q := leyden.Query{
		Inserted: leyden.Window{From: day, To: end}, Order: leyden.ByInserted, Ascending: true,
	}
	q.Mirror()
	return export.Copy(w, format, presented(f.Scan(ctx, q), end), nil)
}

// schedule returns what writes the file of each day, or nil.
func (s *exportSettings) schedule(db *folder, data string, log *slog.Logger) (*daily.Schedule, error) {
	if !s.on() {
		return nil, nil
	}
	target, err := s.target(data)
	if err != nil {
		return nil, fmt.Errorf("daily export: %w", err)
	}
	return &daily.Schedule{
		Store: db, Source: db.dayOf, Target: target, Format: s.parsedFormat, At: s.parsedAt, Since: s.parsedSince, Now: time.Now, Log: log,
	}, nil
}

// exported collects how the files of days go.
type exported struct{ *daily.Schedule }

var (
	descExportMissing  = prometheus.NewDesc("leyden_export_days_missing", "Days that are over and due, and whose file is not written.", nil, nil)
	descExportLastDay  = prometheus.NewDesc("leyden_export_last_day_seconds", "Begin of the newest day whose file this process has written.", nil, nil)
	descExportRows     = prometheus.NewDesc("leyden_export_rows_total", "Rows in the files of days that this process has written.", nil, nil)
	descExportFailures = prometheus.NewDesc("leyden_export_failures_total", "Attempts to write the file of a day that failed.", nil, nil)
)

// Describe implements prometheus.Collector.
func (e exported) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(e, ch) }

// Collect implements prometheus.Collector.
func (e exported) Collect(ch chan<- prometheus.Metric) {
	stats := e.Stats()
	ch <- prometheus.MustNewConstMetric(descExportMissing, prometheus.GaugeValue, float64(stats.Missing))
	ch <- prometheus.MustNewConstMetric(descExportRows, prometheus.CounterValue, float64(stats.Rows))
	ch <- prometheus.MustNewConstMetric(descExportFailures, prometheus.CounterValue, float64(stats.Failures))
	if !stats.LastDay.IsZero() {
		ch <- prometheus.MustNewConstMetric(descExportLastDay, prometheus.GaugeValue, float64(stats.LastDay.Unix()))
	}
}
