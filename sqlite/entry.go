package sqlite

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"leyden"
)

// An entry as the daybook has it: its length without these four bytes, its stamp (8
// bytes), and values: the station; how many events, and their rows; how many
// transactions, and of each a text that is its row's values; how many keys are
// released, and the keys; how many notices, and their rows. All numbers of fixed size
// are little-endian.
const (
	entryLength = 4
	entryHead   = entryLength + 8
)

// encode appends e to v. It fails for what JSON cannot say, a year beyond 9999 for
// one.
func (v *values) encode(e *leyden.Entry) error {
	from := len(v.b)
	v.b = append(v.b, make([]byte, entryHead)...)
	v.text(string(e.Station))
	v.int(int64(len(e.Events)))
	for i := range e.Events {
		if err := v.event(&e.Events[i]); err != nil {
			return fmt.Errorf("event %q: %w: %w", e.Events[i].Key, leyden.ErrInvalid, err)
		}
	}
	v.int(int64(len(e.Transactions)))
	for i := range e.Transactions {
		c := &e.Transactions[i]
		from := v.begin()
		if err := v.transaction(&c.Transaction, c.Stamp); err != nil {
			return fmt.Errorf("transaction %d: %w: %w", c.Transaction.ID, leyden.ErrInvalid, err)
		}
		v.end(from)
	}
	v.int(int64(len(e.Release)))
	for _, key := range e.Release {
		v.text(key)
	}
	if err := v.notices(e.Notices, e.Stamps, len(e.Quarantine)); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(v.b[from:], uint32(len(v.b)-from-entryLength))
	return nil
}

// stamped notes in an encoded entry when it was committed.
func stamped(entry []byte, stamp int64) {
	binary.LittleEndian.PutUint64(entry[entryLength:], uint64(stamp))
}

// nextEntry cuts the first entry off a record.
func nextEntry(record []byte) (s scanner, rest []byte, err error) {
	if len(record) < entryHead {
		return s, nil, errTorn
	}
	n := int(binary.LittleEndian.Uint32(record))
	if n < entryHead-entryLength || n > len(record)-entryLength {
		return s, nil, errTorn
	}
	s.stamp = int64(binary.LittleEndian.Uint64(record[entryLength:]))
	s.b = record[entryHead : entryLength+n]
	return s, record[entryLength+n:], nil
}

// event adds what the parameters of insertEvent are, but for the station.
func (v *values) event(e *leyden.Event) error {
	v.text(e.Key)
	v.int(int64(e.Kind))
	v.optional(int64(e.Transaction))
	v.time(e.At)
	v.time(e.ReceivedAt)
	v.text(e.Digest)
	return v.made(e.AppendJSON)
}

// The parts of a row of a transaction, in which its columns stand.
const (
	keyColumns    = 3 // id, station, version
	originColumns = 7 // who, where and when it began
	stageColumns  = 4 // how far it has come; no index has what follows
)

// transaction adds what the parameters of writeRow are.
func (v *values) transaction(t *leyden.Transaction, stamp bool) error {
	v.int(int64(t.ID))
	v.text(string(t.Station))
	v.int(int64(t.Version))

	v.text(t.Token.Fold())
	v.text(t.Evidence.StartKey)
	v.text(t.PublicID)
	v.int(int64(t.Connector))
	v.text(t.VehicleID)
	v.bool(t.Remote)
	v.time(t.StartedAt)

	v.int(int64(t.Status))
	v.time(t.StoppedAt)
	v.time(t.DueAt)
	if stamp {
		v.b = append(v.b, tagStamp)
	} else {
		v.time(t.InsertedAt)
	}
	return v.rest(t)
}

func (v *values) rest(t *leyden.Transaction) error {
	v.text(t.Token.Value)
	v.text(t.Token.Type)
	if err := v.metadata(t.Metadata); err != nil {
		return err
	}
	v.time(t.RequestedAt)
	v.time(t.ExpiresAt)
	v.time(t.StartReceivedAt)
	v.time(t.StopReceivedAt)
	v.wattHours(t.MeterStart)
	v.wattHours(t.MeterStop)
	v.optInt(t.Reservation)
	v.text(t.StopToken.Value)
	v.text(t.StopToken.Type)
	v.text(t.StopReason)
	v.text(t.StopReasonText)
	v.text(t.CloseReason)
	v.wattHours(t.Energy)
	v.text(string(t.EnergySource))
	v.float(t.Power)
	v.float(t.InitialSoC)
	v.float(t.EndSoC)
	v.time(t.SessionStart)
	v.time(t.SessionEnd)
	v.int(int64(t.Flags))
	v.int(int64(t.StopRound))
	v.time(t.UpdatedAt)
	v.int(int64(t.Revision))
	v.text(t.Note)
	v.text(t.NotBillable)
	v.time(t.CorrectedAt)
	return v.made(t.Evidence.AppendJSON)
}

func (v *values) metadata(m map[string]string) error {
	if len(m) == 0 {
		v.null()
		return nil
	}
	return v.json(m)
}

// json adds what encoding/json makes of something rare.
func (v *values) json(of any) error {
	text, err := json.Marshal(of)
	v.text(string(text))
	return err
}

// notices adds how many notices there are, and their rows; stamps tells which show a
// record that is stamped, and messages how many of an entry are quarantined.
func (v *values) notices(list []leyden.Notice, stamps func(i int) bool, messages int) error {
	v.int(int64(len(list)))
	message := 0
	for i := range list {
		n := &list[i]
		if err := v.notice(n); err != nil {
			return fmt.Errorf("notice %s of %s: %w: %w", n.Topic, n.Station, leyden.ErrInvalid, err)
		}
		if stamps(i) {
			v.b = append(v.b, tagStamp)
		} else {
			v.null()
		}
		if n.Topic == leyden.TopicQuarantined && message < messages {
			v.message(message)
			message++
			continue
		}
		v.null()
	}
	return nil
}

// notice adds what the parameters of insertNotice are, but for the last two.
func (v *values) notice(n *leyden.Notice) error {
	v.text(n.Topic)
	v.optional(int64(n.Transaction))
	v.text(string(n.Station))
	v.int(int64(n.Version))
	v.time(n.At)
	if n.State == nil {
		v.null()
	} else if err := v.made(n.State.AppendJSON); err != nil {
		return err
	}
	return v.detail(n.Detail)
}

func (v *values) detail(d *leyden.NoticeDetail) error {
	if d == nil {
		v.null()
		return nil
	}
	return v.json(d)
}
