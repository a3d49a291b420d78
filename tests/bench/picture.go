package main

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// shades has the colors of the bars, by the number of clients.
var shades = []color.Color{
	color.RGBA{0x1b, 0x4f, 0x72, 0xff}, color.RGBA{0x2e, 0x86, 0xc1, 0xff}, color.RGBA{0xae, 0xd6, 0xf1, 0xff},
}

// draw draws the rate of every client as a share of the limit.
func (r *results) draw(path string) error {
	p := plot.New()
	p.Title.Text = "Rate to every client, share of the limit"
	p.Y.Min = 0
	p.Legend.Top = true
	var names []string
	for _, c := range candidates {
		if c.start != nil && (r.find(c.name, "rate 1") != nil) {
			names = append(names, c.name)
		}
	}
	const width = 9
	for i, clients := range clientCounts {
		name := fmt.Sprintf("rate %d", clients)
		var heights plotter.Values
		for _, candidate := range names {
			share := r.ratio(candidate, name, limit, name).median
			if math.IsNaN(share) {
				share = 0
			}
			heights = append(heights, share)
		}
		bars, err := plotter.NewBarChart(heights, vg.Points(width))
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = shades[i], 0
		bars.Offset = vg.Points(width) * vg.Length(i-1)
		p.Add(bars)
		p.Legend.Add(fmt.Sprintf("clients: %d", clients), bars)
	}
	p.Add(plotter.NewGrid())
	p.NominalX(names...)
	return p.Save(24*vg.Centimeter, 9*vg.Centimeter, path)
}
