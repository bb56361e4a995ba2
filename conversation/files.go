package conversation

import (
	"parley/fault"
	"parley/message"
)

// fileAttempts is how often a file of a consumer's is asked for that its channel
// does not hand out (CodeFileGone with a failure that may pass): what comes behind
// it waits meanwhile, about ten minutes.
const fileAttempts = 14

// ungiven says whether a failure means that the channel will not hand a file out:
// what is gone there says nothing of the conversation.
func (c *Command) ungiven(stop Stop, attempts int) bool {
	return c.Kind == PublishFile && stop.Code == CodeFileGone && (stop.Class == fault.Gone || attempts >= fileAttempts)
}

// fileRefused says whether a file of a consumer's cannot go for a reason that both
// sides are told in words. A line for the agent takes its place, under its ID.
func (s *State) fileRefused(c *Command, code string) bool {
	why, line := "", ""
	switch code {
	case CodeTooLarge:
		why, line = "it is too large", s.Settings.Texts.FileTooLarge
	case CodeFileType:
		why, line = "files of this type are not accepted", s.Settings.Texts.FileType
	case CodeFileGone:
		why, line = "it could not be fetched", s.Settings.Texts.FileGone
	default:
		return false
	}
	what := "file"
	if c.Attachment != nil {
		what = describe(c.Attachment)
	}
	c.Kind, c.Text, c.Attachment, c.Done = Publish, "["+what+" could not be passed on: "+why+"]", nil, 0
	source := message.Inbound{Kind: message.Wrote, ID: c.ID, Address: s.Address, Text: c.Text}
	if c.Source != nil {
		source.At = c.Source.At
	}
	c.Source = &source
	s.tell(line, "file", string(c.ID))
	return true
}

// tell queues a line of our own for the consumer. cause names what it follows from;
// nothing is said where the texts have no line for it.
func (s *State) tell(line string, cause ...string) {
	if line == "" || s.OptedOut {
		return
	}
	s.ToChannel.push(Command{
		ID: message.NewID(append([]string{"tell"}, cause...)...), Kind: Tell, Conversation: s.Cloud.Conversation, Sequence: -1, Text: line,
	})
}
