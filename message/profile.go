package message

import "reflect"

// Profile is what a channel knows about a consumer; every field may be empty. It
// holds all that the cloud takes of a consumer: its data elements "personal" and
// "ctmrinfo".
//
// Source: connector-api-send-api-conversation, engagement-attributes-types.
type Profile struct {
	Name      string    `json:"name,omitempty"`
	FirstName string    `json:"firstName,omitempty"` // where the channel tells it apart; otherwise Name is split
	LastName  string    `json:"lastName,omitempty"`
	Phone     string    `json:"phone,omitempty"` // E.164
	Email     string    `json:"email,omitempty"`
	Language  string    `json:"language,omitempty"` // BCP 47, e.g. "de-CH"
	Gender    string    `json:"gender,omitempty"`   // MALE, FEMALE, OTHER
	Company   string    `json:"company,omitempty"`
	Age       Age       `json:"age,omitzero"`
	Contacts  []Contact `json:"contacts,omitempty"` // further ones
	Customer  Customer  `json:"customer,omitzero"`
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
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
	PhoneType string `json:"phoneType,omitempty"` // HOME, MOBILE, WORK, FAX, MAIN, HOME_FAX, WORK_FAX, PAGER, OTHER
	Country   string `json:"country,omitempty"`
	Region    string `json:"region,omitempty"`
}

// Customer is what a brand knows about a consumer.
type Customer struct {
	ID            string   `json:"id,omitempty"`
	Type          string   `json:"type,omitempty"` // a tier, e.g. "gold"
	Status        string   `json:"status,omitempty"`
	Balance       *float64 `json:"balance,omitempty"`
	Currency      string   `json:"currency,omitempty"` // ISO 4217
	SocialID      string   `json:"socialId,omitempty"` // the handle on the channel
	IMEI          string   `json:"imei,omitempty"`
	UserName      string   `json:"userName,omitempty"`
	CompanySize   int      `json:"companySize,omitempty"`
	CompanyBranch string   `json:"companyBranch,omitempty"`
	AccountName   string   `json:"accountName,omitempty"`
	Role          string   `json:"role,omitempty"`
	LastPayment   Date     `json:"lastPayment,omitzero"`
	Registration  Date     `json:"registration,omitzero"`
	LoginStatus   string   `json:"loginStatus,omitempty"`
	StoreZIP      string   `json:"storeZip,omitempty"`
	StoreNumber   string   `json:"storeNumber,omitempty"`
}

// Date is a day of a calendar.
type Date struct {
	Day   int `json:"day,omitempty"`
	Month int `json:"month,omitempty"`
	Year  int `json:"year,omitempty"`
}

// Same says whether two profiles tell the same.
func (p Profile) Same(q Profile) bool { return reflect.DeepEqual(p, q) }

// Empty says that a profile tells nothing.
func (p Profile) Empty() bool { return p.Same(Profile{}) }

// With returns the profile with what q tells laid over it: what q says nothing of
// stays as it is. Lists, dates and ages are replaced as a whole.
func (p Profile) With(q Profile) Profile {
	overlay(reflect.ValueOf(&p).Elem(), reflect.ValueOf(q))
	return p
}

func overlay(to, from reflect.Value) {
	for i := range from.NumField() {
		field := from.Field(i)
		switch {
		case field.IsZero():
		case field.Type() == reflect.TypeFor[Customer]():
			overlay(to.Field(i), field)
		default:
			to.Field(i).Set(field)
		}
	}
}
