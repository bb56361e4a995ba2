// Command torture breaks Parley on purpose and says whether its promises held. It
// starts the real processes, with a Temporal server, a Postgres cluster and the
// simulator of their own, drives open-loop load in both directions, kills, stops
// and cuts off what it has started, and then checks on the simulator's own records
// that what was sent is what arrived: once, in order, with every conversation in a
// legal stage. `make torture` runs it.
//
// Every scenario can be run alone, and again with its seed. Times differ from run
// to run, as real processes do; what is chosen at random (who writes when, who is
// killed after how long, which answers fail) does not.
//
// It stays out of Parley: it talks to the processes as the outside world does, and
// of Parley's packages it imports the shapes of the simulator's answers alone.
package main
