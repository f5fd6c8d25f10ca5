package main

import (
	"image/color"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

func drawable(path string) bool { return filepath.Ext(path) == ".svg" }

// charts are the figures that are drawn, in two rows of two.
var charts = [][]struct{ key, title string }{
	{{"memory", "Memory of each client"}, {"cpu", "CPU of an answer and the next poll"}},
	{{"last", "From touch to the last answer"}, {"idle", "CPU while all wait"}},
}

// lines are the programs and kinds of clients that are drawn. People with colour blindness can distinguish
// the colours.
var lines = []struct {
	program, kind, legend string
	color                 color.Color
	dashes                []vg.Length
}{
	{cometFCGI, polls, cometFCGI, blue, nil}, {cometFCGI, kept, cometFCGI + ", kept", blue, dashed},
	{plain, polls, plain, orange, nil}, {plain, kept, plain + ", kept", orange, dashed},
	{baseline, polls, baseline, orange, nil}, {baseline, kept, baseline + ", kept", orange, dashed},
}

var (
	blue, orange = color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	dashed       = []vg.Length{vg.Points(4), vg.Points(3)}
)

// plot draws how the figures grow with the number of clients.
func (r *report) plot(path string) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"} // as wide as the font that a browser uses
	var plots [][]*plot.Plot
	for i, row := range charts {
		plots = append(plots, nil)
		for _, chart := range row {
			p, err := r.chart(chart.key, chart.title)
			if err != nil {
				return errors.Wrap(err, "drawing the chart")
			}
			plots[i] = append(plots[i], p)
		}
	}
	canvas := vgsvg.New(20*vg.Centimeter, 15*vg.Centimeter)
	tiles := draw.Tiles{Rows: len(charts), Cols: len(charts[0]), PadX: vg.Centimeter, PadY: vg.Centimeter,
		PadTop: vg.Millimeter, PadBottom: vg.Millimeter, PadLeft: vg.Millimeter, PadRight: 5 * vg.Millimeter}
	for row, canvases := range plot.Align(plots, tiles, draw.New(canvas)) {
		for column, c := range canvases {
			plots[row][column].Draw(c)
		}
	}
	file, err := os.Create(path)
	if err != nil {
		return errors.Wrap(err, "writing the chart")
	}
	defer file.Close()
	if _, err := canvas.WriteTo(file); err != nil {
		return errors.Wrap(err, "writing the chart")
	}
	return errors.Wrap(file.Close(), "writing the chart")
}

// chart draws one figure, with a logarithmic scale.
func (r *report) chart(key, title string) (*plot.Plot, error) {
	const least = 1e-3 // A logarithmic scale has no zero.
	f := crowdFigures[slices.IndexFunc(crowdFigures, func(f figure) bool { return f.key == key })]
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = "clients", f.unit.name
	p.X.Min = 0
	p.Legend.Left = true
	for _, l := range lines {
		var points plotter.XYs
		for _, m := range r.Measurements {
			if m.Program == l.program && m.Table == titleOf(m.Waiters, l.kind) && len(m.Figures[key]) > 0 {
				points = append(points, plotter.XY{X: float64(m.Waiters), Y: max(m.Figures[key].median()/f.unit.size, least)})
			}
		}
		if len(points) == 0 {
			continue
		}
		slices.SortFunc(points, func(a, b plotter.XY) int { return int(a.X - b.X) })
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, dots.Color, dots.Shape = l.color, l.color, draw.CircleGlyph{}
		line.Width, line.Dashes = vg.Points(1.5), l.dashes
		p.Add(line, dots)
		if key == charts[0][0].key {
			p.Legend.Add(l.legend, line, dots)
		}
	}
	p.Add(plotter.NewGrid())
	if p.Y.Max >= p.Y.Min { // There are points.
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		p.Y.Min, p.Y.Max = p.Y.Min/30, p.Y.Max*2 // The legend has room below the lowest point.
	}
	return p, nil
}
