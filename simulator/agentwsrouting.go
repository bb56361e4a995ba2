package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The states of a ring.
const (
	ringWaiting   = "WAITING"
	ringAccepted  = "ACCEPTED"
	ringRejected  = "REJECTED"
	ringExpired   = "EXPIRED"
	ringCancelled = "CANCELLED"
)

// ringPause is how long a conversation waits before it rings again at an agent who
// did not take it. It is invented.
const ringPause = 5 * time.Second

// routingTask is a conversation that waits for an agent. It rings at one after the
// other.
type routingTask struct {
	id    string
	conv  *conversation
	only  *deskAgent // to whom it was transferred; nil: to anybody
	ring  *ring
	tried map[*deskAgent]bool
	turn  int // counts rings and pauses, so that an old timer is known
}

func newTask(c *conversation) *routingTask {
	return &routingTask{id: uuid.NewString(), conv: c, tried: map[*deskAgent]bool{}}
}

type ring struct {
	id      string
	who     *deskAgent
	state   string
	rings   time.Duration
	expires time.Time
}

// waiting says whether it rings somewhere now; a task that does not exist rings nowhere.
func (t *routingTask) waiting() bool { return t != nil && t.ring != nil && t.ring.state == ringWaiting }

// suggested is whom a conversation is offered to: not yet its agent, though its
// role says so.
//
// Source: node-agent-sdk, README, "Subscribing to Change Notifications with Transfer to Agent".
func (d *desk) suggested(c *conversation) []idRole {
	if t := d.tasks[c.id]; t.waiting() {
		return []idRole{{ID: t.ring.who.pid, Role: roleAgent, State: "SUGGESTED"}}
	}
	return nil
}

// route makes a conversation without an agent ring, and ends the ringing of one
// that needs none.
func (d *desk) route(c *conversation) {
	t := d.tasks[c.id]
	if c.main().state != stateOpen || c.agent() != nil {
		if t == nil {
			return
		}
		if t.waiting() {
			t.ring.state = ringCancelled
		}
		t.turn++
		delete(d.tasks, c.id)
		d.tell(t, true)
		return
	}
	if t == nil {
		t = newTask(c)
		d.tasks[c.id] = t
	}
	if !t.waiting() {
		d.offer(t)
	}
}

// routeAll looks for conversations that can ring now that an agent is there.
func (d *desk) routeAll() {
	for _, c := range d.acc.order {
		if c.main().state == stateOpen && c.agent() == nil {
			d.route(c)
		}
	}
}

// suggest makes a conversation ring at one agent.
func (d *desk) suggest(c *conversation, who *deskAgent) {
	t := d.tasks[c.id]
	if t == nil {
		t = newTask(c)
		d.tasks[c.id] = t
	}
	if t.waiting() {
		d.endRing(t, ringCancelled)
	}
	t.only = who
	clear(t.tried)
	d.offer(t)
}

// offer rings at the agent with the least to do who has not been asked yet. When
// all have been, it begins anew after a pause.
func (d *desk) offer(t *routingTask) {
	if d.tasks[t.conv.id] != t {
		return
	}
	who := d.candidate(t)
	if who == nil {
		if len(t.tried) > 0 {
			d.after(t, ringPause, func() { clear(t.tried); t.only = nil; d.offer(t) })
		}
		return
	}
	now, rings := d.sim.now(), cmp.Or(d.sim.cfg.Desk.Ring, 72*time.Second)
	t.tried[who] = true
	t.ring = &ring{
		id: fmt.Sprintf("%s_%s_%d", t.conv.id, who.number, now.UnixMilli()), who: who, state: ringWaiting, rings: rings, expires: now.Add(rings),
	}
	d.tell(t, false)
	d.after(t, rings, func() { d.endRing(t, ringExpired); d.offer(t) })
}

// after does f later, unless the task went on meanwhile. f runs with the account locked.
func (d *desk) after(t *routingTask, pause time.Duration, f func()) {
	t.turn++
	turn := t.turn
	d.sim.soon(pause, func() {
		d.acc.mu.Lock()
		defer d.acc.mu.Unlock()
		if t.turn == turn && d.tasks[t.conv.id] == t {
			f()
		}
	})
}

