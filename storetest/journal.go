package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"leyden"
)

// OpenJournal opens an empty journal with limits and a clock.
type OpenJournal func(t *testing.T, limits leyden.JournalLimits, now func() time.Time) leyden.Journal

// RunJournal tests the journals that open returns.
func RunJournal(t *testing.T, open OpenJournal) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, OpenJournal)
	}{
		{"ReadBack", framesReadBack},
		{"Selects", framesSelected},
		{"Follows", framesFollowed},
		{"Crowd", framesOfCrowd},
		{"BoundedBySize", framesBoundedBySize},
		{"BoundedBySizeOfOne", frameTooLarge},
		{"BoundedByAge", framesBoundedByAge},
		{"ClockAhead", framesFromTheFuture},
		{"Cancelled", framesCancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open) })
	}
}

func atBase() time.Time { return base.Add(time.Hour) }

func writeFrames(t *testing.T, j leyden.Journal, frames ...leyden.Frame) []leyden.Frame {
	t.Helper()
	if err := j.WriteFrames(t.Context(), frames); err != nil {
		t.Fatalf("WriteFrames: %v", err)
	}
	return frames
}

func framesOf(t *testing.T, j leyden.Journal, q leyden.FrameQuery) []leyden.Frame {
	t.Helper()
	return must[[]leyden.Frame](t)(j.Frames(t.Context(), q))
}

// frame returns the n-th call of station S, in its n-th second.
func frame(n int) leyden.Frame {
	return leyden.Frame{
		Station: "S", At: base.Add(time.Duration(n) * time.Second), Type: leyden.FrameCall, MessageID: fmt.Sprint(n),
		Action: "Heartbeat", Text: fmt.Sprintf(`[2,"%d","Heartbeat",{}]`, n),
	}
}

func framesReadBack(t *testing.T, open OpenJournal) {
	j := open(t, leyden.JournalLimits{}, atBase)
	same(t, "frames of an empty journal", framesOf(t, j, leyden.FrameQuery{}), nil)
	writeFrames(t, j)
	full := leyden.Frame{
		Station: "S", At: base.Add(1234 * time.Microsecond), Sent: true, Type: leyden.FrameResult, MessageID: "m",
		Action: "StartTransaction", Transaction: 1<<31 - 1, Text: `[3,"m",{"é":"\u0000 ` + "\x00\xff" + `"}]`,
	}
	bare := leyden.Frame{Station: "S", At: base, Type: leyden.FrameBroken}
	written := writeFrames(t, j, full, bare)
	if written[0].Seq < 1 || written[1].Seq <= written[0].Seq {
		t.Errorf("Seq %d, then %d", written[0].Seq, written[1].Seq)
	}
	same(t, "frames", framesOf(t, j, leyden.FrameQuery{Ascending: true}), written)
	full.Seq, bare.Seq = written[0].Seq, written[1].Seq
	same(t, "what was written", written, []leyden.Frame{full, bare})
}

// framesSelected holds every combination of filters against a plain loop.
func framesSelected(t *testing.T, open OpenJournal) {
	j := open(t, leyden.JournalLimits{}, atBase)
	var all []leyden.Frame
	for n := range 48 {
		f := frame(n)
		f.Station = []leyden.StationID{"S", "s"}[n%2]
		f.Action = []string{"Heartbeat", "MeterValues", ""}[n%3]
		f.Transaction = leyden.TransactionID(n % 4)
		f.Type = []leyden.FrameType{leyden.FrameCall, leyden.FrameResult}[n/2%2]
		f.Sent = n/4%2 == 1
		all = append(all, writeFrames(t, j, f)...)
	}
	window := leyden.Window{From: base.Add(10 * time.Second), To: base.Add(40 * time.Second)}
	for n := range 1 << 8 {
		q := leyden.FrameQuery{Ascending: n&1 != 0, Limit: n >> 1 & 1 * 5}
		put(&q.Station, "S", n&4)
		put(&q.Action, "MeterValues", n&8)
		put(&q.Transaction, 3, n&16)
		put(&q.Type, leyden.FrameResult, n&32)
		put(&q.At, window, n&64)
		put(&q.Sent, new(n&1 != 0), n&128)
		same(t, fmt.Sprintf("frames of %+v", q), framesOf(t, j, q), selected(all, q))
		q.After = all[20].Seq
		same(t, fmt.Sprintf("frames of %+v", q), framesOf(t, j, q), selected(all, q))
	}
}

