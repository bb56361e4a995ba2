package liveperson

const (
	stateClose     = "CLOSE"
	stateSuggested = "SUGGESTED"
	dialogMain     = "MAIN"
	dialogSurvey   = "POST_SURVEY"
)

// Open says whether the conversation goes on. A closed MAIN dialog does not end
// it: a survey may follow.
func (c *Change) Open() bool {
	return c.Stage != stateClose && (c.Stage != "" || c.Type != "DELETE")
}

// MainOpen says whether the dialog with the agent is open.
func (c *Change) MainOpen() bool {
	for _, d := range c.Dialogs {
		if d.Type == dialogMain && d.State != "" {
			return d.State != stateClose
		}
	}
	if c.State != "" {
		return c.State != stateClose
	}
	return c.Open()
}

// Consumer returns the cloud's name for the consumer, empty when it is not told.
func (c *Change) Consumer() string {
	for _, p := range c.everyone() {
		if p.Role == RoleConsumer {
			return p.ID
		}
	}
	return ""
}

// Agent returns the agent who is assigned; one to whom the conversation is only
// offered is not.
func (c *Change) Agent() (id string, assigned bool) {
	return c.present(RoleAssignedAgent)
}

// Manager says whether a manager takes part. One who is only invited does not.
func (c *Change) Manager() bool {
	_, ok := c.present(RoleManager)
	return ok
}

// present returns the first participant of a role who is there, and not only
// suggested: the older list of participants knows no states, the dialogs' does.
func (c *Change) present(role string) (id string, ok bool) {
	offered := map[string]bool{}
	for _, p := range c.everyone() {
		if p.State == stateSuggested {
			offered[p.ID] = true
		}
	}
	for _, p := range c.Participants {
		if p.Role == role && !offered[p.ID] {
			return p.ID, true
		}
	}
	return "", false
}

// Main returns the name of the dialog with the agent, empty when the cloud does
// not say: it is then the conversation's own.
func (c *Change) Main() string {
	for _, d := range c.Dialogs {
		if d.Type == dialogMain {
			return d.ID
		}
	}
	return ""
}

// Survey returns the dialog of the cloud's own survey that is open, the newest
// where there are several, and empty when there is none. It is found by type and
// state: co-browsing and calls are dialogs too, and may stand before it.
//
// Source: messaging-window-api-tutorials-post-conversation-survey-pcs.
func (c *Change) Survey() string {
	var newest Dialog
	for _, d := range c.Dialogs {
		if d.Type == dialogSurvey && d.State != stateClose && !d.Created.Before(newest.Created) {
			newest = d
		}
	}
	if !c.Open() {
		return ""
	}
	return newest.ID
}

// everyone lists the participants of the conversation and of its MAIN dialog.
func (c *Change) everyone() []Participant {
	all := c.Participants[:len(c.Participants):len(c.Participants)]
	for _, d := range c.Dialogs {
		if d.Type == dialogMain {
			all = append(all, d.Participants...)
		}
	}
	return all
}
