package conversation

import "parley/message"

// Offer is an agent's message that offered answers. It is remembered until newer
// ones push it out, so that an answer can be given back as the click it stands for.
type Offer struct {
	Command      message.ID       `json:"command"`
	Conversation string           `json:"conversation,omitempty"`
	Dialog       string           `json:"dialog,omitempty"`
	Sequence     int              `json:"sequence"`
	Choices      []message.Choice `json:"choices"`
	Spoken       bool             `json:"spoken,omitempty"` // the consumer has said something: its quick replies are gone
	Aside        bool             `json:"aside,omitempty"`  // the consumer has said something else since
	Passed       bool             `json:"passed,omitempty"` // and the agent has answered that: a number may mean anything now
}
