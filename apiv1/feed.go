package apiv1

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"leyden"
	"leyden/rest"
)

// An Event is one change as GET /changes, the stream, webhooks and the command
// line show it.
type Event struct {
	ID        string    `json:"id" doc:"The same whenever and however it is sent: whoever has it may drop it." example:"evt_1017"`
	Event     string    `json:"event" enum:"transaction.pending,transaction.started,transaction.updated,transaction.stopping,transaction.stopped,transaction.failed,transaction.expired,transaction.cancelled,transaction.corrected,frame.quarantined,charger.connected,charger.disconnected,charger.boot,connector.status_changed" doc:"What happened." example:"transaction.started"`
	Timestamp rest.Time `json:"timestamp" nullable:"false" doc:"When it was recorded, by the server's clock." example:"2026-02-06T12:00:00.000Z"`
	Seq       int64     `json:"seq" doc:"Its place among all changes: rising, without gaps." example:"1017"`
	Data      EventData `json:"data"`
}

// EventData is what an [Event] is about.
type EventData struct{ shown any }

// MarshalJSON writes what it is about.
func (d EventData) MarshalJSON() ([]byte, error) { return rest.Encode(d.shown) }

// Schema describes all that it may be.
func (EventData) Schema(r huma.Registry) *huma.Schema {
	s := &huma.Schema{Description: "A transaction, or what happened to a charger, by the event."}
	for _, shape := range []any{
		Transaction{}, connectedData{}, disconnectedData{}, bootData{}, statusData{}, quarantinedData{},
	} {
		s.AnyOf = append(s.AnyOf, r.Schema(reflect.TypeOf(shape), true, ""))
	}
	return s
}

// connectedData is of charger.connected.
type connectedData struct {
	ChargeBoxID leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Protocol    *string          `json:"protocol" doc:"The WebSocket subprotocol." example:"ocpp1.6"`
}

// disconnectedData is of charger.disconnected.
type disconnectedData struct {
	ChargeBoxID leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Reason      *string          `json:"reason" doc:"Why the connection ended." example:"connection lost"`
}

// bootData is of charger.boot.
type bootData struct {
	ChargeBoxID     leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Vendor          *string          `json:"vendor"`
	Model           *string          `json:"model"`
	SerialNumber    *string          `json:"serialNumber"`
	FirmwareVersion *string          `json:"firmwareVersion"`
}

// statusData is of connector.status_changed.
type statusData struct {
	ChargeBoxID    leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	ConnectorID    int              `json:"connectorId" doc:"The connector; 0 is the charger itself." example:"1"`
	Status         string           `json:"status" doc:"As OCPP names it." example:"Charging"`
	PreviousStatus *string          `json:"previousStatus" doc:"What it was before, when that was known." example:"Preparing"`
	ErrorCode      *string          `json:"errorCode" example:"NoError"`
	Info           *string          `json:"info"`
	At             rest.Time        `json:"at" doc:"By the charger's clock, when it gave a time."`
}

// quarantinedData is of frame.quarantined: the message without its text.
type quarantinedData struct {
	ID            int64            `json:"id" doc:"Its number in the quarantine." example:"1"`
	ChargeBoxID   leyden.StationID `json:"chargeBoxId" example:"CHARGER-001"`
	Action        *string          `json:"action" doc:"The OCPP action, when it could be read." example:"StartTransaction"`
	Reason        *string          `json:"reason" doc:"Why it was refused or could not be attributed."`
	ReceivedAt    rest.Time        `json:"receivedAt"`
	Status        *string          `json:"status" doc:"What has become of it since: waiting, released or dismissed." example:"waiting"`
	TransactionID *int             `json:"transactionId" doc:"The transaction that its replay led to."`
}

const (
	// shownFor is how long a transaction that was read for an event is good for
	// others.
	shownFor = time.Second
	// maxShown is how many events are kept rendered for other followers.
	maxShown = 2048
)

// A Renderer shows notices as events. What it has shown it keeps for a while: many
// follow the same changes. It may be used by several goroutines.
type Renderer struct {
	store leyden.Store
	now   func() time.Time

	mu    sync.Mutex
	shown map[int64]*rendering
	order []int64 // of shown, the oldest first
}

// A rendering is an event, and the transaction that it is about; nil for none.
type rendering struct {
	state *leyden.Transaction
	body  []byte
	until time.Time // zero: it stays as it is
}

