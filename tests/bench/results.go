package main

import (
	"math"
	"slices"
)

// results has the description of the machine, and what was measured.
type results struct {
	Machine map[string]string `json:"machine"`
	Figures []*figure         `json:"figures"`
}

// figure is one measurement of one candidate, with a value for each round.
type figure struct {
	Candidate string    `json:"candidate"`
	Name      string    `json:"name"`
	Values    []float64 `json:"values,omitempty"`
	Cannot    string    `json:"cannot,omitempty"` // why values are missing
}

// find returns the figure, or nil. A figure without a name replaces all figures of a candidate.
func (r *results) find(candidate, name string) *figure {
	for _, f := range r.Figures {
		if f.Candidate == candidate && (f.Name == name || f.Name == "") {
			return f
		}
	}
	return nil
}

func (r *results) at(candidate, name string) *figure {
	f := r.find(candidate, name)
	if f == nil {
		f = &figure{Candidate: candidate, Name: name}
		r.Figures = append(r.Figures, f)
	}
	return f
}

func (r *results) add(candidate, name string, value float64) {
	f := r.at(candidate, name)
	f.Values = append(f.Values, value)
}

func (r *results) cannot(candidate, name, why string) { r.at(candidate, name).Cannot = why }

// failed records an error, and reports whether err is one.
func (r *results) failed(candidate, name string, err error) bool {
	if err != nil {
		r.cannot(candidate, name, "failed: "+err.Error())
	}
	return err != nil
}

// spread is a median with its extremes; all are NaN without values.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + median) / 2
	}
	return spread{median, sorted[0], sorted[len(sorted)-1]}
}

// values returns the values of a figure, or nil if it could not be measured.
func (r *results) values(candidate, name string) []float64 {
	f := r.find(candidate, name)
	if f == nil {
		return nil
	}
	return f.Values
}

func (r *results) spread(candidate, name string) spread { return spreadOf(r.values(candidate, name)) }

// ratio returns the quotient of two figures, formed in each round.
func (r *results) ratio(candidate, name, of, ofName string) spread {
	values, others := r.values(candidate, name), r.values(of, ofName)
	var ratios []float64
	for i := range min(len(values), len(others)) {
		ratios = append(ratios, values[i]/others[i])
	}
	return spreadOf(ratios)
}
