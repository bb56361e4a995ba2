package liveperson

import (
	"bytes"
	"container/list"
	"context"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"parley/fault"
)

// appLife is how long an AppJWT lives when it cannot be read from the token.
//
// Source: connector-api-send-api-authorization-and-authentication.
const appLife = time.Hour

// fetchAppJWT proves who the connector is. The token is renewed at about 85 % of
// its life, a little earlier or later in each process; its life is taken from
// what it says itself, but counted by our clock, so that clocks may disagree.
func (c *Client) fetchAppJWT(ctx context.Context) (kept[string], error) {
	const op = "liveperson: app token"
	form := url.Values{"client_id": {c.config.ClientID}, "client_secret": {c.config.ClientSecrets[0]}}
	path := "/sentinel/api/account/" + url.PathEscape(c.config.SiteID) + "/app/token?v=1.0&grant_type=client_credentials"
	a, err := c.reach(ctx, op, serviceSentinel, repeatable, path, func(target string) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	})
	if err == nil {
		err = a.judgeAccount(op, c.now())
	}
	if err != nil {
		return kept[string]{}, err
	}
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(a.body, &got) != nil || !sound(got.AccessToken) {
		return kept[string]{}, fault.New(fault.Transient, op, "the answer holds no token")
	}
	life := lifeOf(got.AccessToken)
	now := c.now()
	return kept[string]{
		value:   got.AccessToken,
		renewAt: now.Add(time.Duration(float64(life) * (0.80 + 0.10*rand.Float64()))),
		expires: now.Add(life - min(life/20, 30*time.Second)),
	}, nil
}

func lifeOf(token string) time.Duration {
	var claims struct {
		Issued  float64 `json:"iat"`
		Expires float64 `json:"exp"`
	}
	if !readClaims(token, &claims) {
		return appLife
	}
	if life := time.Duration((claims.Expires - claims.Issued) * float64(time.Second)); life > 0 && life <= 24*time.Hour {
		return life
	}
	return appLife
}

// readClaims decodes a token's payload without verifying it: it is ours to hand
// back, not ours to trust.
func readClaims(token string, into any) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	return err == nil && json.Unmarshal(payload, into) == nil
}

// sound says whether a token can be a header's value.
func sound(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// consumer is what proves on whose behalf we speak. It never expires.
type consumer struct {
	jws string
	id  string // lp_consumer_id; empty when the token does not say
}

// consumers keeps the tokens of those who spoke last.
type consumers struct {
	flight singleflight.Group

	mu    sync.Mutex
	limit int
	order *list.List // of *consumerEntry, the one used last in front
	byID  map[string]*list.Element
}

type consumerEntry struct {
	external string
	consumer consumer
}

func newConsumers(limit int) *consumers {
	return &consumers{limit: limit, order: list.New(), byID: map[string]*list.Element{}}
}

func (k *consumers) find(external string) (consumer, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.byID[external]
	if !ok {
		return consumer{}, false
	}
	k.order.MoveToFront(e)
	return e.Value.(*consumerEntry).consumer, true
}

func (k *consumers) keep(external string, c consumer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byID[external]; ok {
		e.Value.(*consumerEntry).consumer = c
		k.order.MoveToFront(e)
		return
	}
	k.byID[external] = k.order.PushFront(&consumerEntry{external, c})
	if k.order.Len() > k.limit {
		oldest := k.order.Remove(k.order.Back()).(*consumerEntry)
		delete(k.byID, oldest.external)
	}
}

// forget drops a token that was refused, unless another has taken its place.
func (k *consumers) forget(external string, bad consumer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byID[external]; ok && e.Value.(*consumerEntry).consumer.jws == bad.jws {
		k.order.Remove(e)
		delete(k.byID, external)
	}
}

// ConsumerID returns the identity by which the cloud names the consumer whom we
// call externalID: the participant with role CONSUMER in notifications. It is
// empty when the cloud's token does not tell. Errors are those of Publish, but
// never Uncertain.
func (c *Client) ConsumerID(ctx context.Context, externalID string) (string, error) {
	if k, ok := c.consumers.find(externalID); ok {
		return k.id, nil // nobody was asked: it says nothing about the far side
	}
	var k consumer
	_, err := c.circuit.around(ctx, opConsumer, func() (_ answer, err error) {
		k, err = c.consumer(ctx, externalID)
		return answer{}, err
	})
	return k.id, err
}

// consumer returns the consumer's token; one fetch serves all who ask for the
// same consumer at once, and outlives each of them.
func (c *Client) consumer(ctx context.Context, external string) (consumer, error) {
	if k, ok := c.consumers.find(external); ok {
		return k, nil
	}
	done := c.consumers.flight.DoChan(external, func() (any, error) {
		if k, ok := c.consumers.find(external); ok {
			return k, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*c.timeout)
		defer cancel()
		k, err := c.fetchConsumer(ctx, external)
		if err == nil {
			c.consumers.keep(external, k)
		}
		return k, err
	})
	select {
	case r := <-done:
		return r.Val.(consumer), r.Err
	case <-ctx.Done():
		return consumer{}, &fault.Error{Class: fault.Transient, Op: opConsumer, Err: gaveUp(ctx.Err())}
	}
}

const opConsumer = "liveperson: consumer token"

// fetchConsumer issues a ConsumerJWS; the same external ID always gives the same consumer.
//
// Source: connector-api-send-api-authorization-and-authentication.
func (c *Client) fetchConsumer(ctx context.Context, external string) (consumer, error) {
	body, err := encode(map[string]string{"ext_consumer_id": external})
	if err != nil {
		return consumer{}, fault.New(fault.Rejected, opConsumer, "the identity cannot be encoded")
	}
	path := "/api/account/" + url.PathEscape(c.config.SiteID) + "/consumer?v=1.0"
	a, err := c.authorized(ctx, opConsumer, func(app string) (answer, error) {
		return c.reach(ctx, opConsumer, serviceIDP, repeatable, path, func(target string) (*http.Request, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
			if err == nil {
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", app)
			}
			return req, err
		})
	})
	if err == nil {
		err = a.judge(opConsumer, repeatable, c.now())
	}
	if err != nil {
		return consumer{}, err
	}
	var got struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(a.body, &got) != nil || !sound(got.Token) {
		return consumer{}, fault.New(fault.Transient, opConsumer, "the answer holds no token")
	}
	var claims struct {
		ID string `json:"lp_consumer_id"`
	}
	readClaims(got.Token, &claims)
	return consumer{jws: got.Token, id: claims.ID}, nil
}

// authorized calls with an AppJWT, and once more with a fresh one when the cloud
// says that the token has expired or is invalid.
func (c *Client) authorized(ctx context.Context, op string, call func(app string) (answer, error)) (answer, error) {
	app, err := c.app.get(ctx)
	if err != nil {
		return answer{}, err
	}
	a, err := call(app)
	if err != nil || a.status != http.StatusUnauthorized || a.code() != codeAppJWT {
		return a, err
	}
	c.log.Info("the app token was refused, a fresh one is fetched", "op", op)
	if app, err = c.app.replace(ctx, app); err != nil {
		return answer{}, err
	}
	return call(app)
}
