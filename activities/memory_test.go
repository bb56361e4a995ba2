package activities

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/message"
)

// photograph is a JPEG of twelve million pixels and so many bytes.
func photograph(t testing.TB, size int) []byte {
	m := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	seed := uint32(7)
	for i := range m.Y {
		seed = seed*1664525 + 1013904223
		m.Y[i] = byte(i/97) + byte(seed>>29)
	}
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, m, &jpeg.Options{Quality: 60}))
	require.LessOrEqual(t, b.Len(), size, "it is to be filled up")
	b.Write(make([]byte, size-b.Len()))
	return b.Bytes()
}

// heapPeak watches how much the heap holds, garbage included, until stop.
func heapPeak() (stop func() uint64) {
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		most := uint64(0)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				metrics.Read(sample)
				most = max(most, sample[0].Value.Uint64())
			case <-done:
				peak <- most
				return
			}
		}
	}()
	return func() uint64 { close(done); return <-peak }
}

// shared is a ledger that many lanes may ask at the same time.
type shared struct{ Store }

func (shared) Claim(context.Context, message.ID) (int, bool, error) { return 1, true, nil }

func (shared) Proceed(context.Context, message.ID, int, int) (bool, error) { return true, nil }

// BenchmarkFiftyFiles passes fifty photographs of 3 MB on at once, each of twelve
// million pixels, and says how large the heap was at most.
//
//	go test ./activities -run '^$' -bench FiftyFiles -benchtime 1x
func BenchmarkFiftyFiles(b *testing.B) {
	body := photograph(b, 3<<20)
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	defer host.Close()
	d := newBenchDesk()
	for b.Loop() {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		stop := heapPeak()
		var crowded atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				s := &cloudSender{d, d.Clouds["main"], Batch{Account: "main", Address: addr, Consumer: "ext"}, ""}
				c := publishFile(host.URL)
				c.ID = message.ID(fmt.Sprint("file-", i))
				for {
					if _, err := s.publishFile(context.Background(), &c, "C1", "C1"); err == nil {
						return
					}
					crowded.Add(1) // the lane comes again
				}
			})
		}
		wg.Wait()
		peak := stop()
		b.ReportMetric(float64(peak-before.HeapAlloc)/(1<<20), "MiB-peak")
		b.ReportMetric(float64(50*len(body))/(1<<20), "MiB-files")
		b.ReportMetric(float64(crowded.Load()), "came-again")
	}
	if n := len(d.Clouds["main"].(*cloud).files); n < 50 {
		b.Fatalf("%d files were published", n)
	}
}

func newBenchDesk() *Activities {
	l := newLedger()
	return &Activities{
		Clouds: map[string]Cloud{"main": &cloud{l: l}}, Channels: map[string]Channel{}, Store: shared{l},
		Files: NewFiles(map[string]FileRules{"main": DefaultFileRules()}, channels.NewDownloads("fetch file", http.DefaultTransport), "https://x"),
		Log:   slog.New(slog.DiscardHandler),
	}
}