func put[T any](field *T, value T, on int) {
	if on != 0 {
		*field = value
	}
}

// selected returns what q selects, in the plainest way.
func selected(all []leyden.Frame, q leyden.FrameQuery) []leyden.Frame {
	var found []leyden.Frame
	for i := range all {
		f := all[len(all)-1-i]
		if q.Ascending {
			f = all[i]
		}
		switch {
		case q.Station != "" && f.Station != q.Station, q.Action != "" && f.Action != q.Action,
			q.Transaction != 0 && f.Transaction != q.Transaction, q.Type != "" && f.Type != q.Type,
			q.Sent != nil && f.Sent != *q.Sent, !q.At.IsZero() && !q.At.Contains(f.At),
			q.After != 0 && q.Ascending && f.Seq <= q.After, q.After != 0 && !q.Ascending && f.Seq >= q.After,
			q.Limit != 0 && len(found) == q.Limit:
			continue
		}
		found = append(found, f)
	}
	return found
}

// framesOfCrowd: frames of many stations are written in batches of all sizes, and
// found whatever page of them is asked for.
func framesOfCrowd(t *testing.T, open OpenJournal) {
	j := open(t, leyden.JournalLimits{}, atBase)
	r := rand.New(rand.NewPCG(1, 2))
	var all []leyden.Frame
	for _, size := range []int{1, 3, 700, 2, 4096, 1, 90, 1500} {
		batch := make([]leyden.Frame, size)
		for i := range batch {
			batch[i] = crowdFrame(r, len(all)+i)
		}
		all = append(all, writeFrames(t, j, batch...)...)
	}
	for range 300 {
		q := leyden.FrameQuery{Ascending: r.IntN(2) == 0, Limit: 1 + r.IntN(200)}
		put(&q.Station, all[r.IntN(len(all))].Station, r.IntN(4))
		put(&q.Transaction, all[r.IntN(len(all))].Transaction, r.IntN(2))
		put(&q.Type, leyden.FrameCall, r.IntN(2))
		put(&q.After, all[r.IntN(len(all))].Seq, r.IntN(3))
		from := r.IntN(len(all))
		put(&q.At, leyden.Window{From: all[from].At, To: all[min(from+1000, len(all)-1)].At}, r.IntN(2))
		same(t, fmt.Sprintf("frames of %+v", q), framesOf(t, j, q), selected(all, q))
	}
}

// crowdFrame returns the n-th frame of a crowd.
func crowdFrame(r *rand.Rand, n int) leyden.Frame {
	f := frame(n)
	f.At = base.Add(time.Duration(n)*10*time.Millisecond + time.Duration(r.IntN(50))*time.Millisecond)
	f.Station = leyden.StationID(fmt.Sprint("CP-", r.IntN(1+r.IntN(1000)))) // some are more often heard than others
	put(&f.Transaction, leyden.TransactionID(1+r.IntN(1+n/10)), r.IntN(3))
	if r.IntN(2) == 0 {
		f.Sent, f.Type, f.Text = true, leyden.FrameResult, fmt.Sprintf(`[3,"%s",{"n":%d}]`, f.MessageID, r.IntN(1<<30))
	}
	if r.IntN(500) == 0 {
		f.Type, f.Action, f.Text = leyden.FrameBroken, "", noise(n, r.IntN(100_000))
	}
	return f
}

// framesFollowed: who follows a journal sees every frame once.
func framesFollowed(t *testing.T, open OpenJournal) {
	j := open(t, leyden.JournalLimits{}, atBase)
	var seen []leyden.Frame
	var written []leyden.Frame
	last := int64(0)
	for n := range 10 {
		for _, f := range framesOf(t, j, leyden.FrameQuery{Station: "S", After: last, Ascending: true, Limit: 2}) {
			seen, last = append(seen, f), f.Seq
		}
		late := frame(-n) // order is that of writing, whatever the clock says
		written = append(written, writeFrames(t, j, late)...)
	}
	seen = append(seen, framesOf(t, j, leyden.FrameQuery{Station: "S", After: last, Ascending: true})...)
	same(t, "frames that were seen", seen, written)
}

