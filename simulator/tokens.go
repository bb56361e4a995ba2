package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// keyring signs tokens and remembers what it signed. A token it does not remember
// is checked like a stranger's.
type keyring struct {
	once   sync.Once
	key    *rsa.PrivateKey
	err    error
	mu     sync.RWMutex
	serial int64
	known  map[string]token
}

// token is what a token says.
type token struct {
	app     bool
	site    string
	client  string // azp
	ext, lp string
	expires time.Time
	serial  int64 // grows with every token
}

// keptTokens bounds the memory of tokens; a forgotten one is verified again.
const keptTokens = 200_000

func (k *keyring) private() (*rsa.PrivateKey, error) {
	k.once.Do(func() { k.key, k.err = rsa.GenerateKey(rand.Reader, 2048) })
	return k.key, k.err
}

func (k *keyring) sign(kid string, claims jwt.MapClaims, t token) (string, error) {
	key, err := k.private()
	if err != nil {
		return "", err
	}
	j := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	j.Header["kid"] = kid
	signed, err := j.SignedString(key)
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= keptTokens {
		k.known = map[string]token{}
	}
	k.serial++
	t.serial = k.serial
	k.known[signed] = t
	return signed, nil
}

// next is the serial number the next token will have.
func (k *keyring) next() int64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.serial + 1
}

var errForged = errors.New("not signed by this simulator")

// read verifies a token's signature and returns what it says; whether it is still
// valid is for the caller.
func (k *keyring) read(raw string) (token, error) {
	k.mu.RLock()
	t, ok := k.known[raw]
	k.mu.RUnlock()
	if ok {
		return t, nil
	}
	key, err := k.private()
	if err != nil {
		return token{}, err
	}
	claims := jwt.MapClaims{}
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()).
		ParseWithClaims(raw, claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
	if err != nil {
		return token{}, errForged
	}
	text := func(name string) string { v, _ := claims[name].(string); return v }
	t = token{site: text("aud"), client: text("azp"), ext: text("ext_consumer_id"), lp: text("lp_consumer_id")}
	t.app = t.ext == ""
	if !t.app {
		t.site = text("account_id")
	}
	if exp, err := claims.GetExpirationTime(); err == nil && exp != nil {
		t.expires = exp.Time
	}
	return t, nil
}

// appToken is Sentinel: POST …/app/token.
//
// Source: connector-api-send-api-authorization-and-authentication, "Get AppJWT".
func (s *Simulator) appToken(c *call) reply {
	c.seen.summary = "AppJWT"
	denied := func(status int, code, reason string) reply {
		return reply{status: status, body: map[string]string{"error": code}, reason: reason}
	}
	a := s.account(c.r.PathValue("site"))
	q := c.r.URL.Query()
	form := url.Values{}
	if len(c.body) > 0 {
		kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
		if err != nil || kind != "application/x-www-form-urlencoded" {
			return denied(http.StatusBadRequest, "invalid_request", "Content-Type must be application/x-www-form-urlencoded")
		}
		if form, err = url.ParseQuery(string(c.body)); err != nil {
			return denied(http.StatusBadRequest, "invalid_request", "body is not a form")
		}
	}
	param := func(name string) string {
		if v := form.Get(name); v != "" {
			return v
		}
		return q.Get(name)
	}
	c.hideSecret(param("client_secret"))
	switch {
	case q.Get("v") != "1.0":
		return denied(http.StatusBadRequest, "invalid_request", "query v=1.0 is required")
	case param("grant_type") != "client_credentials":
		return denied(http.StatusBadRequest, "unsupported_grant_type", "grant_type=client_credentials is required")
	case param("client_id") == "" || param("client_secret") == "":
		return denied(http.StatusBadRequest, "invalid_request", "client_id and client_secret are required")
	case a == nil || a.cfg.SiteID != c.r.PathValue("site"):
		return denied(http.StatusUnauthorized, "invalid_client", "unknown account")
	case param("client_id") != a.cfg.ClientID || !slices.Contains(a.cfg.ClientSecret, param("client_secret")):
		return denied(http.StatusUnauthorized, "invalid_client", "unknown client or wrong secret")
	}
	c.seen.account = a.cfg.Name
	issued := s.now()
	expires := issued.Add(time.Duration(s.settings.Load().AppJWTLifetimeSec) * time.Second)
	signed, err := s.keys.sign("appjwt-2026-11-22", jwt.MapClaims{
		"iss": "Sentinel", "aud": a.cfg.SiteID, "azp": a.cfg.ClientID, "scope": "msg.consumer", "iat": issued.Unix(), "exp": expires.Unix(),
	}, token{app: true, site: a.cfg.SiteID, client: a.cfg.ClientID, expires: time.Unix(expires.Unix(), 0)})
	if err != nil {
		return reply{status: http.StatusInternalServerError, reason: "no key"}
	}
	return reply{
		status: http.StatusOK,
		body:   map[string]string{"access_token": signed, "token_type": "Bearer"},
		hidden: map[string]string{"access_token": "…", "token_type": "Bearer"},
	}
}

