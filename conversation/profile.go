package conversation

import "parley/message"

// knows takes what a channel tells about the consumer.
func (s *State) knows(p message.Profile) {
	switch {
	case p.Empty():
	case s.Rules < 2:
		s.Profile = p
	default:
		s.Profile = s.Profile.With(p)
	}
}

// inform queues the profile for the cloud where it differs from what the cloud was
// told: an opening brings it along, so it is news only once a conversation is open.
// The batch has the newest, so one update in the queue is enough.
func (s *State) inform(cause string) {
	switch {
	case s.Rules < 2, s.Stage != Open, s.Leaving, s.Cloud.Conversation == "":
	case s.Profile.Empty(), s.Profile.Same(s.Told), s.ToCloud.queued(Update) >= 0:
	default:
		s.ToCloud.push(Command{ID: message.NewID("profile", cause), Kind: Update, Conversation: s.Cloud.Conversation})
	}
}
