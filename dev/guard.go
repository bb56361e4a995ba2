package main

import (
	"os"
	"time"

	"parley/dev/internal/process"
)

// guardCommand is the other side of process.StartGuard, and not for people.
func guardCommand([]string) error {
	process.Watch(os.Stdin, 8*time.Second)
	return nil
}

// startGuard starts this program once more, as the guard.
func startGuard(hold ...*os.File) (*process.Guard, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return process.StartGuard([]string{self, "guard"}, os.Environ(), hold...)
}
