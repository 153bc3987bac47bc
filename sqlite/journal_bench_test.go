package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"leyden"
)

// A crowd says what stations say that charge one after the other: a start,
// readings, a stop.
type crowd struct {
	random       *rand.Rand
	at           time.Time
	said         []int
	transactions []leyden.TransactionID
	last         leyden.TransactionID
}

func newCrowd(stations int) *crowd {
	return &crowd{
		random: rand.New(rand.NewPCG(1, 2)), at: time.Now().Add(-time.Hour), said: make([]int, stations),
		transactions: make([]leyden.TransactionID, stations),
	}
}

// fill makes frames of all stations in turn, each with its answer.
func (c *crowd) fill(frames []leyden.Frame) {
	for i := 0; i+1 < len(frames); i += 2 {
		s := c.random.IntN(len(c.said))
		c.said[s]++
		c.at = c.at.Add(50 * time.Microsecond)
		id := fmt.Sprint(c.said[s])
		action, payload, answer := c.message(s)
		call := leyden.Frame{
			Station: leyden.StationID(fmt.Sprintf("CP-%05d", s)), At: c.at, Type: leyden.FrameCall, MessageID: id, Action: action,
			Transaction: c.transactions[s], Text: `[2,"` + id + `","` + action + `",` + payload + `]`,
		}
		frames[i], frames[i+1] = call, call
		f := &frames[i+1]
		f.Sent, f.Type, f.Text = true, leyden.FrameResult, `[3,"`+id+`",`+answer+`]`
	}
}

func (c *crowd) message(s int) (action, payload, answer string) {
	now := c.at.UTC().Format(time.RFC3339)
	switch c.said[s] % 7 {
	case 1:
		c.last++
		c.transactions[s] = c.last
		return "StartTransaction", fmt.Sprintf(`{"connectorId":1,"idTag":"TAG-%05d","meterStart":%d,"timestamp":"%s"}`, s, c.said[s]*1000, now),
			fmt.Sprintf(`{"idTagInfo":{"status":"Accepted"},"transactionId":%d}`, c.last)
	case 0:
		return "StopTransaction", fmt.Sprintf(`{"transactionId":%d,"meterStop":%d,"timestamp":"%s"}`, c.transactions[s], c.said[s]*1000, now),
			`{"idTagInfo":{"status":"Accepted"}}`
	}
	return "MeterValues", fmt.Sprintf(`{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":"%s","sampledValue":[`+
		`{"value":"%d","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},`+
		`{"value":"%d","measurand":"Power.Active.Import","unit":"W"},{"value":"%d","measurand":"SoC","unit":"Percent"}]}]}`,
		c.transactions[s], now, c.said[s]*1000+c.random.IntN(1000), c.random.IntN(22000), c.random.IntN(100)), `{}`
}

// BenchmarkJournal measures a frame of a journal that is full, on its way to the
// file in batches of all sizes.
func BenchmarkJournal(b *testing.B) {
	for _, size := range []int{8, 64, 512, 4096, 8192} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := OpenJournal(b.Context(), JournalOptions{Folder: b.TempDir(), Limits: leyden.JournalLimits{MaxBytes: 16 << 20}})
			frames, c := make([]leyden.Frame, size), newCrowd(1000)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				b.StopTimer()
				c.fill(frames)
				b.StartTimer()
				if err := j.WriteFrames(b.Context(), frames); err != nil {
					b.Fatal(err)
				}
				n += size
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/frame")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkJournalNewest measures the newest 100 frames of a station among a
// million, of one as busy as all, of one that said something long ago, and of a
// transaction in between.
func BenchmarkJournalNewest(b *testing.B) {
	const million = 1_000_000
	j := OpenJournal(b.Context(), JournalOptions{Folder: b.TempDir(), Limits: leyden.JournalLimits{MaxBytes: 1 << 40}})
	frames, c := make([]leyden.Frame, 4000), newCrowd(1000)
	for n := range million / len(frames) {
		if c.fill(frames); n == 1 {
			frames[0].Station = "CP-RARE"
		}
		if err := j.WriteFrames(b.Context(), frames); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]leyden.FrameQuery{
		"Busy": {Station: "CP-00007"}, "Rare": {Station: "CP-RARE"}, "None": {Station: "CP-NONE"}, "Transaction": {Transaction: c.last / 2},
	} {
		b.Run(name, func(b *testing.B) {
			q.Limit = 100
			found := 0
			for b.Loop() {
				frames, err := j.Frames(b.Context(), q)
				if err != nil {
					b.Fatal(err)
				}
				found = len(frames)
			}
			b.ReportMetric(float64(found), "frames")
		})
	}
	b.ReportMetric(float64(j.Size())/million, "bytes/frame")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
