package liveperson

import (
	"context"
	"reflect"
	"strings"
)

// Profile is what agents are told about a consumer; every field may be empty, and
// what is empty is left out.
//
// Source: connector-api-send-api-conversation, engagement-attributes-types
// (personal, ctmrinfo).
type Profile struct {
	Name      string
	FirstName string // where it is known apart; otherwise Name is split
	LastName  string
	Phone     string // E.164
	Email     string
	Language  string // e.g. "de-CH"
	Gender    string // MALE, FEMALE, OTHER
	Company   string
	Age       Age
	Contacts  []Contact // further ones
	Customer  Customer
}

// Age is how old a consumer is, or when they were born.
type Age struct {
	Age   int `json:"age,omitempty"`
	Year  int `json:"year,omitempty"`
	Month int `json:"month,omitempty"`
	Day   int `json:"day,omitempty"`
}

// Contact is one way to reach a consumer.
type Contact struct {
	Email     string
	Phone     string
	PhoneType string // HOME, MOBILE, WORK, FAX, MAIN, HOME_FAX, WORK_FAX, PAGER, OTHER; MOBILE when empty
	Country   string
	Region    string
}

// Customer is what a brand knows about a consumer.
type Customer struct {
	ID            string
	Type          string // a tier, e.g. "gold"
	Status        string
	Balance       *float64
	Currency      string // ISO 4217
	SocialID      string // the handle on the channel
	IMEI          string
	UserName      string
	CompanySize   int
	CompanyBranch string
	AccountName   string
	Role          string
	LastPayment   Date
	Registration  Date
	LoginStatus   string
	StoreZIP      string // not supported for consumers who are signed in
	StoreNumber   string // not supported for consumers who are signed in
}

// Date is a day of a calendar.
type Date struct {
	Day   int `json:"day,omitempty"`
	Month int `json:"month,omitempty"`
	Year  int `json:"year,omitempty"`
}

// SetProfile tells agents what has become known about a consumer.
type SetProfile struct {
	Consumer string // our name for the consumer, as given to Open
	Profile  Profile
}

// SetProfile changes a consumer's profile, in the middle of a conversation too.
// Errors are those of Publish, but never Uncertain: a repeat says the same.
//
// Source: connector-api-send-api-send (user profile).
func (c *Client) SetProfile(ctx context.Context, s SetProfile) error {
	_, err := c.send(ctx, "liveperson: profile", s.Consumer, repeatable, newRequest(setUserProfile, s.Profile.body()))
	return err
}

const setUserProfile = "userprofile.SetUserProfile"

// body is the profile as engagement attributes, an empty object for an empty one.
func (p Profile) body() any {
	sdes := p.attributes()
	if len(sdes) == 0 {
		return struct{}{}
	}
	return map[string]any{"authenticatedData": map[string]any{"lp_sdes": sdes}}
}

// attributes is the profile as the only two kinds of engagement attributes that
// the cloud takes of a connector.
func (p Profile) attributes() []any {
	var sdes []any
	if info := p.Customer.info(); info != (ctmrinfo{}) {
		sdes = append(sdes, map[string]any{"type": "ctmrinfo", "info": info})
	}
	if me := p.personal(); !reflect.ValueOf(me).IsZero() {
		sdes = append(sdes, map[string]any{"type": "personal", "personal": me})
	}
	return sdes
}

type ctmrinfo struct {
	ID            string   `json:"customerId,omitempty"`
	Type          string   `json:"ctype,omitempty"`
	Status        string   `json:"cstatus,omitempty"`
	Balance       *float64 `json:"balance,omitempty"`
	Currency      string   `json:"currency,omitempty"`
	SocialID      string   `json:"socialId,omitempty"`
	IMEI          string   `json:"imei,omitempty"`
	UserName      string   `json:"userName,omitempty"`
	CompanySize   int      `json:"companySize,omitempty"`
	CompanyBranch string   `json:"companyBranch,omitempty"`
	AccountName   string   `json:"accountName,omitempty"`
	Role          string   `json:"role,omitempty"`
	LastPayment   Date     `json:"lastPaymentDate,omitzero"`
	Registration  Date     `json:"registrationDate,omitzero"`
	LoginStatus   string   `json:"loginStatus,omitempty"`
	StoreZIP      string   `json:"storeZipCode,omitempty"`
	StoreNumber   string   `json:"storeNumber,omitempty"`
}

func (c Customer) info() ctmrinfo { return ctmrinfo(c) }

type personal struct {
	First    string    `json:"firstname,omitempty"`
	Last     string    `json:"lastname,omitempty"`
	Age      Age       `json:"age,omitzero"`
	Contacts []contact `json:"contacts,omitempty"`
	Gender   string    `json:"gender,omitempty"`
	Language string    `json:"language,omitempty"`
	Company  string    `json:"company,omitempty"`
}

type contact struct {
	Email   string  `json:"email,omitempty"`
	Phone   string  `json:"phone,omitempty"`
	Type    string  `json:"phoneType,omitempty"`
	Address address `json:"address,omitzero"`
}

type address struct {
	Country string `json:"country,omitempty"`
	Region  string `json:"region,omitempty"`
}

func (p Profile) personal() personal {
	me := personal{First: p.FirstName, Last: p.LastName, Age: p.Age, Gender: p.Gender, Language: p.Language, Company: p.Company}
	if me.First == "" && me.Last == "" {
		me.First, me.Last, _ = strings.Cut(strings.TrimSpace(p.Name), " ")
		me.Last = strings.TrimSpace(me.Last)
	}
	for _, c := range append([]Contact{{Email: p.Email, Phone: p.Phone}}, p.Contacts...) {
		one := contact{Email: c.Email, Phone: c.Phone, Address: address{c.Country, c.Region}}
		if c.Phone != "" {
			one.Type = c.PhoneType
			if one.Type == "" {
				one.Type = "MOBILE"
			}
		}
		if one != (contact{}) {
			me.Contacts = append(me.Contacts, one)
		}
	}
	return me
}
