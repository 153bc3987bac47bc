package main

import (
	"cmp"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"leyden/sqlite"
)

// metrics serves what the node counts, in the words of docs/operating.md.
func (n *node) metrics() http.Handler {
	r := prometheus.NewRegistry()
	c := n.csms.Counters()
	r.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leyden_stations_online", Help: "Stations that are connected.",
		}, func() float64 { return float64(n.csms.OnlineCount()) }),
		counter("leyden_ocpp_frames_received_total", "Frames from stations.", &c.FramesIn),
		counter("leyden_ocpp_frames_sent_total", "Frames to stations.", &c.FramesOut),
		counter("leyden_ocpp_frames_broken_total", "Frames refused as malformed.", &c.Broken),
		counter("leyden_ocpp_frames_ignored_total", "Frames of unknown type, and answers that nobody waited for.", &c.Ignored),
		counter("leyden_ocpp_calls_timed_out_total", "Calls to stations that were not answered in time.", &c.TimedOut),
		counter("leyden_ocpp_violations_total", "Values that the OCPP schemas forbid.", &c.Violations),
		counter("leyden_ocpp_extra_properties_total", "Properties that the OCPP schemas do not know.", &c.Extra),
		counter("leyden_quarantined_total", "Messages refused and kept.", &c.Quarantined),
		counter("leyden_connections_replaced_total", "Living connections replaced by newer ones of the same station.", &c.Swaps),
		counter("leyden_connections_shed_total", "Connections closed because storage was in trouble.", &c.Shed),
		counter("leyden_panics_total", "Panics caught while a message was handled.", &c.Panics),
		counter("leyden_journal_frames_total", "Frames that were written to the journal.", &c.Journaled),
		counter("leyden_journal_dropped_total", "Frames that are missing in the journal: it was too slow, or failed.", &c.Unjournaled),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "leyden_journal_bytes", Help: "Size of the journal.",
		}, n.db.journalSize),
		&sentToWebhooks{node: n},
		expiry{n.authority},
	)
	if n.db.disk != nil {
		r.MustRegister(storage{n.db.disk})
	}
	if n.daily != nil {
		r.MustRegister(exported{n.daily})
	}
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

func counter(name, help string, v *atomic.Uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(v.Load()) })
}

// storage collects the counters of the database.
type storage struct{ db *sqlite.DB }

var (
	descCommits     = prometheus.NewDesc("leyden_storage_commit_seconds", "Time from the begin of a commit until it was on disk.", nil, nil)
	descBatches     = prometheus.NewDesc("leyden_storage_commit_changes", "Changes that shared a commit.", nil, nil)
	descFailures    = prometheus.NewDesc("leyden_storage_commit_failures_total", "Commits that storage refused.", nil, nil)
	descWaiting     = prometheus.NewDesc("leyden_storage_waiting_changes", "Changes that wait for a commit.", nil, nil)
	descCheckpoints = prometheus.NewDesc("leyden_storage_checkpoints_total", "How often the write-ahead log was copied into the database.", nil, nil)
	descLog         = prometheus.NewDesc("leyden_storage_log_bytes", "Length of the write-ahead log.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s storage) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, ch) }

// Collect implements prometheus.Collector.
func (s storage) Collect(ch chan<- prometheus.Metric) {
	stats := s.db.Stats()
	for desc, h := range map[*prometheus.Desc]sqlite.Histogram{descCommits: stats.Commits, descBatches: stats.Batches} {
		buckets := make(map[float64]uint64, len(h.Bounds))
		for i, bound := range h.Bounds {
			buckets[bound] = h.Counts[i]
		}
		ch <- prometheus.MustNewConstHistogram(desc, h.Count, h.Sum, buckets)
	}
	ch <- prometheus.MustNewConstMetric(descFailures, prometheus.CounterValue, float64(stats.Failures))
	ch <- prometheus.MustNewConstMetric(descWaiting, prometheus.GaugeValue, float64(stats.Waiting))
	ch <- prometheus.MustNewConstMetric(descCheckpoints, prometheus.CounterValue, float64(stats.Checkpoints))
	ch <- prometheus.MustNewConstMetric(descLog, prometheus.GaugeValue, float64(stats.LogBytes))
}

// expiry collects how long certificates are good still.
type expiry struct{ *authority }

var descExpiry = prometheus.NewDesc("leyden_certificate_expiry_seconds", "Time until a certificate ends.", []string{"kind", "file"}, nil)

// Describe implements prometheus.Collector.
func (e expiry) Describe(ch chan<- *prometheus.Desc) { ch <- descExpiry }

// Collect implements prometheus.Collector.
func (e expiry) Collect(ch chan<- prometheus.Metric) {
	if e.served == nil {
		return
	}
	r := e.served.current.Load()
	for i, t := range r.servers {
		ch <- prometheus.MustNewConstMetric(descExpiry, prometheus.GaugeValue, time.Until(t.Leaf.NotAfter).Seconds(), "server", r.files[i])
	}
	if own := e.opened(); own != nil {
		ch <- prometheus.MustNewConstMetric(descExpiry, prometheus.GaugeValue, time.Until(own.Certificates()[0].NotAfter).Seconds(), "authority", cmp.Or(e.settings.caCert, e.served.ca))
	}
}