func (d *desk) candidate(t *routingTask) *deskAgent {
	load := map[string]int{}
	for _, c := range d.acc.order {
		if a := c.agent(); a != nil && c.open() {
			load[a.id]++
		}
	}
	var best *deskAgent
	for _, who := range d.agents {
		state := d.states[who.name]
		open := state == available || state == occupied && t.only == who
		if !open || t.tried[who] || !d.reachable(who) || (t.only != nil && t.only != who) {
			continue
		}
		if best == nil || load[who.pid] < load[best.pid] {
			best = who
		}
	}
	return best
}

// endRing ends a ring that nobody accepted, and says so where it rang.
func (d *desk) endRing(t *routingTask, state string) {
	t.ring.state = state
	t.turn++
	d.tell(t, false)
}

// tell shows the task to the agent where it rings, or rang last.
func (d *desk) tell(t *routingTask, completed bool) {
	if t.ring == nil {
		return
	}
	for _, c := range d.conns {
		if c.who == t.ring.who && c.tasks != "" {
			c.notify(taskNotice(c.tasks, t.change(completed)))
		}
	}
}

func (d *desk) sortedTasks() []*routingTask {
	all := make([]*routingTask, 0, len(d.tasks))
	for _, t := range d.tasks {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *routingTask) int { return a.conv.started.Compare(b.conv.started) })
	return all
}

type (
	taskResult struct {
		RoutingTaskID   string       `json:"routingTaskId"`
		TaskCompleted   bool         `json:"taskCompleted"`
		ConversationID  string       `json:"conversationId"`
		ConsumerID      string       `json:"consumerId"`
		SkillID         string       `json:"skillId"`
		BrandID         string       `json:"brandId"`
		AssignedAgentID string       `json:"assignedAgentId,omitempty"`
		RingsDetails    []ringDetail `json:"ringsDetails"`
	}
	ringDetail struct {
		RingID           string `json:"ringId"`
		RingState        string `json:"ringState"`
		RingExpiration   int64  `json:"ringExpiration"`
		RingExpirationTs int64  `json:"ringExpirationTs"`
		Weight           int64  `json:"weight"`
		BrandID          string `json:"brandId"`
		ConvID           string `json:"convId"`
		ConsumerID       string `json:"consumerId"`
		SkillID          string `json:"skillId"`
	}
)

func taskNotice(subscription string, changes ...agentChange) agentNotification {
	return notice(".ams.routing.RoutingTaskNotification", agentChanges{SubscriptionID: subscription, Changes: changes})
}

// change is the task as agent programs get it.
//
// Source: node-agent-sdk, README, "routing.RoutingTaskNotification".
func (t *routingTask) change(completed bool) agentChange {
	c := t.conv
	site := c.acc.cfg.SiteID
	r := taskResult{
		RoutingTaskID: t.id, TaskCompleted: completed, ConversationID: c.id, ConsumerID: c.consumer.lp, SkillID: c.skill, BrandID: site,
		RingsDetails: []ringDetail{{
			RingID: t.ring.id, RingState: t.ring.state, RingExpiration: t.ring.rings.Milliseconds(), RingExpirationTs: t.ring.expires.UnixMilli(),
			Weight: c.started.UnixMilli(), BrandID: site, ConvID: c.id, ConsumerID: c.consumer.lp, SkillID: c.skill,
		}},
	}
	if a := c.agent(); a != nil {
		r.AssignedAgentID = c.oldID(*a)
	}
	return agentChange{Type: "UPSERT", Result: r}
}

// subscribeTasks is .ams.routing.SubscribeRoutingTasks.
func (c *agentConn) subscribeTasks(q *agentRequest) agentAnswer {
	var b struct {
		ChannelType string `json:"channelType"`
		AgentID     string `json:"agentId"`
		BrandID     text   `json:"brandId"`
	}
	switch {
	case json.Unmarshal(q.Body, &b) != nil:
		return wrong("body has the wrong shape")
	case b.ChannelType != "MESSAGING":
		return wrong("channelType must be MESSAGING")
	case c.desk.agentOf(b.AgentID) != c.who:
		return wrong("agentId is not the agent who is logged in")
	case string(b.BrandID) != c.desk.acc.cfg.SiteID:
		return wrong("brandId is not the account")
	}
	c.tasks = uuid.NewString()
	a := answers(q.Type, map[string]string{"subscriptionId": c.tasks})
	a.then = func() {
		for _, t := range c.desk.sortedTasks() {
			if t.waiting() && t.ring.who == c.who {
				c.notify(taskNotice(c.tasks, t.change(false)))
			}
		}
		c.desk.routeAll()
	}
	return a
}

