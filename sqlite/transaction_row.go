package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

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

// writeRow writes a new row, or replaces one. SQLite writes every index anew that an
// UPDATE names, changed or not. Most reports are readings and change no indexed
// column, so those that stay as they are are not named.
func (t *tx) writeRow(row scanner, now *head) error {
	const (
		insert = `
INSERT INTO transactions (id, station, version,
  token_fold, start_key, public_id, connector, vehicle_id, remote, started_at, status, stopped_at, due_at, inserted_at,
  token, token_type, metadata, requested_at, expires_at, start_received_at, stop_received_at, meter_start, meter_stop,
  reservation, stop_token, stop_token_type, stop_reason, stop_reason_text, close_reason, energy, energy_source, power,
  initial_soc, end_soc, session_start, session_end, flags, stop_round, updated_at, revision, note, not_billable,
  corrected_at, evidence)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
  ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41,
  ?42, ?43, ?44)`
		update = `
UPDATE transactions SET version = ?3,
  token = ?15, token_type = ?16, metadata = ?17, requested_at = ?18, expires_at = ?19,
  start_received_at = ?20, stop_received_at = ?21, meter_start = ?22, meter_stop = ?23, reservation = ?24,
  stop_token = ?25, stop_token_type = ?26, stop_reason = ?27, stop_reason_text = ?28, close_reason = ?29,
  energy = ?30, energy_source = ?31, power = ?32, initial_soc = ?33, end_soc = ?34,
  session_start = ?35, session_end = ?36, flags = ?37, stop_round = ?38, updated_at = ?39,
  revision = ?40, note = ?41, not_billable = ?42, corrected_at = ?43, evidence = ?44`
		origin  = `, token_fold = ?4, start_key = ?5, public_id = ?6, connector = ?7, vehicle_id = ?8, remote = ?9, started_at = ?10`
		stage   = `, status = ?11, stopped_at = ?12, due_at = ?13, inserted_at = ?14`
		where   = ` WHERE id = ?1`
		refresh = update + where
		advance = update + stage + where
		replace = update + stage + origin + where
	)
	old, err := t.head(now.listing.id)
	if err != nil {
		return err
	}
	sql := replace
	switch {
	case old.version == 0:
		sql = insert
		t.tallies.change(nil, &now.listing)
	case old.origin == now.origin && old.stage == now.stage:
		sql = refresh
	case old.origin == now.origin:
		sql = advance
		t.tallies.change(&old.listing, &now.listing)
	default:
		t.tallies.change(&old.listing, &now.listing)
	}
	t.heads.put(now.listing.id, *now)
	return exec(t.c, sql, func(b *binder) {
		for len(row.b) > 0 {
			b.take(&row)
		}
	})
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
