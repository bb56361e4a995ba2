package simulator

import (
	"encoding/json"
	"math"
	"slices"
)

// checkProfile checks the body of userprofile.SetUserProfile, in both of its
// shapes: what is known must have the right type, what is not known is let through.
//
// Source: connector-api-send-api-conversation; engagement-attributes-types; for the
// flat shape, the demo application.
func checkProfile(raw json.RawMessage) *reply {
	in, ok := object(raw)
	if !ok {
		return invalid("profile must be an object")
	}
	if bad := firstOf(texts(in, "firstName", "lastName", "nickName", "avatarUrl", "role", "backgndImgUri", "description"), checkPrivate(in["privateData"])); bad != nil {
		return bad
	}
	auth, there := in["authenticatedData"]
	if !there || auth == nil {
		return nil
	}
	data, ok := auth.(map[string]any)
	if !ok {
		return invalid("authenticatedData must be an object")
	}
	sdes, there := data["lp_sdes"]
	if !there {
		return nil
	}
	list, ok := sdes.([]any)
	if !ok {
		return invalid("lp_sdes must be an array")
	}
	for _, entry := range list {
		if bad := checkSDE(entry); bad != nil {
			return bad
		}
	}
	return nil
}

func checkPrivate(v any) *reply {
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return invalid("profile: privateData must be an object")
	}
	if bad := texts(m, "mobileNum", "mail"); bad != nil {
		return bad
	}
	push, there := m["pushNotificationData"]
	if !there || push == nil {
		return nil
	}
	p, ok := push.(map[string]any)
	if !ok {
		return invalid("profile: pushNotificationData must be an object")
	}
	return texts(p, "serviceName", "certName", "token")
}

var (
	phoneTypes = []any{"HOME", "MOBILE", "WORK", "FAX", "MAIN", "HOME_FAX", "WORK_FAX", "PAGER", "OTHER"}
	genders    = []any{"MALE", "FEMALE", "OTHER", 0.0, 1.0, 2.0}
)

func checkSDE(entry any) *reply {
	sde, ok := entry.(map[string]any)
	if !ok {
		return invalid("lp_sdes holds objects")
	}
	switch sde["type"] {
	case "ctmrinfo":
		info, ok := sde["info"].(map[string]any)
		if !ok {
			return invalid("ctmrinfo needs info")
		}
		return checkCustomer(info)
	case "personal":
		personal, ok := sde["personal"].(map[string]any)
		if !ok {
			return invalid("personal needs personal")
		}
		return checkPerson(personal)
	}
	return invalid("only ctmrinfo and personal are supported in lp_sdes")
}

func checkCustomer(info map[string]any) *reply {
	if v, there := info["balance"]; there {
		if _, ok := v.(float64); !ok {
			return invalid("profile: balance must be a number")
		}
	}
	return firstOf(
		texts(info, "cstatus", "ctype", "customerId", "currency", "socialId", "imei", "userName", "companyBranch", "accountName", "role", "loginStatus",
			"storeZipCode", "storeNumber"),
		wholes(info, "companySize", 0, math.MaxInt32),
		checkDate(info, "lastPaymentDate"),
		checkDate(info, "registrationDate"),
	)
}

func checkPerson(p map[string]any) *reply {
	if g, there := p["gender"]; there && !slices.Contains(genders, g) {
		return invalid("profile: gender must be MALE, FEMALE or OTHER")
	}
	if v, there := p["age"]; there {
		age, ok := v.(map[string]any)
		if !ok {
			return invalid("profile: age must be an object")
		}
		if bad := firstOf(wholes(age, "age", 0, 200), wholes(age, "year", 1, 9999), wholes(age, "month", 1, 12), wholes(age, "day", 1, 31)); bad != nil {
			return bad
		}
	}
	return firstOf(texts(p, "firstname", "lastname", "language", "company"), checkContacts(p["contacts"]))
}

func checkDate(m map[string]any, name string) *reply {
	v, there := m[name]
	if !there {
		return nil
	}
	date, ok := v.(map[string]any)
	if !ok {
		return invalid("profile: " + name + " must be an object")
	}
	return firstOf(wholes(date, "day", 1, 31), wholes(date, "month", 1, 12), wholes(date, "year", 1, 9999))
}

func checkContacts(v any) *reply {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return invalid("contacts must be an array")
	}
	for _, entry := range list {
		contact, ok := entry.(map[string]any)
		if !ok {
			return invalid("contacts holds objects")
		}
		if bad := texts(contact, "email", "phone", "phoneType"); bad != nil {
			return bad
		}
		if kind, there := contact["phoneType"]; there && !slices.Contains(phoneTypes, kind) {
			return invalid("unknown phoneType")
		}
		if address, there := contact["address"]; there {
			m, ok := address.(map[string]any)
			if !ok {
				return invalid("profile: address must be an object")
			}
			if bad := texts(m, "country", "region"); bad != nil {
				return bad
			}
		}
	}
	return nil
}

// texts says when a member that must be text is something else.
func texts(m map[string]any, names ...string) *reply {
	for _, name := range names {
		if v, there := m[name]; there {
			if _, isText := v.(string); !isText {
				return invalid("profile: " + name + " must be text")
			}
		}
	}
	return nil
}

// wholes says when a member that must be a whole number is something else.
func wholes(m map[string]any, name string, least, most float64) *reply {
	v, there := m[name]
	if !there {
		return nil
	}
	n, ok := v.(float64)
	if !ok || n != math.Trunc(n) || n < least || n > most {
		return invalid("profile: " + name + " must be a whole number that can be one")
	}
	return nil
}

// merged lays a profile over an earlier one. A data element replaces the one of its
// type; members of the flat shape replace those of their name. How LivePerson merges
// is not documented.
func merged(before, next json.RawMessage) json.RawMessage {
	old, ok := object(before)
	if !ok {
		return next
	}
	in, ok := object(next)
	if !ok {
		return before
	}
	for name, v := range in {
		if name != "authenticatedData" {
			old[name] = v
		}
	}
	if list := append(elements(old), elements(in)...); len(list) > 0 {
		latest := []any{}
		for i, sde := range list {
			kind := sde.(map[string]any)["type"]
			later := slices.ContainsFunc(list[i+1:], func(v any) bool { return v.(map[string]any)["type"] == kind })
			if !later {
				latest = append(latest, sde)
			}
		}
		old["authenticatedData"] = map[string]any{"lp_sdes": latest}
	}
	return marshal(old)
}

// elements are the data elements of a profile that was checked.
func elements(profile map[string]any) []any {
	data, _ := profile["authenticatedData"].(map[string]any)
	list, _ := data["lp_sdes"].([]any)
	return slices.Clone(list)
}
