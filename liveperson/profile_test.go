package liveperson_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"parley/liveperson"
)

// All that the cloud takes of a consumer, and nothing for what is not known.
func TestTheWholeProfile(t *testing.T) {
	t.Parallel()
	balance, nothing := -12.5, 0.0
	for name, c := range map[string]struct {
		profile liveperson.Profile
		want    string
	}{
		"nothing": {liveperson.Profile{}, `{}`},
		"everything": {
			liveperson.Profile{
				Name: "not used", FirstName: "Mira", LastName: "Kahn", Phone: "+15550100200", Email: "mira@example.org", Language: "de-CH", Gender: "OTHER", Company: "Acme",
				Age:      liveperson.Age{Age: 36, Year: 1990, Month: 2, Day: 28},
				Contacts: []liveperson.Contact{{Email: "work@example.org", Phone: "+15550100201", PhoneType: "WORK", Country: "CH", Region: "ZH"}, {}, {Region: "BE"}},
				Customer: liveperson.Customer{
					ID: "C-77120", Type: "gold", Status: "active", Balance: &balance, Currency: "CHF", SocialID: "tg_998877", IMEI: "35-209900-176148-1", UserName: "mira.k",
					CompanySize: 500, CompanyBranch: "north", AccountName: "acme", Role: "broker", LastPayment: liveperson.Date{Day: 15, Month: 10, Year: 2025},
					Registration: liveperson.Date{Day: 1, Month: 1, Year: 2020}, LoginStatus: "in", StoreZIP: "8001", StoreNumber: "7",
				},
			},
			`{"authenticatedData":{"lp_sdes":[
				{"type":"ctmrinfo","info":{"customerId":"C-77120","ctype":"gold","cstatus":"active","balance":-12.5,"currency":"CHF","socialId":"tg_998877",
					"imei":"35-209900-176148-1","userName":"mira.k","companySize":500,"companyBranch":"north","accountName":"acme","role":"broker",
					"lastPaymentDate":{"day":15,"month":10,"year":2025},"registrationDate":{"day":1,"month":1,"year":2020},"loginStatus":"in","storeZipCode":"8001","storeNumber":"7"}},
				{"type":"personal","personal":{"firstname":"Mira","lastname":"Kahn","age":{"age":36,"year":1990,"month":2,"day":28},"gender":"OTHER","language":"de-CH","company":"Acme",
					"contacts":[{"email":"mira@example.org","phone":"+15550100200","phoneType":"MOBILE"},
						{"email":"work@example.org","phone":"+15550100201","phoneType":"WORK","address":{"country":"CH","region":"ZH"}},{"address":{"region":"BE"}}]}}]}}`,
		},
		"a name in one": {
			liveperson.Profile{Name: " Mira  Kahn Meier "},
			`{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"firstname":"Mira","lastname":"Kahn Meier"}}]}}`,
		},
		"a last name": {
			liveperson.Profile{Name: "M. Kahn", LastName: "Kahn"},
			`{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"lastname":"Kahn"}}]}}`,
		},
		"an address without a number": {
			liveperson.Profile{Email: "mira@example.org"},
			`{"authenticatedData":{"lp_sdes":[{"type":"personal","personal":{"contacts":[{"email":"mira@example.org"}]}}]}}`,
		},
		"a balance of nothing is known": {
			liveperson.Profile{Customer: liveperson.Customer{Balance: &nothing}},
			`{"authenticatedData":{"lp_sdes":[{"type":"ctmrinfo","info":{"balance":0}}]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := newCloud(t)
			client := cloud.client()
			require.NoError(t, client.SetProfile(t.Context(), liveperson.SetProfile{Consumer: "a", Profile: c.profile}))
			var sent wire
			require.NoError(t, json.Unmarshal([]byte(cloud.body(send)), &sent))
			require.Equal(t, "userprofile.SetUserProfile", sent.Type)
			shown, err := json.Marshal(sent.Body)
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(shown))

			_, err = client.Open(t.Context(), liveperson.Open{Consumer: "a", Profile: c.profile})
			require.NoError(t, err)
			var batch []wire
			require.NoError(t, json.Unmarshal([]byte(cloud.body(open)), &batch))
			require.Equal(t, sent.Body, batch[0].Body, "it is told the same way when a conversation opens")
		})
	}
}
