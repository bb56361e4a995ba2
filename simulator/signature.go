package simulator

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // LivePerson and Twilio sign with it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cloudSignature signs a webhook's raw body as LivePerson does. kind is one of
// sha1-base64 (LivePerson's default), sha1-hex, sha256-base64, sha256-hex.
//
// Source: connector-api-webhooks-notification-protocol.
func cloudSignature(kind, secret string, body []byte) string {
	algorithm, encoding, _ := strings.Cut(kind, "-")
	newHash := sha1.New
	if algorithm == "sha256" {
		newHash = sha256.New
	}
	sum := digest(newHash, []byte(secret), body)
	if encoding == "hex" {
		return algorithm + "=" + hex.EncodeToString(sum)
	}
	return algorithm + "=" + base64.StdEncoding.EncodeToString(sum)
}

// twilioSignature signs a request as Twilio does: over the URL as it is configured
// and every form field, sorted by name.
//
// Source: twilio.com/docs/usage/security, "Validating requests".
func twilioSignature(token, target string, form url.Values) string {
	var b strings.Builder
	b.WriteString(target)
	for _, name := range slices.Sorted(maps.Keys(form)) {
		b.WriteString(name)
		b.WriteString(form.Get(name))
	}
	return base64.StdEncoding.EncodeToString(digest(sha1.New, []byte(token), []byte(b.String())))
}

// standardSignature signs as Standard Webhooks 1.0 says, version v1.
func standardSignature(key []byte, id, timestamp string, body []byte) string {
	sum := digest(sha256.New, key, []byte(id), []byte("."), []byte(timestamp), []byte("."), body)
	return "v1," + base64.StdEncoding.EncodeToString(sum)
}

// skew is how far a signed time may be off, as Standard Webhooks recommends.
const skew = 5 * time.Minute

// verifyStandard returns why a request is not authentic, nil if it is.
func verifyStandard(keys [][]byte, h http.Header, body []byte, now time.Time) error {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if id == "" || stamp == "" || h.Get("webhook-signature") == "" {
		return errors.New("webhook-id, webhook-timestamp and webhook-signature are required")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("webhook-timestamp is not a number of seconds")
	}
	if d := now.Sub(time.Unix(seconds, 0)); d > skew || d < -skew {
		return errors.New("webhook-timestamp is more than 5 minutes off")
	}
	for given := range strings.FieldsSeq(h.Get("webhook-signature")) {
		for _, key := range keys {
			if hmac.Equal([]byte(given), []byte(standardSignature(key, id, stamp, body))) {
				return nil
			}
		}
	}
	return errors.New("webhook-signature does not match")
}

// webhookKeys decodes secrets written as whsec_<base64>.
func webhookKeys(secrets []string) ([][]byte, error) {
	var keys [][]byte
	for _, s := range secrets {
		encoded, ok := strings.CutPrefix(s, "whsec_")
		if !ok {
			return nil, errors.New("a secret begins with whsec_")
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) == 0 {
			return nil, errors.New("what follows whsec_ is not base64")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("a secret is required")
	}
	return keys, nil
}

func digest(newHash func() hash.Hash, key []byte, parts ...[]byte) []byte {
	m := hmac.New(newHash, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
