package leyden

import "time"

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
)

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

// announce adds a notice about the step from old to n.
func (c *change) announce(old, n *Transaction, now time.Time) {
	c.entry.Notices = append(c.entry.Notices, Notice{
		Topic: topic(old, n), Station: n.Station, Transaction: n.ID, Version: n.Version, At: now,
	})
}
