package simulator

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// picture is a small PNG.
func picture(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))))
	return b.Bytes()
}

// place asks for the place of a file of so many bytes.
func (c *consumerSide) place(kind string, size int) temporaryURL {
	c.g.t.Helper()
	status, b := c.send(requestOf("ms.GenerateURLForUploadFile", `{"fileSize":"`+strconv.Itoa(size)+`","fileType":"`+kind+`"}`))
	require.Equal(c.g.t, 200, status, b)
	return placeIn(c.g.t, b)
}

func placeIn(t testing.TB, body string) temporaryURL {
	t.Helper()
	var out struct {
		Code string
		Body temporaryURL
	}
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.Equal(t, "OK", out.Code)
	return out.Body
}

func (u temporaryURL) path() string {
	return u.RelativePath + "?temp_url_sig=" + u.QueryParams.Signature + "&temp_url_expires=" + u.QueryParams.Expires
}

func hostedOfFile(dialog, message string) string {
	return publishOf(dialog, `{"type":"ContentEvent","contentType":"hosted/file","message":`+message+`}`, `,"metadata":[{"type":"ExternalId","id":"f-1"}]`)
}

func TestFileOfAConsumer(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	pic := picture(t)
	u := c.place("PNG", len(pic))
	require.Regexp(t, `^/v1/AUTH_async-images/`+site+`/consumer_[0-9a-f-]{36}_\d\d-\d\d-\d{4}_\d\d-\d\d-\d\d-\d{3}\.PNG$`, u.RelativePath)
	status, b := g.do("PUT", u.path(), nil, string(pic))
	require.Equal(t, 201, status, b)
	status, b = c.send(hostedOfFile(c.conv, `{"caption":"receipt","fileType":"PNG","relativePath":"`+u.RelativePath+`","preview":"data:image/png;base64,iVBORw0KGgo="}`))
	require.Equal(t, 200, status, b)

	e := c.detail().Transcript[0]
	require.Equal(t, "receipt", e.Text)
	require.Equal(t, "f-1", e.ExternalID)
	require.EqualValues(t, len(pic), e.File.Size)
	require.Equal(t, 1, c.detail().Counters.Files)
	eventually(t, "the echo", func() bool { return len(g.parley.all()) == 2 })
	echo := change(g.parley.notifications(t)[1])
	require.Equal(t, u.RelativePath, echo["event"].(map[string]any)["message"].(map[string]any)["relativePath"])
	require.Equal(t, []any{map[string]any{"type": "ExternalId", "id": "f-1"}}, echo["metadata"])

	status, b = c.send(requestOf("ms.GenerateURLForDownloadFile", `{"relativePath":"`+u.RelativePath+`"}`))
	require.Equal(t, 200, status, b)
	res, err := g.http.Get(g.url + placeIn(t, b).path())
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	var got bytes.Buffer
	_, err = got.ReadFrom(res.Body)
	require.NoError(t, err)
	require.Equal(t, pic, got.Bytes())
	require.Equal(t, "image/png", res.Header.Get("Content-Type"))

	res, err = g.http.Get(g.url + e.File.URL)
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode, "the page shows it")
}

