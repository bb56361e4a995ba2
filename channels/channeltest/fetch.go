package channeltest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

func (s *suite) fetch(t *testing.T) {
	t.Parallel()
	if s.File == nil {
		t.Skip("consumers cannot send files on this channel")
	}
	t.Run("a file is handed out as it is", s.handed)
	t.Run("a file is not waited for as a whole", s.streamed)
	t.Run("a file that is not to be had", s.notHad)
	t.Run("a redirect is followed where it may lead", s.forwarded)
	t.Run("nothing private is asked", s.private)
}

// sender is an adapter, and a file that a consumer has sent to it, kept by the provider.
func (s *suite) sender(t *testing.T) (*provider, channels.Fetcher, message.Attachment) {
	t.Helper()
	p, a := s.start(t)
	fetcher, ok := a.(channels.Fetcher)
	if !ok {
		t.Fatal("consumers can send files, but the adapter is no channels.Fetcher")
	}
	in := s.one(t, a, s.signed(s.File(1, p.base()+"/media/ME1"), s.Next))
	return p, fetcher, in.Attachments[0]
}

func (s *suite) handed(t *testing.T) {
	t.Parallel()
	p, a, file := s.sender(t)
	content := bytes.Repeat([]byte("\x89PNG\x00\xff"), 100_000)
	p.hands(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) })
	for range 2 { // it stays where it is
		body, err := a.Fetch(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("got %d bytes of %d, %v", len(got), len(content), err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (s *suite) streamed(t *testing.T) {
	t.Parallel()
	p, a, file := s.sender(t)
	read := make(chan struct{})
	p.hands(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		select {
		case <-read: // only now comes the rest
			_, _ = io.WriteString(w, "second")
		case <-r.Context().Done():
		}
	})
	body, err := a.Fetch(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	first := make([]byte, len("first"))
	if _, err := io.ReadFull(body, first); err != nil || string(first) != "first" {
		t.Fatalf("got %q, %v", first, err)
	}
	close(read)
	if rest, err := io.ReadAll(body); err != nil || string(rest) != "second" {
		t.Errorf("got %q, %v", rest, err)
	}
}

func (s *suite) notHad(t *testing.T) {
	t.Parallel()
	for status, want := range map[int][]fault.Class{
		404: {fault.Rejected}, 410: {fault.Rejected}, 400: {fault.Rejected}, 401: {fault.Denied, fault.Rejected}, 403: {fault.Denied, fault.Rejected},
		429: {fault.Throttled}, 500: {fault.Transient}, 503: {fault.Transient}, 204: {fault.Rejected}, 304: {fault.Rejected},
	} {
		p, a, file := s.sender(t)
		p.hands(refuse(Refusal{Status: status}))
		_, err := a.Fetch(t.Context(), file)
		s.lost(t, err, want...)
	}
	p, a, file := s.sender(t)
	p.hands(hangUp)
	_, err := a.Fetch(t.Context(), file)
	s.lost(t, err, fault.Transient)
	p.hands(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, canary)
	})
	body, err := a.Fetch(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	_, err = io.ReadAll(body)
	s.lost(t, err, fault.Transient)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.Fetch(ctx, file)
	s.lost(t, err, fault.Transient)
}

// lost checks how a file that could not be had was judged.
func (s *suite) lost(t *testing.T, err error, want ...fault.Class) {
	t.Helper()
	s.fails(t, err, want...)
	if got := fault.CodeOf(err); got != channels.CodeFileGone {
		t.Errorf("code %q, want %q", got, channels.CodeFileGone)
	}
}

func (s *suite) forwarded(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect led to a private address")
	}))
	t.Cleanup(elsewhere.Close)
	p, a, file := s.sender(t)
	to := p.base() + "/kept"
	p.hands(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() == "/far/side/kept" {
			_, _ = io.WriteString(w, "kept")
			return
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	body, err := a.Fetch(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || string(got) != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, to = range []string{elsewhere.URL, "http://169.254.169.254/latest", "http://[::1]:1/", "file:///etc/passwd", p.base() + "/round"} {
		_, err := a.Fetch(t.Context(), file)
		s.lost(t, err, fault.Rejected)
	}
}

func (s *suite) private(t *testing.T) {
	t.Parallel()
	shut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a private address was asked")
	}))
	t.Cleanup(shut.Close)
	_, a, file := s.sender(t)
	for _, link := range []string{shut.URL, "http://10.0.0.1/x", "http://169.254.169.254/x", "http://[::ffff:10.0.0.1]/x", "ftp://a.test/x", "", "x"} {
		file.URL = link
		_, err := a.Fetch(t.Context(), file)
		s.lost(t, err, fault.Rejected)
		if link == shut.URL && !errors.Is(err, channels.ErrPrivate) {
			t.Errorf("got %v", err)
		}
	}
}
