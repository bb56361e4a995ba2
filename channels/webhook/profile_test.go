package webhook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"parley/message"
)

// told is the profile of an event whose participant tells the given fields.
func told(t *testing.T, fields string) message.Profile {
	t.Helper()
	got := receive(t, batch(`{"id":"1","type":"message","conversation":{"participant":{"id":"u-42",`+fields+`}},"message":{"text":"Hello"}}`))
	require.Len(t, got.Events, 1, "a message does not depend on what else is told")
	require.Empty(t, got.Dead)
	return got.Events[0].Profile
}

const everything = `"displayName":"Ada Lovelace","firstName":"Ada","lastName":"Lovelace","phone":"+15550100200","email":"ada@example.test",
	"language":"de-CH","gender":"female","company":"Engines","age":{"age":36,"year":1990,"month":12,"day":10},
	"contacts":[{"email":"a@b.test","phone":"+41","phoneType":"mobile","country":"CH","region":"ZH"},{}],
	"customer":{"id":"C-1","type":"gold","status":"active","balance":-12.5,"currency":"CHF","socialId":"@ada","imei":"49","userName":"ada",
	"companySize":250,"companyBranch":"Zug","accountName":"A","role":"buyer","lastPayment":{"day":1,"month":2,"year":2026},
	"registration":"2019-05-17","loginStatus":"in","storeZip":"8001","storeNumber":"7"}`

func whole() message.Profile {
	balance := -12.5
	return message.Profile{
		Name: "Ada Lovelace", FirstName: "Ada", LastName: "Lovelace", Phone: "+15550100200", Email: "ada@example.test",
		Language: "de-CH", Gender: "FEMALE", Company: "Engines", Age: message.Age{Age: 36, Year: 1990, Month: 12, Day: 10},
		Contacts: []message.Contact{{Email: "a@b.test", Phone: "+41", PhoneType: "MOBILE", Country: "CH", Region: "ZH"}},
		Customer: message.Customer{
			ID: "C-1", Type: "gold", Status: "active", Balance: &balance, Currency: "CHF", SocialID: "@ada", IMEI: "49", UserName: "ada",
			CompanySize: 250, CompanyBranch: "Zug", AccountName: "A", Role: "buyer", LastPayment: message.Date{Day: 1, Month: 2, Year: 2026},
			Registration: message.Date{Day: 17, Month: 5, Year: 2019}, LoginStatus: "in", StoreZIP: "8001", StoreNumber: "7",
		},
	}
}

func TestTheWholeProfile(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(whole(), told(t, everything)); diff != "" {
		t.Error(diff)
	}
}

func TestAChangedProfile(t *testing.T) {
	t.Parallel()
	got := receive(t, batch(`{"id":"1","type":"profile","conversation":{"id":"c-77","participant":{"id":"u-42",`+everything+`}}}`))
	require.Len(t, got.Events, 1)
	in := got.Events[0]
	require.Equal(t, message.Known, in.Kind)
	require.Equal(t, "c-77", in.Reply)
	if diff := cmp.Diff(whole(), in.Profile); diff != "" {
		t.Error(diff)
	}
}

func TestWhatDoesNotFitIsLeftOut(t *testing.T) {
	t.Parallel()
	ada := message.Profile{Name: "Ada"}
	for _, fields := range []string{
		`"displayName":"Ada","phone":{},"email":[],"language":true,"gender":"blue","company":null`,
		`"displayName":" Ada\u0000 ","age":"old","contacts":"none","customer":"C-1"`,
		`"displayName":"Ada","age":{"age":-1,"year":12345,"month":1},"contacts":[1,null,[],{"email":{}}],"customer":[]`,
		`"displayName":"Ada","age":900,"customer":{"id":{},"balance":"much","companySize":-5,"lastPayment":"soon","registration":{"day":32}}`,
		`"displayName":"Ada","customer":{"balance":1e999,"companySize":1.5,"lastPayment":"2026-02-31","registration":[]}`,
	} {
		if diff := cmp.Diff(ada, told(t, fields)); diff != "" {
			t.Errorf("%s: %s", fields, diff)
		}
	}
}

func TestWhatIsWrittenAnotherWay(t *testing.T) {
	t.Parallel()
	got := told(t, `"phone":15550100200,"gender":"f","age":36,"customer":{"id":7,"balance":"12.50","companySize":"9","registration":{"year":"2019"}}`)
	require.Equal(t, "15550100200", got.Phone)
	require.Equal(t, "FEMALE", got.Gender)
	require.Equal(t, 36, got.Age.Age)
	require.Equal(t, "7", got.Customer.ID)
	require.InDelta(t, 12.5, *got.Customer.Balance, 0)
	require.Equal(t, 9, got.Customer.CompanySize)
	require.Equal(t, 2019, got.Customer.Registration.Year)
	require.Equal(t, "MALE", told(t, `"gender":"M"`).Gender)
}

func TestAProfileIsBounded(t *testing.T) {
	t.Parallel()
	contacts := strings.TrimSuffix(strings.Repeat(`{"email":"a@b.test"},`, 1000), ",")
	got := told(t, fmt.Sprintf(`"displayName":%q,"contacts":[%s]`, strings.Repeat("長", 10_000), contacts))
	require.Equal(t, strings.Repeat("長", maxWord), got.Name)
	require.Len(t, got.Contacts, maxContacts)
}
