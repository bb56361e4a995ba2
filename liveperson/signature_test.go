package liveperson_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/fault"
	"parley/liveperson"
)

const secret = "k3s8v1q9example0client0secret"

// The vectors were computed with openssl, over the body's bytes as they are.
func TestReceiveVerifiesSignatureVectors(t *testing.T) {
	t.Parallel()
	a := []byte(`{"kind":"notification"}`)
	b, err := os.ReadFile("testdata/notifications/vector-b.json")
	require.NoError(t, err)
	require.Len(t, a, 23)
	require.Len(t, b, 248)
	for name, v := range map[string]struct {
		body      []byte
		signature string
	}{
		"A sha1 base64":   {a, "sha1=QfteR6JM3vVs+Tkk6QpLXI2GAhY="},
		"A sha1 hex":      {a, "sha1=41fb5e47a24cdef56cf93924e90a4b5c8d860216"},
		"A sha256 base64": {a, "sha256=ZhlG+AagK1nEhkVhU23qgBqzl34DXlGFbs7RxJ+kCro="},
		"A sha256 hex":    {a, "sha256=661946f806a02b59c4864561536dea801ab3977e035e51856eced1c49fa40aba"},
		"B sha1 base64":   {b, "sha1=67lUPXuU2Q0ktzvscC0kJSN0nW4="},
		"B sha1 hex":      {b, "sha1=ebb9543d7b94d90d24b73bec702d242523749d6e"},
		"B sha256 base64": {b, "sha256=z6DsZf5B4IDPerqP5PdS8/b7bQzoQgzxYZfep6f5r8Q="},
		"B sha256 hex":    {b, "sha256=cfa0ec65fe41e080cf7aba8fe4f752f3f6fb6d0ce8420cf16197dea7a7f9afc4"},
		"upper case":      {a, "SHA1=41FB5E47A24CDEF56CF93924E90A4B5C8D860216"},
		"white space":     {a, " sha1=QfteR6JM3vVs+Tkk6QpLXI2GAhY= "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, "https://unused", secret).Receive(signedAs(v.signature), v.body)
			require.NoError(t, err)
		})
	}
}

func TestReceiveRefusesWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	a := []byte(`{"kind":"notification"}`)
	b, err := os.ReadFile("testdata/notifications/vector-b.json")
	require.NoError(t, err)
	for name, v := range map[string]struct {
		body      []byte
		signature string
	}{
		"none":                     {a, ""},
		"re-serialised":            {b, "sha1=Ty7zJwv40WGIJprg/xCxMi7aHXA="},
		"another body":             {b, "sha1=QfteR6JM3vVs+Tkk6QpLXI2GAhY="},
		"one byte more":            {append(b[:len(b):len(b)], '\n'), "sha1=67lUPXuU2Q0ktzvscC0kJSN0nW4="},
		"no algorithm":             {a, "QfteR6JM3vVs+Tkk6QpLXI2GAhY="},
		"unknown algorithm":        {a, "md5=QfteR6JM3vVs+Tkk6QpLXI2GAhY="},
		"algorithms exchanged":     {a, "sha256=QfteR6JM3vVs+Tkk6QpLXI2GAhY="},
		"cut off":                  {a, "sha1=QfteR6JM3vVs+Tkk6QpLXI2GAh"},
		"empty":                    {a, "sha1="},
		"loose bits at the end":    {a, "sha1=QfteR6JM3vVs+Tkk6QpLXI2GAhZ="},
		"hexadecimal with letters": {a, "sha1=" + strings.Repeat("zz", 20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newClient(t, "https://unused", secret).Receive(signedAs(v.signature), v.body)
			require.Equal(t, fault.Denied, fault.ClassOf(err))
			require.Empty(t, got)
			require.NotContains(t, err.Error(), "QfteR6JM3vVs")
		})
	}
}

func TestEverySecretVerifies(t *testing.T) {
	t.Parallel()
	c := newClient(t, "https://unused", "a newer secret", secret)
	_, err := c.Receive(signedAs("sha1=QfteR6JM3vVs+Tkk6QpLXI2GAhY="), []byte(`{"kind":"notification"}`))
	require.NoError(t, err)
}

func signedAs(signature string) http.Header {
	h := http.Header{}
	h.Set("x-liveperson-signature", signature)
	return h
}

func newClient(t testing.TB, domainAPI string, secrets ...string) *liveperson.Client {
	t.Helper()
	c, err := liveperson.New(liveperson.Config{
		Name: "main", SiteID: "40112233", ClientID: "app-1", ClientSecrets: secrets, DomainAPI: domainAPI,
	}, liveperson.Options{})
	require.NoError(t, err)
	return c
}
