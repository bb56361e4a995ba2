package activities

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/channels"
	"parley/conversation"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

func opening(route *conversation.Route) conversation.Command {
	return conversation.Command{ID: "open", Kind: conversation.OpenConversation, Route: route}
}

func TestWhereAConversationGoes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	require.Nil(t, d.carry(t, d.ToCloud, opening(&conversation.Route{Skill: "4711", Urgency: "URGENT"})).Stop)
	assert.Equal(t, []string{"4711", "URGENT"}, []string{d.cloud.opens[0].Skill, d.cloud.opens[0].Urgency})
	assert.Empty(t, d.cloud.asked)

	found := liveperson.Campaign{Campaign: "3344", Engagement: "5566", Visitor: "v", Session: "s", Context: "2"}
	route := &conversation.Route{Engagement: true, Entry: []string{"sec://sport"}}
	d = newDesk(t, Confirm, channels.Limits{})
	d.cloud.campaign = func(context.Context) (liveperson.Campaign, error) { return found, nil }
	require.Nil(t, d.carry(t, d.ToCloud, opening(route)).Stop)
	assert.Equal(t, found, d.cloud.opens[0].Campaign)
	assert.Equal(t, []string{"sec://sport"}, d.cloud.asked[0].Entry)
	assert.Equal(t, "ext", d.cloud.asked[0].Consumer)

	d = newDesk(t, Confirm, channels.Limits{})
	d.cloud.campaign = func(context.Context) (liveperson.Campaign, error) { return liveperson.Campaign{}, errors.New("500") }
	require.Nil(t, d.carry(t, d.ToCloud, opening(route)).Stop)
	assert.Empty(t, d.cloud.opens[0].Campaign, "without an answer it goes without a campaign")

	d = newDesk(t, Confirm, channels.Limits{})
	d.cloud.campaign = func(ctx context.Context) (liveperson.Campaign, error) {
		until, ok := ctx.Deadline()
		assert.True(t, ok && time.Until(until) <= engagementWithin, "an opening is not held up for long")
		return liveperson.Campaign{Conversation: "C7"}, nil
	}
	got := d.carry(t, d.ToCloud, opening(route))
	require.Nil(t, got.Stop)
	assert.Equal(t, "C7", got.Results[0].Conversation, "what is open already is adopted")
	assert.Contains(t, d.l.bound, "C7")
	assert.Empty(t, d.cloud.opens)

	d = newDesk(t, Confirm, channels.Limits{})
	d.cloud.fails["open"] = []error{&fault.Error{Class: fault.Gone, Code: liveperson.CodeAlreadyOpen}}
	d.cloud.campaign = func(context.Context) (liveperson.Campaign, error) {
		return liveperson.Campaign{Conversation: "C8"}, nil
	}
	got = d.carry(t, d.ToCloud, opening(nil))
	require.Nil(t, got.Stop)
	assert.Equal(t, "C8", got.Results[0].Conversation, "nobody here knew of it")
}

func TestWhatElseIsToldToTheCloud(t *testing.T) {
	t.Parallel()
	d := newDesk(t, Confirm, channels.Limits{})
	metadata := json.RawMessage(`[{"type":"ExternalId","id":"OPT-YES"}]`)
	value, err := d.ExecuteActivity(d.ToCloud, Batch{
		Account: "main", Address: addr, Consumer: "ext", Profile: message.Profile{FirstName: "Mira", Customer: message.Customer{ID: "C-1"}},
		Commands: []conversation.Command{
			{ID: "1", Kind: conversation.Acknowledge, Conversation: "C1", Dialog: "C1", Status: "ACTION", Sequences: []int{7}, Metadata: metadata},
			{ID: "2", Kind: conversation.Publish, Conversation: "C1", Dialog: "C1", Text: "Yes", Metadata: metadata},
			{ID: "3", Kind: conversation.Update, Conversation: "C1"},
			{ID: "4", Kind: conversation.Urge, Conversation: "C1", Urgency: "URGENT"},
			{ID: "5", Kind: conversation.Close, Conversation: "C1", Way: conversation.WayDialog},
			{ID: "6", Kind: conversation.Close, Conversation: "C2", Way: conversation.WayStage},
			{ID: "7", Kind: conversation.Close, Conversation: "C3"},
		},
	})
	require.NoError(t, err)
	var got Returned
	require.NoError(t, value.Get(&got))
	require.Nil(t, got.Stop)
	assert.Equal(t, metadata, d.cloud.accepts[0].Metadata)
	assert.Equal(t, metadata, d.cloud.publishes[0].Metadata)
	assert.Equal(t, []string{"Mira", "C-1"}, []string{d.cloud.profiles[0].Profile.FirstName, d.cloud.profiles[0].Profile.Customer.ID})
	assert.Equal(t, liveperson.Urge{Consumer: "ext", Conversation: "C1", Urgency: "URGENT"}, d.cloud.urges[0])
	assert.Equal(t, []string{"dialog", "stage", ""}, []string{d.cloud.closes[0].Way, d.cloud.closes[1].Way, d.cloud.closes[2].Way})
	assert.Equal(t, []string{"C2", "C3"}, d.l.ended, "after the dialog a survey may follow")
}

// Each field of a profile has its counterpart: one that is added to message.Profile
// and forgotten here is found.
func TestAllOfAProfileIsTold(t *testing.T) {
	t.Parallel()
	var p message.Profile
	fill(reflect.ValueOf(&p).Elem())
	var empty func(v reflect.Value, path string)
	empty = func(v reflect.Value, path string) {
		assert.False(t, v.IsZero(), path)
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				empty(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		}
	}
	empty(reflect.ValueOf(profile(p)), "Profile")
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}
