package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks, both ways.
//
// Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
const (
	idHeader        = "webhook-id"
	timestampHeader = "webhook-timestamp" // Unix seconds
	signatureHeader = "webhook-signature" // "v1,<base64>", several separated by a space
)

const (
	secretPrefix    = "whsec_"
	signatureScheme = "v1,"
	maxSkew         = 5 * time.Minute
	minKey          = 16 // bytes: below that, a key can be guessed
)

var (
	errNotSecret = errors.New(`is not "whsec_" followed by base64`)
	errShortKey  = errors.New("is too short: it must hold at least 16 bytes")
)

// parseSecret returns the key in a secret. The error does not hold it.
func parseSecret(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(secret), secretPrefix)
	if !ok {
		return nil, errNotSecret
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errNotSecret
	}
	if len(key) < minKey {
		return nil, errShortKey
	}
	return key, nil
}

func sign(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// signed says whether one of our keys made one of the signatures, not long ago.
func (a *Adapter) signed(h http.Header, body []byte, at time.Time) bool {
	id, timestamp := h.Get(idHeader), h.Get(timestampHeader)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil || at.Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return false
	}
	for _, signature := range strings.Fields(h.Get(signatureHeader)) {
		encoded, ok := strings.CutPrefix(signature, signatureScheme)
		if !ok {
			continue
		}
		got, err := base64.StdEncoding.DecodeString(encoded)
		if err == nil && a.made(got, id, timestamp, body) {
			return true
		}
	}
	return false
}

func (a *Adapter) made(got []byte, id, timestamp string, body []byte) bool {
	for _, key := range a.keys {
		if hmac.Equal(got, sign(key, id, timestamp, body)) {
			return true
		}
	}
	return false
}

// stamp signs a request of ours with the newest key. id does not change when the
// same is sent again.
func (a *Adapter) stamp(h http.Header, id string, body []byte) {
	timestamp := strconv.FormatInt(a.now().Unix(), 10)
	signature := base64.StdEncoding.EncodeToString(sign(a.keys[0], id, timestamp, body))
	h.Set(idHeader, id)
	h.Set(timestampHeader, timestamp)
	h.Set(signatureHeader, signatureScheme+signature)
}