// text is a text that some programs send as a number.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var n json.Number
	if len(b) > 0 && b[0] != '"' {
		err := json.Unmarshal(b, &n)
		*t = text(n)
		return err
	}
	return json.Unmarshal(b, (*string)(t))
}

// updateRing is .ams.routing.UpdateRingState.
func (c *agentConn) updateRing(q *agentRequest) agentAnswer {
	var b struct {
		RingID    string `json:"ringId"`
		RingState string `json:"ringState"`
	}
	if json.Unmarshal(q.Body, &b) != nil || b.RingID == "" {
		return wrong("ringId is required")
	}
	if b.RingState != ringAccepted && b.RingState != ringRejected {
		return wrong("ringState must be ACCEPTED or REJECTED")
	}
	for _, t := range c.desk.tasks {
		if t.ring == nil || t.ring.id != b.RingID || t.ring.who != c.who || !t.waiting() {
			continue
		}
		if b.RingState == ringRejected {
			c.desk.endRing(t, ringRejected)
			c.desk.offer(t)
		} else {
			t.ring.state = ringAccepted
			t.conv.join(c.who.name) // which ends the task
		}
		a := said("Ring state updated successfully")
		a.conv = t.conv.id
		return a
	}
	return wrong("the ring does not wait for this agent")
}

// setState is .ams.routing.SetAgentState.
func (c *agentConn) setState(q *agentRequest) agentAnswer {
	var b struct {
		Availability string   `json:"availability"`
		Channels     []string `json:"channels"`
		AgentUserID  string   `json:"agentUserId"`
	}
	switch {
	case json.Unmarshal(q.Body, &b) != nil:
		return wrong("body has the wrong shape")
	case !slices.Contains([]string{available, occupied, away}, b.Availability):
		return wrong("availability must be ONLINE, OCCUPIED or AWAY")
	case !slices.Equal(b.Channels, []string{"MESSAGING"}):
		return wrong(`channels must be ["MESSAGING"]`)
	case c.desk.agentOf(b.AgentUserID) != c.who:
		return wrong("agentUserId is not the agent who is logged in")
	}
	a := said("Agent state updated successfully")
	a.then = func() {
		c.desk.setState(c.who, b.Availability)
		c.desk.routeAll()
	}
	return a
}

// subscribeStates is .ams.routing.SubscribeAgentsState.
func (c *agentConn) subscribeStates(q *agentRequest) agentAnswer {
	var b struct {
		AgentID string `json:"agentId"`
		BrandID text   `json:"brandId"`
	}
	if json.Unmarshal(q.Body, &b) != nil || c.desk.agentOf(b.AgentID) != c.who || string(b.BrandID) != c.desk.acc.cfg.SiteID {
		return wrong("brandId and agentId must be those of the agent who is logged in")
	}
	c.states = uuid.NewString()
	a := answers(q.Type, map[string]string{"subscriptionId": c.states})
	a.then = func() { c.notify(c.desk.stateNotice(c.states, c.who)) }
	return a
}

type agentState struct {
	Channels     []string `json:"channels"`
	Availability string   `json:"availability"`
	Description  string   `json:"description"`
	AgentUserID  string   `json:"agentUserId"`
}

func (d *desk) stateNotice(subscription string, who *deskAgent) agentNotification {
	return notice(".ams.routing.AgentStateNotification", agentChanges{SubscriptionID: subscription, Changes: []agentChange{{Type: "UPSERT", Result: agentState{
		Channels: []string{"MESSAGING"}, Availability: cmp.Or(d.states[who.name], away), AgentUserID: d.oldID(who),
	}}}})
}
