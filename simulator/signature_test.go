package simulator

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Vectors computed with openssl, in the reference of the Connector API.
func TestCloudSignature(t *testing.T) {
	t.Parallel()
	a := []byte(`{"kind":"notification"}`)
	b := []byte(`{"kind":"notification","body":{"changes":[{"sequence":3,"originatorId":"c0ffee","conversationId":"7d0c","dialogId":"7d0c","event":{"type":"ContentEvent","message":"Grüezi 👋","contentType":"text/plain"}}]},"type":"ms.MessagingEventNotification"}`)
	require.Len(t, b, 248)
	for kind, want := range map[string][2]string{
		"sha1-base64":   {"sha1=QfteR6JM3vVs+Tkk6QpLXI2GAhY=", "sha1=67lUPXuU2Q0ktzvscC0kJSN0nW4="},
		"sha1-hex":      {"sha1=41fb5e47a24cdef56cf93924e90a4b5c8d860216", "sha1=ebb9543d7b94d90d24b73bec702d242523749d6e"},
		"sha256-base64": {"sha256=ZhlG+AagK1nEhkVhU23qgBqzl34DXlGFbs7RxJ+kCro=", "sha256=z6DsZf5B4IDPerqP5PdS8/b7bQzoQgzxYZfep6f5r8Q="},
		"sha256-hex": {"sha256=661946f806a02b59c4864561536dea801ab3977e035e51856eced1c49fa40aba",
			"sha256=cfa0ec65fe41e080cf7aba8fe4f752f3f6fb6d0ce8420cf16197dea7a7f9afc4"},
	} {
		require.Equal(t, want[0], cloudSignature(kind, secret, a), kind)
		require.Equal(t, want[1], cloudSignature(kind, secret, b), kind)
	}
}

// Vectors checked against the providers' own implementations, in the reference of
// the channels.
func TestChannelSignatures(t *testing.T) {
	t.Parallel()
	require.Equal(t, "djGzm+UGhHAwSTEUa+MvE+1z2rg=", twilioSignature("tok-demo", "https://conn.example.test/ch/sms?acct=7", url.Values{
		"Body": {"Hello"}, "From": {"+15550100200"}, "MessageSid": {"SM00000000000000000000000000000001"}, "To": {"+15550100900"},
	}))
	keys, err := webhookKeys([]string{whsec})
	require.NoError(t, err)
	require.Equal(t, "v1,ZOg0aaG0k61Iguo1/MhZWd9qYl9HABVGZ37MKCp3S4Y=", standardSignature(keys[0], "evt_0001", "1700000000", []byte(`{"k":"v"}`)))
}

func TestVerifyStandard(t *testing.T) {
	t.Parallel()
	keys, _ := webhookKeys([]string{"whsec_b3RoZXI=", whsec})
	at := time.Unix(1700000000, 0)
	header := func(id, stamp, signature string) http.Header {
		return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signature}}
	}
	good := "v1,ZOg0aaG0k61Iguo1/MhZWd9qYl9HABVGZ37MKCp3S4Y="
	body := []byte(`{"k":"v"}`)
	require.NoError(t, verifyStandard(keys, header("evt_0001", "1700000000", "v1,old "+good), body, at))
	require.Error(t, verifyStandard(keys, header("evt_0002", "1700000000", good), body, at))
	require.Error(t, verifyStandard(keys, header("evt_0001", "1700000000", good), []byte(`{"k": "v"}`), at))
	require.Error(t, verifyStandard(keys, header("evt_0001", "1700000000", good), body, at.Add(6*time.Minute)))
	require.Error(t, verifyStandard(keys, header("", "1700000000", good), body, at))
	require.Error(t, verifyStandard(keys, header("evt_0001", "soon", good), body, at))
}
