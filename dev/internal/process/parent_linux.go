package process

import "syscall"

// dieWithParent asks the kernel to signal the child when we end, however we end.
func dieWithParent(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }
