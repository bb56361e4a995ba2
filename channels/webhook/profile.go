package webhook

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"parley/channels"
	"parley/message"
)

// Bounds on what is told about a consumer: it rides along with every message.
const (
	maxWord     = 256 // characters
	maxContacts = 16
)

// participant is the consumer. The message does not depend on what else is told:
// of a profile, what is not of the form it should have is left out.
type participant struct {
	ID      name
	Profile profile
}

func (p *participant) UnmarshalJSON(b []byte) error {
	var who struct {
		ID name `json:"id"`
	}
	if err := json.Unmarshal(b, &who); err != nil {
		return err
	}
	p.ID, p.Profile = who.ID, profile{}
	_ = json.Unmarshal(b, &p.Profile) // goes on after what does not fit
	return nil
}

// profile is message.Profile as it comes.
type profile struct {
	DisplayName word      `json:"displayName"`
	FirstName   word      `json:"firstName"`
	LastName    word      `json:"lastName"`
	Phone       word      `json:"phone"`
	Email       word      `json:"email"`
	Language    word      `json:"language"`
	Gender      word      `json:"gender"`
	Company     word      `json:"company"`
	Age         age       `json:"age"`
	Contacts    []contact `json:"contacts"`
	Customer    customer  `json:"customer"`
}

type contact struct {
	Email     word `json:"email"`
	Phone     word `json:"phone"`
	PhoneType word `json:"phoneType"`
	Country   word `json:"country"`
	Region    word `json:"region"`
}

type customer struct {
	ID            word `json:"id"`
	Type          word `json:"type"`
	Status        word `json:"status"`
	Balance       word `json:"balance"`
	Currency      word `json:"currency"`
	SocialID      word `json:"socialId"`
	IMEI          word `json:"imei"`
	UserName      word `json:"userName"`
	CompanySize   word `json:"companySize"`
	CompanyBranch word `json:"companyBranch"`
	AccountName   word `json:"accountName"`
	Role          word `json:"role"`
	LastPayment   date `json:"lastPayment"`
	Registration  date `json:"registration"`
	LoginStatus   word `json:"loginStatus"`
	StoreZIP      word `json:"storeZip"`
	StoreNumber   word `json:"storeNumber"`
}

func (p *profile) profile() message.Profile {
	all := message.Profile{
		Name: string(p.DisplayName), FirstName: string(p.FirstName), LastName: string(p.LastName), Phone: string(p.Phone), Email: string(p.Email),
		Language: string(p.Language), Gender: p.Gender.gender(), Company: string(p.Company), Age: message.Age(p.Age), Customer: p.Customer.customer(),
	}
	for _, c := range p.Contacts[:min(len(p.Contacts), maxContacts)] {
		one := message.Contact{
			Email: string(c.Email), Phone: string(c.Phone), PhoneType: strings.ToUpper(string(c.PhoneType)), Country: string(c.Country), Region: string(c.Region),
		}
		if one != (message.Contact{}) {
			all.Contacts = append(all.Contacts, one)
		}
	}
	return all
}

func (c *customer) customer() message.Customer {
	return message.Customer{
		ID: string(c.ID), Type: string(c.Type), Status: string(c.Status), Balance: c.Balance.amount(), Currency: string(c.Currency),
		SocialID: string(c.SocialID), IMEI: string(c.IMEI), UserName: string(c.UserName),
		CompanySize: c.CompanySize.count(), CompanyBranch: string(c.CompanyBranch), AccountName: string(c.AccountName), Role: string(c.Role),
		LastPayment: message.Date(c.LastPayment), Registration: message.Date(c.Registration),
		LoginStatus: string(c.LoginStatus), StoreZIP: string(c.StoreZIP), StoreNumber: string(c.StoreNumber),
	}
}

// word is a short text, or a number as it is written. Anything else is no word.
type word string

func (w *word) UnmarshalJSON(b []byte) error {
	var n name
	if n.UnmarshalJSON(b) != nil {
		return nil
	}
	s := strings.TrimSpace(channels.Clean(string(n)))
	if runes := []rune(s); len(runes) > maxWord {
		s = strings.TrimSpace(string(runes[:maxWord]))
	}
	*w = word(s)
	return nil
}

func (w word) gender() string {
	switch g := strings.ToUpper(string(w)); g {
	case "MALE", "FEMALE", "OTHER":
		return g
	case "M":
		return "MALE"
	case "F":
		return "FEMALE"
	default:
		return ""
	}
}

func (w word) amount() *float64 {
	f, err := strconv.ParseFloat(string(w), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

func (w word) count() int {
	n, _ := strconv.Atoi(string(w))
	return max(n, 0)
}

// maxYears is the most years believed of an age.
const maxYears = 150

// age is {"age", "year", "month", "day"}, or the number of years alone.
type age message.Age

func (a *age) UnmarshalJSON(b []byte) error {
	var whole word
	_ = whole.UnmarshalJSON(b) // an object leaves it empty
	var parts struct {
		Age word `json:"age"`
	}
	_ = json.Unmarshal(b, &parts)
	var born date
	_ = born.UnmarshalJSON(b)
	years := max(whole.count(), parts.Age.count())
	if years > maxYears {
		years = 0
	}
	*a = age{Age: years, Year: born.Year, Month: born.Month, Day: born.Day}
	return nil
}

// date is {"day", "month", "year"} or "2026-11-20".
type date message.Date

func (d *date) UnmarshalJSON(b []byte) error {
	var text word
	_ = text.UnmarshalJSON(b) // an object leaves it empty
	if t, err := time.Parse(time.DateOnly, string(text)); err == nil {
		*d = date{Day: t.Day(), Month: int(t.Month()), Year: t.Year()}
		return nil
	}
	var parts struct {
		Day   word `json:"day"`
		Month word `json:"month"`
		Year  word `json:"year"`
	}
	_ = json.Unmarshal(b, &parts)
	all := date{Day: parts.Day.count(), Month: parts.Month.count(), Year: parts.Year.count()}
	if all.Day <= 31 && all.Month <= 12 && all.Year <= 9999 {
		*d = all
	}
	return nil
}