// hideSecret keeps a secret out of what the wire shows.
func (c *call) hideSecret(secret string) {
	if secret == "" {
		return
	}
	hide := strings.NewReplacer(url.QueryEscape(secret), "…", secret, "…")
	c.seen.request = []byte(hide.Replace(string(c.seen.request)))
	c.seen.path = hide.Replace(c.seen.path)
}

// consumerToken is the IDP: POST …/consumer. It answers 201.
func (s *Simulator) consumerToken(c *call) reply {
	c.seen.summary = "ConsumerJWS"
	a, bad := s.application(c)
	if bad != nil {
		return *bad
	}
	if bad := c.wantJSON("1.0"); bad != nil {
		return *bad
	}
	in, ok := object(c.body)
	ext, isText := in["ext_consumer_id"].(string)
	if !ok || !isText || ext == "" || len(ext) > 256 {
		return *invalid("ext_consumer_id must be a string of 1 to 256 characters")
	}
	co := a.consumer(ext)
	signed, err := s.keys.sign("conjws-2026-11-22", jwt.MapClaims{
		"account_id": a.cfg.SiteID, "ext_consumer_id": ext, "lp_consumer_id": co.lp, "iat": s.now().Unix(),
	}, token{site: a.cfg.SiteID, ext: ext, lp: co.lp})
	if err != nil {
		return reply{status: http.StatusInternalServerError, reason: "no key"}
	}
	return reply{status: http.StatusCreated, body: map[string]string{"token": signed}, hidden: map[string]string{"token": "…"}}
}

// consumerID is LivePerson's name of a consumer: 64 hexadecimal characters, always
// the same for the same account and external id.
func consumerID(site, ext string) string {
	sum := sha256.Sum256([]byte(site + "\x00" + ext))
	return hex.EncodeToString(sum[:])
}

// Refusals of the Send API's authorization.
//
// Source: connector-api-send-api-authorization-and-authentication, error codes.
func appInvalid() *reply {
	r := refusal(http.StatusUnauthorized, 40102, "Invalid AppJWT", "AppJWT has expired or is invalid")
	return &r
}

func jwsInvalid() *reply {
	r := refusal(http.StatusUnauthorized, 40103, "Invalid ConsumerJWS", "ConsumerJWS is invalid")
	return &r
}

// application checks the AppJWT of a call.
func (s *Simulator) application(c *call) (*account, *reply) {
	site := c.r.PathValue("site")
	a := s.account(site)
	if a == nil || a.cfg.SiteID != site {
		return nil, invalid("unknown account")
	}
	c.seen.account = a.cfg.Name
	raw := c.r.Header.Get("Authorization")
	if bare, found := strings.CutPrefix(raw, "Bearer "); found {
		c.warn("Authorization has a Bearer prefix")
		raw = bare
	}
	if raw == "" {
		r := refusal(http.StatusUnauthorized, 40105, "AppJWT is missing", "AUTHORIZATION header is not present")
		return nil, &r
	}
	t, err := s.keys.read(raw)
	if err != nil || !t.app || c.faults.do() == doExpire {
		return nil, appInvalid()
	}
	if t.site != site || t.client != a.cfg.ClientID {
		r := refusal(http.StatusBadRequest, 40001, "Missing parameter", "AppJWT is of another account or application")
		return nil, &r
	}
	if !s.now().Before(t.expires) || t.serial < a.oldestApp() {
		return nil, appInvalid()
	}
	return a, nil
}

// behalf checks the ConsumerJWS of a call and returns the consumer it names.
func (s *Simulator) behalf(c *call, a *account) (*consumer, *reply) {
	raw := c.r.Header.Get("X-Lp-On-Behalf")
	if raw == "" {
		if raw = c.r.Header.Get("Lp-On-Behalf"); raw != "" {
			c.warn("LP-On-Behalf is a header of another API")
		}
	}
	if raw == "" {
		r := refusal(http.StatusUnauthorized, 40104, "ConsumerJWS is missing", "X_ON_BEHALF_HEADER is not present")
		return nil, &r
	}
	t, err := s.keys.read(raw)
	if err != nil || t.app || t.site != a.cfg.SiteID || c.faults.do() == doRejectJWS {
		return nil, jwsInvalid()
	}
	co := a.consumer(t.ext)
	if t.serial < a.oldestJWS(co) {
		return nil, jwsInvalid()
	}
	return co, nil
}
