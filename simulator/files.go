package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// fileStore keeps files on disk, with a bound for all of them: what was uploaded to
// swift, and what phones sent and got. Files are streamed: none is ever in memory.
type fileStore struct {
	mu    sync.Mutex
	dir   string // "" until the first file, unless it is kept
	keep  bool   // the folder outlives the process
	files map[string]*storedFile
	order []*storedFile // oldest first
	total int64
}

// storedFile is one file, or the place for one that was asked for.
type storedFile struct {
	ID       string    `json:"id"` // relativePath in swift, otherwise a random name
	Site     string    `json:"site,omitempty"`
	Owner    string    `json:"owner,omitempty"` // the consumer, whoever sent it
	Type     string    `json:"type"`            // JPG, PDF, …
	MIME     string    `json:"mime"`
	Name     string    `json:"name,omitempty"`
	Declared int64     `json:"declared,omitempty"`
	Size     int64     `json:"size"`
	Sum      string    `json:"sum,omitempty"` // SHA-256 in hexadecimal
	At       time.Time `json:"at"`
	Disk     string    `json:"disk"` // "" until it was uploaded
}

// keptFiles and keptFileBytes bound the store; the oldest go first.
const (
	keptFiles     = 5000
	keptFileBytes = 1 << 30
)

var errTooLarge = errors.New("file is too large")

func newFileStore(stateFile string) *fileStore {
	f := &fileStore{files: map[string]*storedFile{}}
	if stateFile != "" {
		f.dir, f.keep = stateFile+".files", true
	}
	return f
}

// add registers a file, or the place for one.
func (f *fileStore) add(file *storedFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[file.ID] = file
	f.order = append(f.order, file)
	f.bound()
}

// bound drops the oldest beyond the bounds. The store is locked.
func (f *fileStore) bound() {
	for len(f.order) > 1 && (len(f.order) > keptFiles || f.total > keptFileBytes) {
		f.drop(f.order[0])
		f.order = f.order[1:]
	}
}

func (f *fileStore) drop(file *storedFile) {
	if f.files[file.ID] == file {
		delete(f.files, file.ID)
	}
	if file.Disk != "" {
		_ = os.Remove(filepath.Join(f.dir, file.Disk))
		f.total -= file.Size
	}
}

// get returns a copy of what is known of a file.
func (f *fileStore) get(id string) (storedFile, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.files[id]
	if file == nil {
		return storedFile{}, false
	}
	return *file, true
}

// write takes the bytes of a registered file, at most so many of them; the second
// time they replace the first ones.
func (f *fileStore) write(id string, from io.Reader, most int64) (storedFile, error) {
	dir, err := f.folder()
	if err != nil {
		return storedFile{}, err
	}
	to, err := os.CreateTemp(dir, "f-*")
	if err != nil {
		return storedFile{}, fmt.Errorf("file store: %w", err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(from, most+1))
	err = errors.Join(err, to.Close())
	if err == nil && n > most {
		err = errTooLarge
	}
	if err != nil {
		_ = os.Remove(to.Name())
		return storedFile{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.files[id]
	if file == nil {
		_ = os.Remove(to.Name())
		return storedFile{}, os.ErrNotExist
	}
	if file.Disk != "" {
		_ = os.Remove(filepath.Join(f.dir, file.Disk))
		f.total -= file.Size
	}
	file.Disk, file.Size, file.Sum = filepath.Base(to.Name()), n, hex.EncodeToString(sum.Sum(nil))
	f.total += n
	f.bound()
	return *file, nil
}

func (f *fileStore) folder() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keep {
		return f.dir, os.MkdirAll(f.dir, 0o700)
	}
	if f.dir != "" {
		return f.dir, nil
	}
	dir, err := os.MkdirTemp("", "parley-simulator-")
	if err != nil {
		return "", fmt.Errorf("file store: %w", err)
	}
	f.dir = dir
	return dir, nil
}

// open opens the bytes of a file that was uploaded.
func (f *fileStore) open(file storedFile) (*os.File, error) {
	if file.Disk == "" {
		return nil, os.ErrNotExist
	}
	f.mu.Lock()
	dir := f.dir
	f.mu.Unlock()
	return os.Open(filepath.Join(dir, file.Disk))
}

// head is the beginning of a file, by which its type can be told.
func (f *fileStore) head(file storedFile) []byte {
	r, err := f.open(file)
	if err != nil {
		return nil
	}
	defer func() { _ = r.Close() }()
	b := make([]byte, 512)
	n, _ := io.ReadFull(r, b)
	return b[:n]
}

func (f *fileStore) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.order {
		f.drop(file)
	}
	f.files, f.order, f.total = map[string]*storedFile{}, nil, 0
}

// close removes the folder, unless it is kept.
func (f *fileStore) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dir != "" && !f.keep {
		_ = os.RemoveAll(f.dir)
	}
}

// saved are the files of a store that is kept.
func (f *fileStore) saved() []storedFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]storedFile, 0, len(f.order))
	for _, file := range f.order {
		all = append(all, *file)
	}
	return all
}

func (f *fileStore) restore(all []storedFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range all {
		file := one
		f.files[file.ID] = &file
		f.order = append(f.order, &file)
		f.total += file.Size
	}
}

// mimeTypes are the media types of what LivePerson names by ending.
var mimeTypes = map[string]string{
	"JPG": "image/jpeg", "JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "PDF": "application/pdf",
	"DOCX": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"PPTX": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// sniffed says whether the beginning of a file is that of its type.
func sniffed(kind string, head []byte) bool {
	starts := map[string][]string{
		"JPG": {"\xff\xd8\xff"}, "JPEG": {"\xff\xd8\xff"}, "PNG": {"\x89PNG\r\n\x1a\n"}, "GIF": {"GIF87a", "GIF89a"},
		"PDF": {"%PDF-"}, "DOCX": {"PK\x03\x04"}, "PPTX": {"PK\x03\x04"}, "XLSX": {"PK\x03\x04"},
	}[kind]
	return slices.ContainsFunc(starts, func(s string) bool { return strings.HasPrefix(string(head), s) })
}
