package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"
	"leyden"
	"leyden/feed"
)

// webhookSettings say where events may be sent.
type webhookSettings struct {
	allow []string
	guard *feed.Guard
}

func (s *webhookSettings) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.allow, "webhooks-allow", nil, "addresses and networks that webhooks may reach besides the public internet, e.g. 10.1.0.0/16; over http too")
}

func (s *webhookSettings) check() (err error) {
	s.guard, err = feed.NewGuard(s.allow)
	return asWebhookFlag(err)
}

// asWebhookFlag says what is wrong with a webhook in the words of the command line.
func asWebhookFlag(err error) error {
	e, ok := errors.AsType[*feed.FieldError](err)
	if !ok {
		return err
	}
	switch e.Field {
	case "url":
		return usagef("URL: %s", e.Reason)
	case "events":
		return usagef("--event: %s", e.Reason)
	}
	return usagef("--%s: %s", e.Field, e.Reason)
}

// webhooks returns who makes and changes the webhooks of a folder.
func (f *folder) webhooks(guard *feed.Guard) (*feed.WebhookRegistrar, error) {
	key, err := f.config.Secrets.Derive("signing secrets of webhooks")
	if err != nil {
		return nil, err
	}
	vault, err := feed.NewVault(key)
	if err != nil {
		return nil, err
	}
	last := func(ctx context.Context) (int64, error) {
		_, last, err := f.NoticeBounds(ctx)
		return last, err
	}
	return &feed.WebhookRegistrar{Store: f, Vault: vault, Guard: guard, Last: last, Now: time.Now}, nil
}

// sender returns what makes requests of webhooks.
func sender(guard *feed.Guard) *feed.Sender {
	return &feed.Sender{Transport: guard.Transport(nil), Now: time.Now, Agent: "Leyden/" + version}
}

// wireWebhooks makes what sends events to webhooks. The feed must be there.
func (n *node) wireWebhooks() (err error) {
	guard := n.settings.webhooks.guard
	if n.webhooks, err = n.db.webhooks(guard); err != nil {
		return err
	}
	n.dispatcher = feed.NewDispatcher(feed.DispatcherConfig{
		Store: n.db, Feed: n.feed, Render: n.events.Render, Within: n.stationsIn, Vault: n.webhooks.Vault, Sender: sender(guard),
		Age: n.settings.feed.age, Now: time.Now, Log: n.log,
	})
	return nil
}

// stationsIn returns the stations that a reach covers now.
func (n *node) stationsIn(ctx context.Context, r *feed.Reach) ([]leyden.StationID, error) {
	if len(r.Sites) == 0 {
		return r.Stations, nil
	}
	found, err := n.db.StationsAt(ctx, r.Sites)
	return slices.Concat(r.Stations, found), err
}

// tallyAge is how old the counts of deliveries may be that metrics show: to count
// millions takes a while.
const tallyAge = 10 * time.Second

// sentToWebhooks collects what is on its way to webhooks.
type sentToWebhooks struct {
	*node
	mu    sync.Mutex
	at    time.Time
	tally feed.DeliveryTally
}

var (
	descWebhookDeliveries = prometheus.NewDesc("leyden_webhook_deliveries", "Deliveries to webhooks that wait, and that were given up.", []string{"status"}, nil)
	descWebhookAttempts   = prometheus.NewDesc("leyden_webhook_attempts_total", "Attempts to deliver to webhooks.", []string{"result"}, nil)
	descWebhookDead       = prometheus.NewDesc("leyden_webhook_dead_total", "Deliveries to webhooks that were given up.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *sentToWebhooks) Describe(ch chan<- *prometheus.Desc) {
	ch <- descWebhookDeliveries
	ch <- descWebhookAttempts
	ch <- descWebhookDead
}

// Collect implements prometheus.Collector.
func (s *sentToWebhooks) Collect(ch chan<- prometheus.Metric) {
	if tally, err := s.count(); err == nil {
		ch <- prometheus.MustNewConstMetric(descWebhookDeliveries, prometheus.GaugeValue, float64(tally.Pending), "pending")
		ch <- prometheus.MustNewConstMetric(descWebhookDeliveries, prometheus.GaugeValue, float64(tally.Dead), "dead")
	}
	ch <- prometheus.MustNewConstMetric(descWebhookAttempts, prometheus.CounterValue, float64(s.dispatcher.Delivered.Load()), "delivered")
	ch <- prometheus.MustNewConstMetric(descWebhookAttempts, prometheus.CounterValue, float64(s.dispatcher.Failed.Load()), "failed")
	ch <- prometheus.MustNewConstMetric(descWebhookDead, prometheus.CounterValue, float64(s.dispatcher.Died.Load()))
}

// count returns how many deliveries there are, or were a moment ago.
func (s *sentToWebhooks) count() (feed.DeliveryTally, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) < tallyAge {
		return s.tally, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), tallyAge)
	defer cancel()
	all, err := s.db.DeliveryTallies(ctx)
	if err != nil {
		return s.tally, err
	}
	s.at, s.tally = time.Now(), feed.DeliveryTally{}
	for _, t := range all {
		s.tally.Pending += t.Pending
		s.tally.Dead += t.Dead
	}
	return s.tally, nil
}
