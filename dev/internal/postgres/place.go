package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// place is a folder in which the server's user can work.
type place struct {
	dir   string
	owner *syscall.Credential // nil when the server runs as we do
}

// choosePlace makes dir usable. Postgres refuses to run as root, so root lends the
// folder to an unprivileged user; when that user cannot even reach it (below
// /root, for instance), a folder in /var/tmp named after dir takes its place, and
// dir becomes a link to it.
func choosePlace(dir string) (place, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return place{}, err
	}
	if os.Geteuid() != 0 {
		return place{dir: dir}, os.MkdirAll(dir, 0o700)
	}
	owner, err := unprivileged()
	if err != nil {
		return place{}, err
	}
	if info, err := os.Lstat(dir); err != nil || info.IsDir() {
		p := place{dir: dir, owner: owner}
		if err := p.lend(); err != nil {
			return place{}, err
		}
		if p.reachable() {
			return p, nil
		}
		if err := os.Remove(dir); err != nil { // only ever removes an empty folder
			return place{}, fmt.Errorf("%s cannot be used by user %d, and is not empty: %w", dir, owner.Uid, err)
		}
	}
	return substitute(dir, owner)
}

// substitute is the folder in /var/tmp. Its name can be guessed by other users of
// the machine, so a folder that is there must already be the server's own.
func substitute(dir string, owner *syscall.Credential) (place, error) {
	sum := sha256.Sum256([]byte(dir))
	p := place{dir: filepath.Join("/var/tmp", "parley-postgres-"+hex.EncodeToString(sum[:6])), owner: owner}
	err := os.Mkdir(p.dir, 0o700)
	if err == nil {
		err = p.lend()
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return place{}, err
	}
	info, err := os.Lstat(p.dir)
	if err != nil {
		return place{}, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || stat.Uid != owner.Uid {
		return place{}, fmt.Errorf("%s belongs to somebody else", p.dir)
	}
	if target, err := os.Readlink(dir); err == nil && target == p.dir {
		return p, nil
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return place{}, err
	}
	return p, os.Symlink(p.dir, dir)
}

// lend creates the folder and gives it to its owner.
func (p place) lend() error {
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	return os.Chown(p.dir, int(p.owner.Uid), int(p.owner.Gid))
}

// reachable tries as the owner: permissions have more sides than mode bits.
func (p place) reachable() bool {
	cmd := exec.Command("/bin/sh", "-c", `cd "$0" && test -w .`, p.dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	return cmd.Run() == nil
}

// unprivileged is whom the server runs as when we are root.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID != nil || errGID != nil || uid == 0 {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{uint32(gid)}}, nil
	}
	return nil, errors.New("postgres cannot run as root, and there is neither a user postgres nor nobody")
}
