package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"leyden/sim"
)

// Reads say what clients of the API shall read.
type Reads struct {
	Sessions int // how many charges the ledger is given before
	Clients  int // each asks for one thing after the other, on a connection that it keeps
}

// A read is one documented request.
type read struct {
	name string
	path func(r *rand.Rand, known *known) string
}

// A known is what is in the ledger.
type known struct {
	transactions []int64
	chargers     []string
}

func reads() []read {
	fixed := func(path string) func(*rand.Rand, *known) string {
		return func(*rand.Rand, *known) string { return path }
	}
	return []read{
		{"v1 list", fixed("/api/v1/transactions?limit=20")},
		{"v1 list of a charger", func(r *rand.Rand, k *known) string {
			return "/api/v1/transactions?limit=20&chargeBoxId=" + k.chargers[r.IntN(len(k.chargers))]
		}},
		{"v1 transaction", func(r *rand.Rand, k *known) string {
			return fmt.Sprint("/api/v1/transactions/", k.transactions[r.IntN(len(k.transactions))])
		}},
		{"v2 list", fixed("/v2/transactions?limit=20")},
		{"v1 chargers", fixed("/api/v1/chargers?limit=20")},
		{"v1 charger", func(r *rand.Rand, k *known) string { return "/api/v1/chargers/" + k.chargers[r.IntN(len(k.chargers))] }},
	}
}

// API measures how much clients can read over REST a second, and how long each kind
// of read takes.
func API(ctx context.Context, o Options, r Reads) (*Sample, error) {
	t, err := o.try(ctx, func(t *trial) (int, error) {
		m, err := sim.Load{Dial: t.Dial(t.url), Stations: t.Stations, Sessions: r.Sessions}.Run(ctx)
		if err != nil {
			return 0, err
		}
		if m.Errors > 0 {
			return 0, fmt.Errorf("%d errors, the first: %s", m.Errors, m.FirstError)
		}
		k, err := t.known(ctx)
		if err != nil {
			return 0, err
		}
		return m.Sessions, t.readers(ctx, r.Clients, k)
	})
	if err != nil {
		return nil, err
	}
	return &t.Sample, nil
}

// known asks for what can be asked for.
func (s *server) known(ctx context.Context) (*known, error) {
	body, err := s.get(ctx, "/api/v1/transactions?limit=100&status=completed")
	if err != nil {
		return nil, err
	}
	var page struct {
		Transactions []struct {
			TransactionID int64
			ChargeBoxID   string
		}
	}
	if err := json.Unmarshal(body, &page); err != nil || len(page.Transactions) == 0 {
		return nil, errors.Join(errors.New("the list of transactions cannot be read, or is empty"), err)
	}
	k := new(known)
	for _, t := range page.Transactions {
		k.transactions = append(k.transactions, t.TransactionID)
		k.chargers = append(k.chargers, t.ChargeBoxID)
	}
	return k, nil
}

// readers lets clients read for as long as the options say.
func (t *trial) readers(ctx context.Context, clients int, k *known) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kinds := reads()
	took := make([][][]time.Duration, clients) // by client and kind
	failed := make([]error, clients)
	before, began := t.state(), time.Now()
	if t.OnMeasure != nil {
		t.OnMeasure()
	}
	end := began.Add(t.Duration)
	var reading sync.WaitGroup
	for c := range clients {
		took[c] = make([][]time.Duration, len(kinds))
		reading.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(c)))
			for i := c; time.Now().Before(end) && failed[c] == nil; i++ {
				n, from := i%len(kinds), time.Now()
				_, failed[c] = t.get(ctx, kinds[n].path(r, k))
				took[c][n] = append(took[c][n], time.Since(from))
			}
		})
	}
	reading.Wait()
	elapsed, processor := time.Since(began), t.state().processor-before.processor
	if err := errors.Join(failed...); err != nil {
		return err
	}
	all := 0
	for n, kind := range kinds {
		var of []time.Duration
		for c := range clients {
			of = append(of, took[c][n]...)
		}
		all += len(of)
		t.add(kind.name+" p50", "ms", Less, percentile(of, 50))
		t.add(kind.name+" p99", "ms", Less, percentile(of, 99))
	}
	t.add("reads", "/s", More, over(float64(all), elapsed.Seconds()))
	t.add("server processor", "µs/read", Less, over(processor*1e6, float64(all)))
	return nil
}
