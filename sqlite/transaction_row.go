package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"leyden"
)

// transactionColumns are what scanTransaction reads, in its order.
const transactionColumns = `
  id, public_id, station, connector, token, token_type, vehicle_id, status, remote, metadata,
  requested_at, expires_at, started_at, start_received_at, stopped_at, stop_received_at,
  meter_start, meter_stop, reservation, stop_token, stop_token_type, stop_reason, stop_reason_text, close_reason,
  energy, energy_source, power, initial_soc, end_soc, session_start, session_end,
  flags, stop_round, due_at, updated_at, inserted_at, revision, version, evidence,
  note, not_billable, corrected_at`

// writeTransaction writes a new row, or replaces one. SQLite writes every index
// anew that an UPDATE names, changed or not. Most reports are readings and
// change no indexed column, so those that stay as they are are not named.
func (a *appending) writeTransaction(t *tx, i int, known stored) error {
	const (
		insert = `
INSERT INTO transactions (token_fold, start_key,` + transactionColumns + `)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
  ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41,
  ?42, ?43, ?44)`
		update = `
UPDATE transactions SET
  token = ?7, token_type = ?8, metadata = ?12, requested_at = ?13, expires_at = ?14,
  start_received_at = ?16, stop_received_at = ?18, meter_start = ?19, meter_stop = ?20, reservation = ?21,
  stop_token = ?22, stop_token_type = ?23, stop_reason = ?24, stop_reason_text = ?25, close_reason = ?26,
  energy = ?27, energy_source = ?28, power = ?29, initial_soc = ?30, end_soc = ?31,
  session_start = ?32, session_end = ?33, flags = ?34, stop_round = ?35, updated_at = ?37,
  revision = ?39, version = ?40, evidence = ?41, note = ?42, not_billable = ?43, corrected_at = ?44`
		stage   = `, status = ?10, stopped_at = ?17, due_at = ?36, inserted_at = ?38`
		origin  = `, token_fold = ?1, start_key = ?2, public_id = ?4, connector = ?6, vehicle_id = ?9, remote = ?11, started_at = ?15`
		where   = ` WHERE id = ?3`
		refresh = update + where
		advance = update + stage + where
		replace = update + stage + origin + where
	)
	sql := replace
	switch {
	case known.version == 0:
		sql = insert
	case known.sameOrigin && known.sameStage:
		sql = refresh
	case known.sameOrigin:
		sql = advance
	}
	c := &a.Transactions[i]
	inserted := c.Transaction.InsertedAt
	if c.Stamp {
		inserted = time.UnixMicro(a.stamp)
	}
	t.tally(&c.Transaction, inserted, known)
	return exec(t.c, sql, func(b *binder) {
		b.transaction(&c.Transaction, inserted, a.metadata[i], a.evidence[i])
	})
}

// tally counts the change of a row, unless it is nothing that is counted.
func (t *tx) tally(n *leyden.Transaction, inserted time.Time, known stored) {
	if known.version > 0 && known.sameOrigin && known.sameStage {
		return
	}
	now := listingOf(n, micros(inserted))
	if known.version == 0 {
		t.tallies.change(nil, &now)
		return
	}
	t.tallies.change(&known.listing, &now)
}

func (b *binder) transaction(t *leyden.Transaction, inserted time.Time, metadata, evidence string) {
	b.text(t.Token.Fold())
	b.text(t.Evidence.StartKey)
	b.int(int64(t.ID))
	b.text(t.PublicID)
	b.text(string(t.Station))
	b.int(int64(t.Connector))
	b.text(t.Token.Value)
	b.text(t.Token.Type)
	b.text(t.VehicleID)
	b.int(int64(t.Status))
	b.bool(t.Remote)
	b.text(metadata)
	b.time(t.RequestedAt)
	b.time(t.ExpiresAt)
	b.time(t.StartedAt)
	b.time(t.StartReceivedAt)
	b.time(t.StoppedAt)
	b.time(t.StopReceivedAt)
	b.wattHours(t.MeterStart)
	b.wattHours(t.MeterStop)
	b.optInt(t.Reservation)
	b.text(t.StopToken.Value)
	b.text(t.StopToken.Type)
	b.text(t.StopReason)
	b.text(t.StopReasonText)
	b.text(t.CloseReason)
	b.wattHours(t.Energy)
	b.text(string(t.EnergySource))
	b.float(t.Power)
	b.float(t.InitialSoC)
	b.float(t.EndSoC)
	b.time(t.SessionStart)
	b.time(t.SessionEnd)
	b.int(int64(t.Flags))
	b.int(int64(t.StopRound))
	b.time(t.DueAt)
	b.time(t.UpdatedAt)
	b.time(inserted)
	b.int(int64(t.Revision))
	b.int(int64(t.Version))
	b.text(evidence)
	b.text(t.Note)
	b.text(t.NotBillable)
	b.time(t.CorrectedAt)
}

