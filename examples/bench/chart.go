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

// charts are what the chart shows: how each figure grows with the waiters.
var charts = [][]struct{ key, title string }{
	{{"memory_rest", "Memory per waiter"}, {"cpu", "CPU per answer and its next poll"}},
	{{"last", "From touch to the last answer"}, {"idle", "CPU while all wait"}},
}

// colours are told apart also by who sees few.
var colours = []color.Color{color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}}

// plot draws the charts into one file.
func (r *report) plot(path string) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"} // as wide as what a browser takes instead
	plots := make([][]*plot.Plot, len(charts))
	for row, columns := range charts {
		for _, chart := range columns {
			p, err := r.chart(chart.key, chart.title)
			if err != nil {
				return errors.Wrap(err, "drawing the chart")
			}
			plots[row] = append(plots[row], p)
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
		return errors.Wrap(err, "drawing the chart")
	}
	defer file.Close()
	if _, err := canvas.WriteTo(file); err != nil {
		return errors.Wrap(err, "drawing the chart")
	}
	return errors.Wrap(file.Close(), "drawing the chart")
}

// chart draws one figure. Its scale is logarithmic, for the programs are far apart.
func (r *report) chart(key, title string) (*plot.Plot, error) {
	f := many[slices.IndexFunc(many, func(f figure) bool { return f.key == key })]
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = "waiters", f.unit.name
	p.X.Min = 0
	p.Legend.Left = true
	lowest, highest := 0.0, 0.0
	for i, k := range kinds {
		var points plotter.XYs
		for _, waiters := range r.sizes(k.name) {
			if value, ok := r.median(k.name, waiters, key); ok {
				const least = 1e-3 // Nothing at all has no place on the scale.
				y := max(value/f.unit.size, least)
				points = append(points, plotter.XY{X: float64(waiters), Y: y})
				if lowest == 0 {
					lowest = y
				}
				lowest, highest = min(lowest, y), max(highest, y)
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, dots.Color, dots.Shape = colours[i], colours[i], draw.CircleGlyph{}
		line.Width = vg.Points(1.5)
		p.Add(line, dots)
		if key == charts[0][0].key {
			p.Legend.Add(k.title, line, dots)
		}
	}
	p.Add(plotter.NewGrid())
	if highest > 0 {
		// Below the lowest there is room for the legend.
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		p.Y.Min, p.Y.Max = decade(lowest/3, false), decade(highest, true)
	}
	return p, nil
}

// decade returns the power of ten below or above the value.
func decade(value float64, above bool) float64 {
	power := 1.0
	for power > value {
		power /= 10
	}
	for power*10 <= value {
		power *= 10
	}
	if above {
		return power * 10
	}
	return power
}
