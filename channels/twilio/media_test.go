package twilio

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

// serve is a host of files.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// The API sends us on to a host that keeps the files, by a link signed for a while.
func TestFetchGivesCredentialsToTwilioAlone(t *testing.T) {
	t.Parallel()
	kept := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.URL.RawQuery != "X-Amz-Signature=s" {
			t.Errorf("the host of the files got %q and %v", r.URL, r.Header)
		}
		_, _ = io.WriteString(w, "the file")
	})
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != account || password != "tok-demo" {
			t.Error("Twilio would not hand out the file")
		}
		http.Redirect(w, r, kept.URL+"/ME1?X-Amz-Signature=s", http.StatusTemporaryRedirect)
	})
	a := newAdapter(t, api.URL, "tok-demo")
	link := api.URL + "/2010-04-01/Accounts/" + account + "/Messages/MM1/Media/ME1"
	_, err := a.Fetch(t.Context(), message.Attachment{URL: link})
	require.ErrorIs(t, err, channels.ErrPrivate, "the host of the files was not configured, and is not public here")
	a.files = channels.NewDownloads(fetchOp, channels.Guarded(api.URL, kept.URL))
	require.Equal(t, "the file", fetched(t, a, link))
}

func fetched(t *testing.T, a *Adapter, link string) string {
	t.Helper()
	body, err := a.Fetch(t.Context(), message.Attachment{URL: link})
	require.NoError(t, err)
	defer body.Close()
	b, err := io.ReadAll(body)
	require.NoError(t, err)
	return string(b)
}

func TestFetchFromElsewhereIsWithoutCredentials(t *testing.T) {
	t.Parallel()
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a stranger got the credentials")
		}
		w.WriteHeader(http.StatusUnauthorized)
	})
	a := newAdapter(t, "", "tok-demo")
	a.files = channels.NewDownloads(fetchOp, channels.Guarded(other.URL))
	_, err := a.Fetch(t.Context(), message.Attachment{URL: other.URL + "/ME1"})
	require.Equal(t, fault.Rejected, fault.ClassOf(err), "nothing of ours can be mended")
	for link, want := range map[string]bool{
		"https://api.twilio.com/x": true, "https://api.twilio.com:443/x": true, "https://API.twilio.com/x": true, "https://api.ie1.twilio.com/x": true,
		"http://api.twilio.com/x": false, "https://twilio.com.evil.test/x": false, "https://eviltwilio.com/x": false, "https://api.twilio.com:8443/x": false,
		"https://api.twilio.com@evil.test/x": false, "": false, "::": false,
	} {
		require.Equal(t, want, a.ours(link), link)
	}
}

func TestMediaSID(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]string{
		"https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1": "ME1",
		"https://api.twilio.com/ME1?x=/ME2":                                     "ME1",
		"https://files.test/cat.png":                                            "",
		"https://files.test/ME" + strings.Repeat("1", 300):                      "",
		"https://files.test/ME%00":                                              "",
		"":                                                                      "",
		"::":                                                                    "",
	} {
		require.Equal(t, want, mediaSID(link), link)
	}
}

func TestOnlyPicturesOfASizeGoWhole(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, "", "t")
	require.False(t, a.Limits().Carries("image/png", 1), "the sender cannot")
	a.media = pictures
	for _, mime := range []string{"image/jpeg", "image/png", "image/gif"} {
		require.True(t, a.Limits().Carries(mime, 5_000_000))
		require.False(t, a.Limits().Carries(mime, 5_000_001))
	}
	require.False(t, a.Limits().Carries("application/pdf", 1))
	text, media, err := a.said(message.Outbound{Kind: message.Media, Text: "Terms", Attachment: &message.Attachment{MIME: "application/pdf", URL: "https://p.test/f"}})
	require.NoError(t, err)
	require.Equal(t, "Terms: https://p.test/f", text)
	require.Empty(t, media)
}
