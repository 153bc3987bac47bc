package bench

import (
	"bytes"
	"fmt"
	"html"
)

// The size of a plot, and of what is around it, in pixels.
const (
	plotWidth, plotHeight = 640, 320
	plotMargin            = 60
)

// Plot returns one figure of all series as SVG: medians, with a bar from the lowest
// to the highest round, on an axis that begins at 0, so that what is flat looks flat.
func Plot(r *Report, figure string) []byte {
	top, unit := 0.0, ""
	for i := range r.Series {
		if f := r.Series[i].Figure(figure); f != nil {
			top, unit = max(top, f.High), f.Unit
		}
	}
	top *= 1.25
	y := func(v float64) float64 { return plotHeight - plotMargin - over(v, top)*(plotHeight-2*plotMargin) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", plotMargin, plotMargin/2, html.EscapeString(figure+" in "+unit))
	for i := range 5 {
		v := top * float64(i) / 4
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ccc"/><text x="%d" y="%.1f" text-anchor="end">%.3g</text>`+"\n",
			plotMargin, plotWidth-plotMargin, y(v), y(v), plotMargin-6, y(v)+4, v)
	}
	line := ""
	for i := range r.Series {
		f := r.Series[i].Figure(figure)
		if f == nil {
			continue
		}
		x := plotMargin + float64(i+1)*(plotWidth-2*plotMargin)/float64(len(r.Series)+1)
		line += fmt.Sprintf("%.1f,%.1f ", x, y(f.Median))
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#36c"/><circle cx="%.1f" cy="%.1f" r="4" fill="#36c"/>`+"\n",
			x, x, y(f.Low), y(f.High), x, y(f.Median))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, plotHeight-plotMargin/2, html.EscapeString(r.Series[i].Name))
	}
	fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="#36c"/>`+"\n</svg>\n", line)
	return b.Bytes()
}
