package bench

import (
	"fmt"
	"math"
)

// A Difference is how one figure changed from a report to another.
type Difference struct {
	Series   string  `json:"series"`
	Figure   string  `json:"figure"`
	Unit     string  `json:"unit"`
	Old      float64 `json:"old"` // medians
	New      float64 `json:"new"`
	Percent  float64 `json:"percent"` // of the old one; infinite from 0
	Verdict  Verdict `json:"verdict"`
	Measured bool    `json:"measured"` // both were measured often enough to know their spread
}

// A Verdict says what a difference means.
type Verdict string

// The verdicts.
const (
	Same    Verdict = ""        // within what rounds differ by themselves
	Gained  Verdict = "better"  // every new round is better than every old one
	Lost    Verdict = "worse"   // every new round is worse than every old one
	Shifted Verdict = "changed" // beyond the spread, but neither is better
)

// spreadRounds is how many rounds tell a spread.
const spreadRounds = 2

// Compare returns what both reports measured. It fails if they are of different
// scenarios or settings: such figures say nothing about each other.
func Compare(before, after *Report) ([]Difference, error) {
	if before.Scenario != after.Scenario {
		return nil, fmt.Errorf("one measured %s, the other %s", before.Scenario, after.Scenario)
	}
	for name, was := range before.Settings {
		if is := after.Settings[name]; is != was {
			return nil, fmt.Errorf("one measured with %s %q, the other with %q", name, was, is)
		}
	}
	var all []Difference
	for _, was := range before.Series {
		for _, is := range after.Series {
			if is.Name == was.Name {
				all = append(all, differences(&was, &is)...)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("they measured nothing in common")
	}
	return all, nil
}

func differences(before, after *Series) []Difference {
	var all []Difference
	for i := range before.Figures {
		was := &before.Figures[i]
		is := after.Figure(was.Name)
		if is == nil {
			continue
		}
		d := Difference{
			Series: before.Name, Figure: was.Name, Unit: was.Unit, Old: was.Median, New: is.Median, Percent: percent(was.Median, is.Median),
			Measured: min(len(was.Values), len(is.Values)) >= spreadRounds,
		}
		d.Verdict = verdict(was, is)
		all = append(all, d)
	}
	return all
}

func percent(was, is float64) float64 {
	if was == is {
		return 0
	}
	if was == 0 {
		return math.MaxFloat64 // JSON has no infinity
	}
	return 100 * (is - was) / was
}

// verdict says whether the rounds of two figures lie apart.
func verdict(was, is *Figure) Verdict {
	above, below := is.Low > was.High, is.High < was.Low
	switch {
	case !above && !below:
		return Same
	case was.Better == Neither:
		return Shifted
	case above == (was.Better == More):
		return Gained
	}
	return Lost
}
