package simulator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkSend measures SENDs with their echoes, all in one process: the client,
// the simulator and what receives the webhooks share the machine.
func BenchmarkSend(b *testing.B) {
	var arrived atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer sink.Close()
	g := newRig(b, `{"transcripts":false}`)
	require.NoError(b, g.sim.SetParleyURL(sink.URL))
	sides := make([]*consumerSide, 100)
	for i := range sides {
		sides[i] = g.consumer(fmt.Sprint("consumer-", i))
		sides[i].open()
	}
	eventually(b, "opened", func() bool { return arrived.Load() == int64(len(sides)) })
	arrived.Store(0)
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				c := sides[int(n)%len(sides)]
				r, _ := http.NewRequest(http.MethodPost, g.url+sendPath, strings.NewReader(textOf(c.conv, fmt.Sprint("text ", n), fmt.Sprint("id-", n))))
				for k, v := range c.header() {
					r.Header.Set(k, v)
				}
				res, err := g.http.Do(r)
				if err != nil || res.StatusCode != 200 {
					b.Error("send failed")
					return
				}
				_, _ = copyTo(&strings.Builder{}, res)
				_ = res.Body.Close()
			}
		})
	}
	wg.Wait()
	eventually(b, "echoes", func() bool { return arrived.Load() == int64(b.N) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends+echoes/s")
}

// BenchmarkWebhooks measures the webhook sender alone.
func BenchmarkWebhooks(b *testing.B) {
	var arrived atomic.Int64
	done := make(chan struct{})
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if arrived.Add(1) == int64(b.N)+100 {
			close(done)
		}
	}))
	defer sink.Close()
	g := newRig(b, `{"transcripts":false,"queueLimit":10000000}`)
	require.NoError(b, g.sim.SetParleyURL(sink.URL))
	a := g.sim.account("main")
	convs := make([]*conversation, 100)
	for i := range convs {
		co := a.consumer(fmt.Sprint("consumer-", i))
		a.mu.Lock()
		convs[i], _ = a.open(co, opening{})
		a.mu.Unlock()
	}
	b.ResetTimer()
	for n := range b.N {
		c := convs[n%len(convs)]
		a.mu.Lock()
		c.happens(participant{id: "x", role: roleController}, &event{kind: contentEvent, text: "hello", raw: marshal(map[string]string{"type": contentEvent, "message": "hello"})})
		a.mu.Unlock()
	}
	<-done
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "webhooks/s")
}
