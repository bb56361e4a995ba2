// Package e2e holds the tests that see Parley as its users do: the real binary as
// real processes, beside a real Temporal server and a real Postgres, with the
// simulator at the far sides. They kill what must survive being killed, and ask the
// simulator's own counters whether anything was lost, doubled or reordered.
//
// It stays out of Parley: of its packages it imports the simulator alone. There is
// nothing here for other rooms to import.
//
// The tests need DATABASE_URL, and TEMPORAL_ADDRESS or the program that PARLEY_DEV
// names (else bin/parley-dev); `make test` sets all of them. Each test makes a
// database and a Temporal namespace of its own, except those named TestRow_…: they
// are the rows of docs/connector-api.md and share two. With -short the slow ones are
// left out; with PARLEY_LONG=1 the long outage takes its full length, and those named
// TestMeasure… print figures. PARLEY_BIN names a parley binary to be tested instead
// of one built from this tree.
package e2e