// transaction reads a row of transactionColumns into t, and refuses one that
// breaks an invariant. What is brief has of the Evidence what lists show.
func (r *row) transaction(t *leyden.Transaction, brief bool) error {
	t.ID = leyden.TransactionID(r.int())
	t.PublicID = r.text()
	t.Station = leyden.StationID(r.text())
	t.Connector = int(r.int())
	t.Token = r.token()
	t.VehicleID = r.text()
	t.Status = leyden.Status(r.int())
	t.Remote = r.bool()
	metadata := r.text()
	t.RequestedAt, t.ExpiresAt = r.time(), r.time()
	t.StartedAt, t.StartReceivedAt = r.time(), r.time()
	t.StoppedAt, t.StopReceivedAt = r.time(), r.time()
	t.MeterStart, t.MeterStop = r.wattHours(), r.wattHours()
	t.Reservation = r.optInt()
	t.StopToken = r.token()
	t.StopReason, t.StopReasonText, t.CloseReason = r.text(), r.text(), r.text()
	t.Energy, t.EnergySource = r.wattHours(), leyden.EnergySource(r.text())
	t.Power, t.InitialSoC, t.EndSoC = r.float(), r.float(), r.float()
	t.SessionStart, t.SessionEnd = r.time(), r.time()
	t.Flags = leyden.Flags(r.int())
	t.StopRound = int(r.int())
	t.DueAt, t.UpdatedAt, t.InsertedAt = r.time(), r.time(), r.time()
	t.Revision, t.Version = int(r.int()), int(r.int())
	evidence := r.text()
	t.Note, t.NotBillable, t.CorrectedAt = r.text(), r.text(), r.time()
	if keys := brief && t.CorrectedAt.IsZero() && readKeys(evidence, &t.Evidence); !keys {
		if err := fromJSON(evidence, &t.Evidence); err != nil {
			return fmt.Errorf("evidence of transaction %d: %w", t.ID, err)
		}
	}
	if err := fromJSON(metadata, &t.Metadata); err != nil {
		return fmt.Errorf("metadata of transaction %d: %w", t.ID, err)
	}
	return checkRead(t)
}

// readKeys reads the keys with which an evidence begins, and nothing of what may
// be much. It reports false if it does not begin as those that leyden writes.
func readKeys(evidence string, v *leyden.Evidence) bool {
	rest, ok := strings.CutPrefix(evidence, `{`)
	for _, key := range []struct {
		name string
		to   *string
	}{{`"startKey":`, &v.StartKey}, {`"stopKey":`, &v.StopKey}} {
		text, there := strings.CutPrefix(rest, key.name)
		if !there {
			continue
		}
		n := strings.IndexByte(text[min(1, len(text)):], '"') + 2
		if n < 2 || strings.IndexByte(text[:n], '\\') >= 0 || text[0] != '"' {
			return false
		}
		*key.to, rest = text[1:n-1], strings.TrimPrefix(text[n:], `,`)
	}
	return ok
}

func (r *row) token() leyden.IDToken { return leyden.IDToken{Value: r.text(), Type: r.text()} }

// checkRead refuses what could never have been written.
func checkRead(t *leyden.Transaction) error {
	if err := t.Check(); err != nil {
		return &failure{fmt.Errorf("broken row: %v", err)}
	}
	return nil
}

// fromJSON reads a text into v; "" leaves it as it is.
func fromJSON(text string, v any) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return &failure{fmt.Errorf("broken JSON in the database: %w", err)}
	}
	return nil
}

// into returns what reads a row of transactionColumns behind those already found.
func into(found *[]leyden.Transaction) func(*row) error {
	return func(r *row) error {
		*found = append(*found, leyden.Transaction{})
		return r.transaction(&(*found)[len(*found)-1], false)
	}
}
