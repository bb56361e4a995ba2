//go:build !linux

package process

import "syscall"

// dieWithParent does nothing: only Linux can do it. The guard does the work.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