// NewRenderer returns a Renderer of the notices of a store.
func NewRenderer(store leyden.Store, now func() time.Time) *Renderer {
	return &Renderer{store: store, now: now, shown: make(map[int64]*rendering)}
}

// Render returns an [Event] as JSON.
func (r *Renderer) Render(ctx context.Context, n *leyden.Notice) ([]byte, error) {
	shown, err := r.render(ctx, n)
	if err != nil {
		return nil, err
	}
	return shown.body, nil
}

func (r *Renderer) render(ctx context.Context, n *leyden.Notice) (*rendering, error) {
	if kept := r.kept(n.Seq); kept != nil {
		return kept, nil
	}
	made, err := r.make(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("change %d: %w", n.Seq, err)
	}
	r.keep(n.Seq, made)
	return made, nil
}

// kept returns what was made of a notice, if that is good still.
func (r *Renderer) kept(seq int64) *rendering {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := r.shown[seq]
	if kept == nil || !kept.until.IsZero() && r.now().After(kept.until) {
		return nil
	}
	return kept
}

func (r *Renderer) keep(seq int64, made *rendering) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shown[seq] == nil {
		r.order = append(r.order, seq)
	}
	r.shown[seq] = made
	if len(r.order) > maxShown {
		delete(r.shown, r.order[0])
		r.order = r.order[1:]
	}
}

func (r *Renderer) make(ctx context.Context, n *leyden.Notice) (*rendering, error) {
	e := Event{ID: fmt.Sprintf("evt_%d", n.Seq), Event: n.Topic, Timestamp: rest.Time{Time: n.At}, Seq: n.Seq}
	made := &rendering{state: n.State}
	at := n.At
	if n.State == nil && n.Transaction != 0 {
		t, err := r.store.Transaction(ctx, n.Transaction)
		if err != nil {
			return nil, err
		}
		at = r.now()
		made.state, made.until = &t, at.Add(shownFor)
	}
	var err error
	if e.Data.shown, err = r.data(ctx, n, made.state, at); err != nil {
		return nil, err
	}
	if n.Topic == leyden.TopicQuarantined {
		made.until = r.now().Add(shownFor)
	}
	made.body, err = rest.Encode(e)
	return made, err
}

// data returns what a notice is about; t is the transaction as it was at a time,
// nil for none.
func (r *Renderer) data(ctx context.Context, n *leyden.Notice, t *leyden.Transaction, at time.Time) (any, error) {
	if t != nil {
		return Present(t, at), nil
	}
	if n.Topic == leyden.TopicQuarantined {
		return r.quarantined(ctx, n)
	}
	d := valueOr(n.Detail, leyden.NoticeDetail{})
	switch n.Topic {
	case leyden.TopicConnected:
		return connectedData{n.Station, orNull(d.Protocol)}, nil
	case leyden.TopicDisconnected:
		return disconnectedData{n.Station, orNull(d.Reason)}, nil
	case leyden.TopicBoot:
		return bootData{n.Station, orNull(d.Vendor), orNull(d.Model), orNull(d.Serial), orNull(d.Firmware)}, nil
	case leyden.TopicStatus:
		c := valueOr(d.Connector, leyden.Connector{})
		return statusData{n.Station, c.Number, c.Status, orNull(d.Before), orNull(c.ErrorCode), orNull(c.Info), rest.Time{Time: c.At}}, nil
	}
	return nil, fmt.Errorf("nothing is known of the topic %q: %w", n.Topic, leyden.ErrInvalid)
}

// quarantined returns the message that a notice announces; notices of former
// versions do not say which.
func (r *Renderer) quarantined(ctx context.Context, n *leyden.Notice) (any, error) {
	d := quarantinedData{ID: n.Quarantined, ChargeBoxID: n.Station, ReceivedAt: rest.Time{Time: n.At}}
	if n.Quarantined == 0 {
		return d, nil
	}
	found, err := r.store.Quarantined(ctx, leyden.QuarantineQuery{ID: n.Quarantined, Limit: 1})
	if err != nil || len(found) == 0 {
		return d, err
	}
	q := &found[0]
	d.Action, d.Reason, d.Status = orNull(q.Action), orNull(q.Reason), orNull(string(q.Status()))
	d.ReceivedAt, d.TransactionID = rest.Time{Time: q.ReceivedAt}, orNull(int(q.Transaction))
	return d, nil
}

// A rawEvent is an [Event] that is rendered.
type rawEvent struct{ json.RawMessage }

// Schema describes it as the event that it is.
func (rawEvent) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[Event](), true, "")
}
