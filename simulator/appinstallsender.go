package simulator

import "maps"

// settle lets a changed manifest take effect.
func (s *sender) settle(w *webhookConfig) {
	s.config.Store(w)
	s.kick()
}

// registered says whether the app wants a kind of event.
func (s *sender) registered(kind string) bool {
	w := s.config.Load()
	if w == nil {
		return true
	}
	_, there := w.endpoints[kind]
	return w.enabled && there
}

// endpoint is where a kind of event goes, and with which headers.
func (s *sender) endpoint(set *Settings, kind string) (string, map[string]string) {
	w := s.config.Load()
	if w == nil {
		return set.ParleyURL + "/webhooks/liveperson/" + s.acc.cfg.Name, set.WebhookHeaders
	}
	e := w.endpoints[kind]
	headers := maps.Clone(set.WebhookHeaders)
	for _, h := range e.Headers {
		if headers == nil {
			headers = map[string]string{}
		}
		headers[h.Name] = h.Value
	}
	return e.Endpoint, headers
}

// rules are the settings as the manifest changes them: with retention_time events
// are retried by time to live, otherwise by numbers, of which 0 is the default.
//
// Source: connector-api-webhooks-retry-policy.
func (s *sender) rules(kind string) *Settings {
	set, w := s.sim.settings.Load(), s.config.Load()
	if w == nil {
		return set
	}
	changed := *set
	if w.retention > 0 {
		changed.Retry, changed.RetentionSec = retryRetention, w.retention
		return &changed
	}
	changed.Retry, changed.MaxRetries = retryNumbers, 0
	if n := w.endpoints[kind].MaxRetries; n != nil {
		changed.MaxRetries = *n
	}
	return &changed
}

// mute says whether failures of a kind put nothing on hold: an explicit max_retries 0.
func (s *sender) mute(kind string, set *Settings) bool {
	if w := s.config.Load(); w != nil {
		n := w.endpoints[kind].MaxRetries
		return n != nil && *n == 0
	}
	return kind == kindChat && !set.ChatStateRetries
}
