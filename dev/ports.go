package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// listener is an address that one of our processes will listen on.
type listener struct {
	who     string
	address string
	change  string // how to choose another
}

// available complains about every address that is taken.
func available(listeners ...listener) error {
	var taken []error
	for _, l := range listeners {
		if l.address == "" {
			continue
		}
		probe, err := net.Listen("tcp", l.address)
		if err != nil {
			taken = append(taken, fmt.Errorf("%s cannot listen on %s: %w; choose another address with %s", l.who, l.address, cause(err), l.change))
			continue
		}
		_ = probe.Close()
	}
	if len(taken) > 0 {
		return usageError{errors.Join(taken...)}
	}
	return nil
}

// cause leaves out what the sentence around it already says.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
