package memory

import (
	"context"
	"sync"
	"time"

	"leyden"
)

// frameOverhead is about how many bytes a frame takes beside its text.
const frameOverhead = 200

// A Journal implements [leyden.Journal]. MaxBytes bounds the memory that it
// takes. It is safe for concurrent use.
type Journal struct {
	limits leyden.JournalLimits
	now    func() time.Time

	mu     sync.Mutex // guards all below
	last   int64
	frames []leyden.Frame // by Seq
	bytes  int64
}

var _ leyden.Journal = (*Journal)(nil)

// NewJournal returns an empty journal whose clock is now.
func NewJournal(limits leyden.JournalLimits, now func() time.Time) *Journal {
	return &Journal{limits: limits.OrDefaults(), now: now}
}

// WriteFrames implements [leyden.Journal].
func (j *Journal) WriteFrames(ctx context.Context, frames []leyden.Frame) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i := range frames {
		j.last++
		frames[i].Seq = j.last
		kept := frames[i]
		kept.At = kept.At.UTC().Truncate(time.Microsecond)
		j.frames = append(j.frames, kept)
		j.bytes += frameSize(&kept)
	}
	j.forget()
	return nil
}

func frameSize(f *leyden.Frame) int64 { return int64(len(f.Text)) + frameOverhead }

// forget drops what is beyond the limits. Whatever is as far ahead of the clock
// as a frame may be old was written before the clock was set back.
func (j *Journal) forget() {
	now := j.now()
	old := leyden.Window{From: now.Add(-j.limits.MaxAge), To: now.Add(j.limits.MaxAge)}
	n := 0
	for n < len(j.frames) && (j.bytes > j.limits.MaxBytes || !old.Contains(j.frames[n].At)) {
		j.bytes -= frameSize(&j.frames[n])
		n++
	}
	clear(j.frames[:n])
	j.frames = j.frames[n:] // no copy: a full journal forgets with every write
}

// Frames implements [leyden.Journal].
func (j *Journal) Frames(ctx context.Context, q leyden.FrameQuery) ([]leyden.Frame, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = leyden.MaxWorking
	}
	var found []leyden.Frame
	for i := range j.frames {
		f := &j.frames[len(j.frames)-1-i]
		if q.Ascending {
			f = &j.frames[i]
		}
		if len(found) == q.Limit {
			break
		}
		if follows(f.Seq, &q) && chosen(f, &q) {
			found = append(found, *f)
		}
	}
	return found, nil
}

func follows(seq int64, q *leyden.FrameQuery) bool {
	if q.Ascending {
		return seq > q.After
	}
	return q.After == 0 || seq < q.After
}

func chosen(f *leyden.Frame, q *leyden.FrameQuery) bool {
	return (q.Station == "" || f.Station == q.Station) &&
		(q.Action == "" || f.Action == q.Action) &&
		(q.Transaction == 0 || f.Transaction == q.Transaction) &&
		(q.Type == "" || f.Type == q.Type) &&
		(q.Sent == nil || f.Sent == *q.Sent) &&
		(q.At.IsZero() || q.At.Contains(f.At))
}