func TestFilesAreStrict(t *testing.T) {
	t.Parallel()
	g := newRig(t, `{"files":{"maxBytes":2000}}`)
	c, eve := g.consumer("ada"), g.consumer("eve")
	c.open()
	eve.open()
	pic := picture(t)
	up := func(kind string, declared int, body []byte) string {
		u := c.place(kind, declared)
		status, b := g.do("PUT", u.path(), nil, string(body))
		require.Equal(t, 201, status, b)
		return u.RelativePath
	}
	good := up("PNG", len(pic), pic)
	text := up("JPG", 4, []byte("text"))
	short := up("PNG", len(pic)+1, pic)
	never := c.place("PNG", 10).RelativePath
	for name, tc := range map[string]struct {
		from   *consumerSide
		body   string
		status int
		says   string
	}{
		"a size that is a number":      {c, requestOf("ms.GenerateURLForUploadFile", `{"fileSize":10,"fileType":"PNG"}`), 400, "fileSize"},
		"a size that is no number":     {c, requestOf("ms.GenerateURLForUploadFile", `{"fileSize":"1 KB","fileType":"PNG"}`), 400, "fileSize"},
		"a size of nothing":            {c, requestOf("ms.GenerateURLForUploadFile", `{"fileSize":"0","fileType":"PNG"}`), 400, "fileSize"},
		"too large":                    {c, requestOf("ms.GenerateURLForUploadFile", `{"fileSize":"2001","fileType":"PNG"}`), 400, "too large"},
		"another type":                 {c, requestOf("ms.GenerateURLForUploadFile", `{"fileSize":"1","fileType":"PDF"}`), 400, "fileType"},
		"a media type":                 {c, requestOf("ms.GenerateURLForUploadFile", `{"fileSize":"1","fileType":"image/png"}`), 400, "fileType"},
		"a download of nothing":        {c, requestOf("ms.GenerateURLForDownloadFile", `{}`), 400, "relativePath"},
		"a download never uploaded":    {c, requestOf("ms.GenerateURLForDownloadFile", `{"relativePath":"`+never+`"}`), 400, "relativePath"},
		"another's file":               {eve, requestOf("ms.GenerateURLForDownloadFile", `{"relativePath":"`+good+`"}`), 401, "another consumer"},
		"publishing what is not there": {c, hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"/v1/x/y/z"}`), 400, "nothing was uploaded"},
		"publishing before the upload": {c, hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"`+never+`"}`), 400, "nothing was uploaded"},
		"publishing another's":         {eve, hostedOfFile(eve.conv, `{"fileType":"PNG","relativePath":"`+good+`"}`), 401, "another consumer"},
		"another type than asked for":  {c, hostedOfFile(c.conv, `{"fileType":"GIF","relativePath":"`+good+`"}`), 400, "fileType is not"},
		"a text that is called a JPG":  {c, hostedOfFile(c.conv, `{"fileType":"JPG","relativePath":"`+text+`"}`), 400, "not of its type"},
		"another size than asked for":  {c, hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"`+short+`"}`), 400, "size"},
		"message is an array":          {c, hostedOfFile(c.conv, `[]`), 400, "object"},
		"no fileType":                  {c, hostedOfFile(c.conv, `{"relativePath":"`+good+`"}`), 400, "fileType"},
		"an unknown member":            {c, hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"`+good+`","size":1}`), 400, "unknown property"},
		"a preview that is a URL":      {c, hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"`+good+`","preview":"https://x"}`), 400, "data URI"},
		"a large preview":              {c, hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"`+good+`","preview":"data:image/png;base64,`+strings.Repeat("AAAA", 7500)+`"}`), 400, "preview is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			status, b := tc.from.send(tc.body)
			require.Equal(t, tc.status, status, b)
			require.Contains(t, b, tc.says)
		})
	}
	require.Zero(t, c.detail().Counters.Published)

	for name, tc := range map[string]struct {
		method string
		path   func(temporaryURL) string
		body   string
		status int
	}{
		"no signature":     {"PUT", func(u temporaryURL) string { return u.RelativePath }, "x", 401},
		"wrong signature":  {"PUT", func(u temporaryURL) string { u.QueryParams.Signature = "9f0c2d"; return u.path() }, "x", 401},
		"a later end":      {"PUT", func(u temporaryURL) string { u.QueryParams.Expires = "9999999999"; return u.path() }, "x", 401},
		"another method":   {"GET", func(u temporaryURL) string { return u.path() }, "", 401},
		"another file":     {"PUT", func(u temporaryURL) string { return strings.Replace(u.path(), ".PNG", ".GIF", 1) }, "x", 401},
		"beyond any limit": {"PUT", func(u temporaryURL) string { return u.path() }, strings.Repeat("x", 5<<20+1), 413},
	} {
		status, b := g.do(tc.method, tc.path(c.place("PNG", 100)), nil, tc.body)
		require.Equal(t, tc.status, status, name+": "+b)
	}
	require.NotZero(t, g.sim.totals().Requests["swift"].Rejected)
	_, b := g.do("GET", "/sim/wire?bodies=1", nil, "")
	require.NotContains(t, b, "temp_url_sig=", "a signature is a secret")
	require.NotContains(t, b, c.place("PNG", 1).QueryParams.Signature[:30])
	require.Contains(t, b, `temp_url_sig\":\"…`)
}

func TestFileURLsLastAMinute(t *testing.T) {
	t.Parallel()
	at := newClock(time.Now())
	g := newRig(t, "", WithClock(at.now))
	c := g.consumer("ada")
	u := c.place("PNG", 4)
	at.move(61 * time.Second)
	status, b := g.do("PUT", u.path(), nil, "text")
	require.Equal(t, 401, status)
	require.Contains(t, b, "expired")
}

func TestSwiftFails(t *testing.T) {
	t.Parallel()
	g := newRig(t, "")
	c := g.consumer("ada")
	c.open()
	pic := picture(t)
	u := c.place("PNG", len(pic))
	g.rule(`{"class":"swift","do":"fail-before","status":503,"count":1}`)
	status, _ := g.do("PUT", u.path(), nil, string(pic))
	require.Equal(t, 503, status)
	status, _ = c.send(hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"`+u.RelativePath+`"}`))
	require.Equal(t, 400, status, "nothing arrived")
	g.rule(`{"class":"swift","do":"fail-after","count":1}`)
	status, _ = g.do("PUT", u.path(), nil, string(pic))
	require.Equal(t, 503, status)
	status, b := c.send(hostedOfFile(c.conv, `{"fileType":"PNG","relativePath":"`+u.RelativePath+`"}`))
	require.Equal(t, 200, status, b)
	g.rule(`{"class":"swift","do":"expire","count":1}`)
	status, _ = g.do("PUT", u.path(), nil, string(pic))
	require.Equal(t, 401, status)
	require.EqualValues(t, 3, g.sim.totals().Requests["swift"].Faulted)
}

func TestStoreIsBoundedAndForgets(t *testing.T) {
	t.Parallel()
	f := newFileStore("")
	t.Cleanup(f.close)
	for i := range keptFiles + 10 {
		f.add(&storedFile{ID: strconv.Itoa(i)})
	}
	_, ok := f.get("9")
	require.False(t, ok, "the oldest go first")
	_, err := f.write("10", strings.NewReader("abc"), 2)
	require.ErrorIs(t, err, errTooLarge)
	kept, err := f.write("10", strings.NewReader("abc"), 3)
	require.NoError(t, err)
	require.EqualValues(t, 3, kept.Size)
	_, err = f.write("10", strings.NewReader("ab"), 3)
	require.NoError(t, err)
	require.EqualValues(t, 2, f.total, "the second upload replaces the first")
	f.reset()
	require.Zero(t, f.total)
}
