package liveperson_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/stretchr/testify/assert"
)

// The store and the Monitoring API, as strict as the rest of the cloud: an address
// of the store is valid once, and for what it was made.

const uploadPath = "/v1/AUTH_async-images/40112233/consumer_uuid_0b7e 1.JPG"

func (c *cloud) uploadURL(w http.ResponseWriter, q wire) {
	size, ok := q.Body["fileSize"].(string)
	_, err := strconv.ParseInt(size, 10, 64)
	assert.True(c.t, ok && err == nil, "the size is a number in quotes")
	kind, _ := q.Body["fileType"].(string)
	assert.Regexp(c.t, `^[A-Z]+$`, kind)
	assert.Len(c.t, q.Body, 2)
	c.address(w, q, uploadPath)
}

func (c *cloud) downloadURL(w http.ResponseWriter, q wire) {
	assert.Len(c.t, q.Body, 1)
	path, _ := q.Body["relativePath"].(string)
	assert.NotEmpty(c.t, path)
	c.address(w, q, path)
}

func (c *cloud) address(w http.ResponseWriter, q wire, path string) {
	c.signed++
	shown, err := json.Marshal(path)
	assert.NoError(c.t, err)
	fmt.Fprintf(w, `{"reqId":%q,"code":"OK","body":{"relativePath":%s,"queryParams":{"temp_url_sig":"sig %d","temp_url_expires":1717495932}}}`,
		q.ID, shown, c.signed)
}

// file is the store: PUT and GET of a path, with a signature and nothing of ours.
func (c *cloud) file(w http.ResponseWriter, r *http.Request, path string) {
	assert.Empty(c.t, r.Header.Get("Authorization"))
	assert.Empty(c.t, r.Header.Get("X-LP-ON-BEHALF"))
	assert.Empty(c.t, r.Header.Get("Client-Properties"))
	assert.False(c.t, strings.HasPrefix(path, "//"), path)
	c.mu.Lock()
	ok := r.URL.Query().Get("temp_url_sig") == fmt.Sprintf("sig %d", c.signed) && r.URL.Query().Get("temp_url_expires") == "1717495932"
	c.signed += 1000
	held, found := c.stored[path]
	c.mu.Unlock()
	switch {
	case !ok:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodPut:
		assert.Positive(c.t, r.ContentLength)
		assert.Empty(c.t, r.TransferEncoding)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stored[path] = string(body)
		w.WriteHeader(http.StatusCreated)
	case !found:
		w.WriteHeader(http.StatusNotFound)
	case assert.Equal(c.t, http.MethodGet, r.Method):
		w.Header().Set("Content-Type", "application/pdf")
		w.Header().Set("Content-Length", strconv.Itoa(len(held)))
		_, _ = io.WriteString(w, held)
	}
}

func (c *cloud) put(path, content string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored[path] = content
}

func (c *cloud) held(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stored[path]
}

func (c *cloud) engagement(w http.ResponseWriter, r *http.Request, body []byte) {
	assert.Equal(c.t, "application/json", r.Header.Get("Content-Type"))
	assert.Empty(c.t, r.Header.Get("Authorization"))
	var in map[string]any
	assert.NoError(c.t, json.Unmarshal(body, &in))
	for _, key := range []string{"identities", "entryPoints", "engagementAttributes"} {
		assert.IsType(c.t, []any{}, in[key], key)
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"sessionId":"s-1","visitorId":"v-1","pageId":"774411","engagementDetails":[
		{"campaignId":3344,"engagementId":"5566","engagementRevision":3,"contextId":"2","connectorId":12,"windowId":"9911","language":"de-CH","status":"expose"}]}`)
}