// noise returns a text of n bytes that cannot be written shorter, another for
// each seed.
func noise(seed, n int) string {
	text := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(text) // never fails
	return string(text)
}

// framesBoundedBySize: the newest stay, without a gap.
func framesBoundedBySize(t *testing.T, open OpenJournal) {
	const limit = 1 << 20
	j := open(t, leyden.JournalLimits{MaxBytes: limit}, atBase)
	last := int64(0)
	for n := range 200 {
		batch := make([]leyden.Frame, 16)
		for i := range batch {
			batch[i] = frame(n*len(batch) + i)
			batch[i].Text = noise(n*len(batch)+i, (n*37+i*911)%4000)
		}
		writeFrames(t, j, batch...)
		if batch[0].Seq <= last {
			t.Fatalf("Seq %d after %d", batch[0].Seq, last)
		}
		last = batch[len(batch)-1].Seq
	}
	size, next := 0, last
	for {
		page := framesOf(t, j, leyden.FrameQuery{After: next + 1, Limit: 100})
		for _, f := range page {
			if f.Seq != next {
				t.Fatalf("frame %d is not there; the newest is %d", next, last)
			}
			size += len(f.Text)
			next--
		}
		if len(page) == 0 {
			break
		}
	}
	if size > limit || size < limit/3 {
		t.Errorf("texts of %d bytes are kept under a limit of %d", size, limit)
	}
}

// frameTooLarge: one that is larger than all that may be kept harms nobody.
func frameTooLarge(t *testing.T, open OpenJournal) {
	j := open(t, leyden.JournalLimits{MaxBytes: 1 << 20}, atBase)
	writeFrames(t, j, frame(1))
	large := frame(2)
	large.Text = noise(1, 2<<20)
	writeFrames(t, j, large)
	after := writeFrames(t, j, frame(3))
	same(t, "newest frame", framesOf(t, j, leyden.FrameQuery{Limit: 1}), after)
	for _, f := range framesOf(t, j, leyden.FrameQuery{}) {
		if len(f.Text) > 1<<20 {
			t.Errorf("a frame of %d bytes is kept", len(f.Text))
		}
	}
}

func framesBoundedByAge(t *testing.T, open OpenJournal) {
	now := base
	j := open(t, leyden.JournalLimits{MaxAge: time.Minute}, func() time.Time { return now })
	var all []leyden.Frame
	for n := range 120 {
		now = base.Add(time.Duration(n) * time.Second)
		all = append(all, writeFrames(t, j, frame(n))...)
	}
	same(t, "frames", framesOf(t, j, leyden.FrameQuery{Ascending: true}), all[119-60:])
	now = now.Add(time.Hour)
	writeFrames(t, j)
	same(t, "frames an hour later", framesOf(t, j, leyden.FrameQuery{}), nil)
	if next := writeFrames(t, j, frame(3719)); next[0].Seq <= all[119].Seq {
		t.Errorf("Seq %d after %d", next[0].Seq, all[119].Seq)
	}
}

// framesFromTheFuture: frames from a clock that was set back do not stay for good.
func framesFromTheFuture(t *testing.T, open OpenJournal) {
	now := base.AddDate(50, 0, 0)
	j := open(t, leyden.JournalLimits{MaxAge: time.Hour}, func() time.Time { return now })
	ahead := frame(0)
	ahead.At = now
	writeFrames(t, j, ahead)
	now = base
	set := writeFrames(t, j, frame(0))
	same(t, "frames", framesOf(t, j, leyden.FrameQuery{}), set)
}

func framesCancelled(t *testing.T, open OpenJournal) {
	j := open(t, leyden.JournalLimits{}, atBase)
	err := j.WriteFrames(done(t.Context()), []leyden.Frame{frame(1)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("WriteFrames: %v", err)
	}
	if _, err := j.Frames(done(t.Context()), leyden.FrameQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Frames: %v", err)
	}
	same(t, "frames", framesOf(t, j, leyden.FrameQuery{}), nil)
}
