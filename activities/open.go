package activities

import (
	"context"
	"errors"
	"time"

	"parley/conversation"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// engagementWithin is how long the Monitoring API is waited for: an opening that
// takes longer than 10 s loses the welcome message.
const engagementWithin = 3 * time.Second

// open opens a conversation and binds it to the address, so that its
// notifications find their way. Who the consumer is for the cloud is known
// before, so that the notification binds it even if the answer is lost.
func (s *cloudSender) open(ctx context.Context, route *conversation.Route) (message.Outcome, error) {
	id, err := s.cloud.ConsumerID(ctx, s.in.Consumer)
	if err != nil {
		return message.Outcome{}, err
	}
	if err := s.Store.Known(ctx, s.in.Account, id, s.in.Address); err != nil {
		return message.Outcome{}, err
	}
	o := liveperson.Open{Consumer: s.in.Consumer, Language: s.in.Language, Profile: profile(s.in.Profile)}
	if route != nil {
		o.Skill, o.Urgency = route.Skill, route.Urgency
	}
	if route != nil && route.Engagement {
		o.Campaign = s.campaign(ctx, route.Entry)
		if o.Campaign.Conversation != "" {
			return s.opened(ctx, o.Campaign.Conversation)
		}
	}
	opened, err := s.cloud.Open(ctx, o)
	if fault.CodeOf(err) == conversation.CodeAlreadyOpen {
		return s.adopt(ctx, err)
	}
	if err != nil {
		return message.Outcome{}, err
	}
	return s.opened(ctx, opened.Conversation)
}

// adopt finds the conversation that is open already: what we know of, else what the
// Monitoring API says. Otherwise its notifications will tell.
func (s *cloudSender) adopt(ctx context.Context, refused error) (message.Outcome, error) {
	conv, _, found, err := s.Store.OpenConversation(ctx, s.in.Account, s.in.Address)
	if err == nil && !found {
		conv = s.campaign(ctx, nil).Conversation
	}
	if err != nil || conv == "" {
		return message.Outcome{}, errors.Join(refused, err)
	}
	return s.opened(ctx, conv)
}

// campaign asks which campaign the consumer belongs to. Without an answer in time
// there is none: that is no reason not to open a conversation.
func (s *cloudSender) campaign(ctx context.Context, entry []string) liveperson.Campaign {
	ctx, cancel := context.WithTimeout(ctx, engagementWithin)
	defer cancel()
	found, err := s.cloud.Engagement(ctx, liveperson.Engagement{
		Consumer: s.in.Consumer, Known: s.in.Profile.Customer.ID != "", Entry: entry, Profile: profile(s.in.Profile),
	})
	if err != nil {
		s.Log.WarnContext(ctx, "no campaign was found out: the conversation goes without", "account", s.in.Account, "class", fault.ClassOf(err), "err", err)
	}
	return found
}

// profile is what a channel knows about a consumer, in the cloud's words.
func profile(p message.Profile) liveperson.Profile {
	out := liveperson.Profile{
		Name: p.Name, FirstName: p.FirstName, LastName: p.LastName, Phone: p.Phone, Email: p.Email,
		Language: p.Language, Gender: p.Gender, Company: p.Company, Age: liveperson.Age(p.Age), Customer: customer(p.Customer),
	}
	for _, c := range p.Contacts {
		out.Contacts = append(out.Contacts, liveperson.Contact(c))
	}
	return out
}

func customer(c message.Customer) liveperson.Customer {
	return liveperson.Customer{
		ID: c.ID, Type: c.Type, Status: c.Status, Balance: c.Balance, Currency: c.Currency, SocialID: c.SocialID, IMEI: c.IMEI,
		UserName: c.UserName, CompanySize: c.CompanySize, CompanyBranch: c.CompanyBranch, AccountName: c.AccountName, Role: c.Role,
		LastPayment: liveperson.Date(c.LastPayment), Registration: liveperson.Date(c.Registration), LoginStatus: c.LoginStatus,
		StoreZIP: c.StoreZIP, StoreNumber: c.StoreNumber,
	}
}
