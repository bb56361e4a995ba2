package main

import (
	"maps"
	"slices"
	"time"
)

// results collects one figure per repetition under each name.
type results struct {
	figures map[string][]float64
	used    map[string][]spent // by phase, per message
}

func newResults() *results {
	return &results{figures: map[string][]float64{}, used: map[string][]spent{}}
}

func (r *results) add(name string, v float64) { r.figures[name] = append(r.figures[name], v) }

func (r *results) rate(name string, n int, d time.Duration) { r.add(name, float64(n)/d.Seconds()) }

// quantiles adds p50, p99 and the maximum, in milliseconds.
func (r *results) quantiles(name string, list []time.Duration) {
	sorted := slices.Sorted(slices.Values(list))
	at := func(q float64) float64 {
		if len(sorted) == 0 {
			return 0
		}
		return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]) / float64(time.Millisecond)
	}
	r.add(name+" p50", at(0.5))
	r.add(name+" p99", at(0.99))
	r.add(name+" max", at(1))
}

// cost adds what a phase took per message.
func (r *results) cost(phase string, messages int, used spent, grown size) {
	per := spent{}
	for name, d := range used {
		per[name] = d / time.Duration(messages)
	}
	r.used[phase] = append(r.used[phase], per)
	if grown != (size{}) {
		r.add(phase+", events", float64(grown.events)/float64(messages))
		r.add(phase+", bytes", float64(grown.bytes)/float64(messages))
	}
}

// spread is the median of the repetitions with the smallest and the largest.
func (r *results) spread(name string) (median, least, most float64, ok bool) {
	list := slices.Sorted(slices.Values(r.figures[name]))
	if len(list) == 0 {
		return 0, 0, 0, false
	}
	middle := len(list) / 2
	median = list[middle]
	if len(list)%2 == 0 {
		median = (list[middle-1] + list[middle]) / 2
	}
	return median, list[0], list[len(list)-1], true
}

// processor is the median time per message of each program in a phase, in ms.
func (r *results) processor(phase string) map[string]float64 {
	byName := map[string][]float64{}
	for _, s := range r.used[phase] {
		for name, d := range s {
			byName[name] = append(byName[name], float64(d)/float64(time.Millisecond))
		}
	}
	out := map[string]float64{}
	for name, list := range maps.All(byName) {
		slices.Sort(list)
		out[name] = list[len(list)/2]
	}
	return out
}
