package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"leyden/sim"
)

// mostShown is how many differences are told; all are counted.
const mostShown = 20

// A soakBook is what physically happened, as the stations tell it.
type soakBook struct {
	mu      sync.Mutex
	charges map[chargeKey]*soakCharge
	round   int // of comparisons

	list      []string
	different int
}

// A chargeKey is what no two charges have in common.
type chargeKey struct {
	station   string
	connector int
	began     int64 // ms
}

// A soakCharge is what a row of the ledger must say.
type soakCharge struct {
	number    int // that its answers gave it
	energy    int // in Wh
	ended     time.Time
	tag       string
	reason    string
	settledIn int // the round after which it had to be there, whole; 0: not yet
	seenIn    int
}

func newSoakBook() *soakBook { return &soakBook{charges: make(map[chargeKey]*soakCharge)} }

// note takes what a station tells of a charge.
func (b *soakBook) note(c sim.Charge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := chargeKey{c.Station, c.Connector, c.StartedAt.UnixMilli()}
	if !c.StopAnswered {
		b.charges[k] = new(soakCharge)
		return
	}
	known := b.charges[k]
	*known = soakCharge{energy: c.Energy, ended: c.StoppedAt, tag: c.IDTag, reason: c.Reason, settledIn: b.round + 1, seenIn: known.seenIn}
	if len(c.TransactionIDs) == 1 {
		known.number = c.TransactionIDs[0]
	}
}

// differs notes a difference.
func (b *soakBook) differs(format string, args ...any) {
	b.different++
	if len(b.list) < mostShown {
		b.list = append(b.list, fmt.Sprintf(format, args...))
	}
}

// A soakRow is a transaction as the API shows it.
type soakRow struct {
	TransactionID   int       `json:"transactionId"`
	ChargeBoxID     string    `json:"chargeBoxId"`
	ConnectorID     int       `json:"connectorId"`
	IDTag           string    `json:"idTag"`
	Status          string    `json:"status"`
	EnergyDelivered float64   `json:"energyDelivered"`
	StartTime       time.Time `json:"startTime"`
	StopTime        time.Time `json:"stopTime"`
	StopReason      string    `json:"stopReason"`
	Flags           []string  `json:"flags"`
}

// compare reads the whole ledger. What was settled before must be there, once, and
// right; and nothing may be there that did not happen.
func (b *soakBook) compare(ctx context.Context, s *server) (rows, settled int, err error) {
	b.mu.Lock()
	b.round++
	b.mu.Unlock()
	err = s.transactions(ctx, func(r *soakRow) {
		rows++
		b.hold(r)
	})
	if err != nil {
		return rows, 0, err
	}
	return rows, b.wantAll(), nil
}

// wantAll wants all to have been seen that had to be there, and returns how many
// those are.
func (b *soakBook) wantAll() (settled int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, c := range b.charges {
		if c.settledIn == 0 || c.settledIn > b.round {
			continue
		}
		settled++
		if c.seenIn != b.round {
			b.differs("%+v was answered as %d and is not there", k, c.number)
		}
	}
	return settled
}

// hold holds a row against what happened.
func (b *soakBook) hold(r *soakRow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := chargeKey{r.ChargeBoxID, r.ConnectorID, r.StartTime.UnixMilli()}
	c := b.charges[k]
	switch {
	case c == nil:
		b.differs("%+v did not happen", *r)
		return
	case c.seenIn == b.round:
		b.differs("%+v is there twice", *r)
		return
	}
	c.seenIn = b.round
	if c.settledIn == 0 || c.settledIn > b.round {
		return // it goes on, or its stop is on its way
	}
	wh := int(r.EnergyDelivered*1000 + 0.5)
	wrong := slices.ContainsFunc(r.Flags, func(f string) bool { return f != "OFFLINE" && f != "METER_ROLLBACK" })
	if r.Status != "completed" || r.TransactionID != c.number || wh != c.energy || r.IDTag != c.tag || r.StopReason != c.reason ||
		!r.StopTime.Equal(c.ended) || wrong {
		b.differs("%+v should be %+v", *r, *c)
	}
}

// transactions gives all transactions that the API shows.
func (s *server) transactions(ctx context.Context, each func(*soakRow)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.api+"/api/v1/transactions?format=ndjson", nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", adminKey)
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("list of transactions: %s", res.Status), res.Body.Close())
	}
	rows := json.NewDecoder(res.Body)
	for {
		var r soakRow
		if err = rows.Decode(&r); err != nil {
			break
		}
		each(&r)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("list of transactions: %w", err)
	}
	return nil
}
