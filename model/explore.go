package model

import (
	"fmt"
	"slices"
)

// node is a state that was found, and how.
type node struct {
	world  world
	parent int32
	depth  int32
	by     step
}

// search goes through all states, nearest first, so that the first broken promise
// it meets has the shortest way there.
type search struct {
	*house
	seen  map[world]int32
	nodes []node
	edges []int32 // of all nodes, one after the other
	ends  []int32 // where the edges of a node end
	rests []int32
}

// Check goes through every state of a scenario. It stops at the first broken
// promise. Where nothing is left to do, everything acknowledged must have arrived,
// and from every state such a state must be within reach.
func Check(s Scenario) (Report, error) {
	x := &search{house: newHouse(s), seen: map[world]int32{}}
	var first world
	first.faults, first.closes, first.handOvers = uint8(s.Faults), uint8(s.Closes), uint8(s.HandOvers)
	x.found(first, -1, step{})
	for at := int32(0); int(at) < len(x.nodes); at++ {
		if s.Most > 0 && len(x.nodes) > s.Most {
			return x.report(), fmt.Errorf("more than %d states", s.Most)
		}
		if broken := x.expand(at); broken != "" {
			return x.broken(at, broken), nil
		}
	}
	if at := x.stuck(); at >= 0 {
		return x.broken(at, "P2: from here nothing leads to an end any more"), nil
	}
	return x.report(), nil
}

func (x *search) found(w world, parent int32, by step) int32 {
	if at, known := x.seen[w]; known {
		return at
	}
	at, depth := int32(len(x.nodes)), int32(0)
	if parent >= 0 {
		depth = x.nodes[parent].depth + 1
	}
	x.seen[w] = at
	x.nodes = append(x.nodes, node{w, parent, depth, by})
	return at
}

// expand takes every step from a state. Without one that the outside world is not
// free to leave out, the state is at rest.
func (x *search) expand(at int32) string {
	w := x.nodes[at].world
	rest := true
	x.steps(&w, func(by step, next world) {
		rest = rest && by.kind.optional()
		x.edges = append(x.edges, x.found(next, at, by))
	})
	x.ends = append(x.ends, int32(len(x.edges)))
	if rest {
		x.rests = append(x.rests, at)
	}
	return w.judge(rest)
}

// stuck returns the nearest state from which no state at rest can be reached, -1
// if there is none.
func (x *search) stuck() int32 {
	back := make([][]int32, len(x.nodes))
	begin := int32(0)
	for from, end := range x.ends {
		for _, to := range x.edges[begin:end] {
			back[to] = append(back[to], int32(from))
		}
		begin = end
	}
	reach := make([]bool, len(x.nodes))
	todo := slices.Clone(x.rests)
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !reach[at] {
			reach[at] = true
			todo = append(todo, back[at]...)
		}
	}
	return int32(slices.Index(reach, false))
}

func (x *search) report() Report {
	return Report{
		States: len(x.nodes), Steps: len(x.edges), Rests: len(x.rests), Rules: len(x.rules.all),
		Depth: int(x.nodes[len(x.nodes)-1].depth),
	}
}

func (x *search) broken(at int32, what string) Report {
	r := x.report()
	r.Broken = what
	for ; x.nodes[at].parent >= 0; at = x.nodes[at].parent {
		n := &x.nodes[at]
		r.Trace = append(r.Trace, x.words(n.by, &x.nodes[n.parent].world, &n.world))
	}
	slices.Reverse(r.Trace)
	return r
}
