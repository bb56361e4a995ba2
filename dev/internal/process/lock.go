package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// ErrLocked means that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock takes the file at path, or fails at once with ErrLocked and the number of
// the process that has it. The lock ends with the last process that holds the
// file, in whatever way that ends: there is nothing stale to remove.
func Lock(path string) (file *os.File, owner string, err error) {
	file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, "", fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		content, _ := io.ReadAll(io.LimitReader(file, 32))
		return nil, strings.TrimSpace(string(content)), errors.Join(ErrLocked, file.Close())
	}
	if err := file.Truncate(0); err != nil {
		return nil, "", errors.Join(err, file.Close())
	}
	if _, err := fmt.Fprintln(file, os.Getpid()); err != nil {
		return nil, "", errors.Join(err, file.Close())
	}
	return file, "", nil
}
