package chain_test

import (
	"fmt"
	"slices"
	"testing"

	"leyden/chain"
)

// A stored is a row as a driver keeps it.
type stored struct {
	number int64
	row    chain.Row
	hash   []byte
}

const began = chain.PartitionRows - 4 // so that the sixth row opens a partition

// ledger returns twenty rows and the state beside them.
func ledger() ([]stored, chain.State) {
	s := chain.State{ID: chain.ID{7}, Began: began, Oldest: began, End: chain.Begin(chain.ID{7}, began)}
	var h chain.Hasher
	var rows []stored
	for i := range int64(20) {
		rows = append(rows, stored{row: chain.Row{
			Kind: 2, Transaction: i / 3, At: 1_000 * i, ReceivedAt: chain.Unknown,
			Station: "S", Key: fmt.Sprint("k", i), Body: "{}",
		}})
		add(&s, &h, &rows[i])
	}
	return rows, s
}

// add does what a writer does with a new row.
func add(s *chain.State, h *chain.Hasher, r *stored) {
	link := h.After(s.End, &r.row)
	if chain.Opens(link.Number, s.Began) {
		s.Anchors = append(s.Anchors, chain.Anchor{First: link.Number, Before: s.End.Hash})
	}
	r.number, r.hash, s.End = link.Number, slices.Clone(link.Hash[:]), link
}

// verify verifies all parts, each for itself, and returns the first fault.
func verify(rows []stored, s *chain.State) error {
	parts, err := s.Parts()
	for _, p := range parts {
		v := chain.NewVerifier(p.From)
		for i := range rows {
			r := &rows[i]
			if err == nil && r.number > p.From.Number && r.number <= p.Upto.Number {
				err = v.Next(r.number, &r.row, r.hash)
			}
		}
		if err == nil {
			err = v.End(p.Upto)
		}
	}
	return err
}

func TestTampering(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(rows []stored, s *chain.State) []stored
		want  string
	}{
		"nothing": {func(r []stored, _ *chain.State) []stored { return r }, ""},
		"edited":  {func(r []stored, _ *chain.State) []stored { r[3].row.At++; return r }, "event 65535 is not what was recorded behind event 65534"},
		"edited and hashed": {func(r []stored, _ *chain.State) []stored {
			r[2].row.Body = "[]"
			link := new(chain.Hasher).After(chain.Link{Number: r[1].number, Hash: chain.Hash(r[1].hash)}, &r[2].row)
			r[2].hash = link.Hash[:]
			return r
		}, "event 65535 is not what was recorded behind event 65534"},
		"columns swapped": {func(r []stored, _ *chain.State) []stored {
			r[6].row.Station, r[6].row.Key = r[6].row.Key, r[6].row.Station
			return r
		}, "event 65538 is not what"},
		"moved between columns": {func(r []stored, _ *chain.State) []stored {
			r[6].row.Station, r[6].row.Key = "Sk", "6"
			return r
		}, "event 65538 is not what"},
		"deleted":     {func(r []stored, _ *chain.State) []stored { return slices.Delete(r, 9, 11) }, "event 65541 is missing"},
		"all deleted": {func(r []stored, _ *chain.State) []stored { return nil }, "event 65532 is missing"},
		"truncated":   {func(r []stored, _ *chain.State) []stored { return r[:12] }, "event 65544 is missing"},
		"truncated with the end": {func(r []stored, s *chain.State) []stored {
			s.End.Number = r[11].number
			return r[:12]
		}, "event 65543 is not the one that was followed by others, or the last"},
		"inserted": {func(r []stored, _ *chain.State) []stored {
			return slices.Insert(r, 5, stored{r[4].number, r[3].row, r[4].hash})
		}, "event 65536 has no place in the chain"},
		"reordered": {func(r []stored, _ *chain.State) []stored {
			r[7].row, r[8].row, r[7].hash, r[8].hash = r[8].row, r[7].row, r[8].hash, r[7].hash
			return r
		}, "event 65539 is not what was recorded behind event 65538"},
		"hash taken away": {func(r []stored, _ *chain.State) []stored { r[0].hash = nil; return r }, "event 65532 has no hash"},
		"anchor forged": {func(r []stored, s *chain.State) []stored {
			s.Anchors[1].Before[0]++
			return r
		}, "event 65536 is not the one that was followed"},
		"anchor missing": {func(r []stored, s *chain.State) []stored {
			s.Anchors = s.Anchors[:1]
			return r
		}, "event 65537 has not the anchor of its partition"},
		"anchor too many": {func(r []stored, s *chain.State) []stored {
			s.Anchors = append(s.Anchors, chain.Anchor{First: 9})
			return r
		}, "event 9 has not the anchor"},
		"another's": {func(r []stored, s *chain.State) []stored { s.ID[0]++; return r }, "event 65532 does not begin the chain"},
		"partition dropped": {func(r []stored, s *chain.State) []stored {
			s.Oldest, s.Anchors = r[5].number, s.Anchors[1:]
			return r[5:]
		}, ""},
		"half a partition dropped": {func(r []stored, s *chain.State) []stored {
			s.Oldest, s.Anchors = r[6].number, s.Anchors[1:]
			return r[6:]
		}, "event 65538 cannot be the oldest"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, s := ledger()
			rows = test.spoil(rows, &s)
			wantText(t, verify(rows, &s), test.want)
		})
	}
}

// TestStable: what is hashed never changes.
func TestStable(t *testing.T) {
	_, s := ledger()
	if got, want := s.End.Hash.String(), "1c5522b187f028e7864f7874799449929041bca6f9d03eb421259ddd1456d979"; got != want {
		t.Errorf("the twentieth hash is %s; want %s", got, want)
	}
}

func TestEmpty(t *testing.T) {
	s := chain.State{ID: chain.ID{7}, Began: 5, Oldest: 5, End: chain.Begin(chain.ID{7}, 5)}
	wantText(t, verify(nil, &s), "")
}

func BenchmarkAfter(b *testing.B) {
	var h chain.Hasher
	end := chain.Begin(chain.ID{}, 1)
	r := chain.Row{Kind: 2, Transaction: 7, At: 1, ReceivedAt: 2, Station: "S", Key: "M|1|123456|5f2b8c1d9e3a4f60|7", Body: string(make([]byte, 450))}
	b.ReportAllocs()
	for b.Loop() {
		end = h.After(end, &r)
	}
}
