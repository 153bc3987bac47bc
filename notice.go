package leyden

import (
	"fmt"
	"time"
)

// The topics of notices (webhooks and feeds name them so).
const (
	TopicPending     = "transaction.pending"
	TopicStarted     = "transaction.started"
	TopicUpdated     = "transaction.updated"
	TopicStopping    = "transaction.stopping"
	TopicStopped     = "transaction.stopped"
	TopicFailed      = "transaction.failed"
	TopicExpired     = "transaction.expired"
	TopicCancelled   = "transaction.cancelled"
	TopicCorrected   = "transaction.corrected"
	TopicQuarantined = "frame.quarantined"

	TopicConnected    = "charger.connected"
	TopicDisconnected = "charger.disconnected"
	TopicBoot         = "charger.boot"
	TopicStatus       = "connector.status_changed"
)

// A Notice announces a change to whoever follows the ledger.
type Notice struct {
	Seq         int64 // in commit order; the Store assigns it
	Topic       string
	Station     StationID
	Transaction TransactionID
	Version     int // the state of the transaction it announces
	At          time.Time

	// State is the transaction as the change left it, of its Evidence only who
	// started and stopped it. It is nil where there is none, and of TopicUpdated:
	// there are many of those, and their readers get the state as they read.
	State *Transaction
	// Detail is what is announced of a station; nil where it is a transaction.
	Detail *NoticeDetail
	// Quarantined is the message that TopicQuarantined announces. In an [Entry] the
	// n-th such notice is of the n-th message, and the Store fills it in.
	Quarantined int64
}

// A NoticeDetail is what a [Notice] announces of a station.
type NoticeDetail struct {
	Protocol  string     `json:"protocol,omitempty"`  // TopicConnected
	Reason    string     `json:"reason,omitempty"`    // TopicDisconnected
	Vendor    string     `json:"vendor,omitempty"`    // this and the next three: TopicBoot
	Model     string     `json:"model,omitempty"`     //
	Serial    string     `json:"serial,omitempty"`    //
	Firmware  string     `json:"firmware,omitempty"`  //
	Connector *Connector `json:"connector,omitempty"` // TopicStatus
	Before    string     `json:"before,omitempty"`    // TopicStatus: the status before; "" when it was not known
}

// topic returns what there is to announce about the step from old to n.
func topic(old, n *Transaction) string {
	if old.Status == n.Status && old.Version > 0 {
		if n.Status == Completed && revised(old, n) {
			return TopicCorrected
		}
		return TopicUpdated
	}
	switch n.Status {
	case Pending:
		return TopicPending
	case Active:
		if old.Status == Stopping {
			return TopicUpdated
		}
		return TopicStarted
	case Stopping:
		return TopicStopping
	case Completed:
		return TopicStopped
	case Failed:
		return TopicFailed
	case Expired:
		return TopicExpired
	case Cancelled:
		return TopicCancelled
	}
	return TopicCorrected
}

// announce adds a notice about the step from old to n; what an operator corrected is
// always announced as such.
func (c *change) announce(old, n *Transaction) {
	if !corrected(old, n) {
		c.announceAs(topic(old, n), n)
		return
	}
	if n.Status == Completed && old.Status.Open() {
		c.announceAs(TopicStopped, n)
	}
	c.announceAs(TopicCorrected, n)
}

// It is kept out of announce, which would need more stack for it.
//
//go:noinline
func (c *change) announceAs(topic string, n *Transaction) {
	what := Notice{Topic: topic, Station: n.Station, Transaction: n.ID, Version: n.Version, At: c.now}
	if what.Topic != TopicUpdated {
		c.states = append(c.states, *n)
		what.State = &c.states[len(c.states)-1]
		v := &what.State.Evidence
		*v = Evidence{}
		v.StartKey, v.StopKey = n.Evidence.StartKey, n.Evidence.StopKey
	}
	c.entry.Notices = append(c.entry.Notices, what)
}

func (e *Entry) checkNotices() error {
	for i := range e.Notices {
		n := &e.Notices[i]
		if n.State != nil && (n.State.ID != n.Transaction || n.State.Station != n.Station) {
			return fmt.Errorf("notice %s of transaction %d shows %d: %w", n.Topic, n.Transaction, n.State.ID, ErrInvalid)
		}
	}
	return nil
}

// FillNotices gives the notices of e what the Store assigned to what they
// announce: the stamp of a final record, the number of a quarantined message.
// Stores call it when the rest of e is filled in.
func (e *Entry) FillNotices() {
	messages := 0
	for i := range e.Notices {
		n := &e.Notices[i]
		if n.Topic == TopicQuarantined && messages < len(e.Quarantine) {
			n.Quarantined = e.Quarantine[messages].ID
			messages++
		}
		if c := e.stamping(n); c != nil {
			n.State.InsertedAt = c.Transaction.InsertedAt
		}
	}
}

// Stamps reports whether the i-th notice of e shows a final record that the
// Store stamps.
func (e *Entry) Stamps(i int) bool { return e.stamping(&e.Notices[i]) != nil }

// stamping returns the change that stamps the record which n shows, or nil.
func (e *Entry) stamping(n *Notice) *Change {
	if n.State == nil || n.State.Status != Completed && n.Topic != TopicCorrected {
		return nil
	}
	for i := range e.Transactions {
		if c := &e.Transactions[i]; c.Stamp && c.Transaction.ID == n.Transaction {
			return c
		}
	}
	return nil
}
