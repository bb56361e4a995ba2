package simulator

import (
	"fmt"
	"maps"
)

// metadataList is what rides on a click, and comes back with it.
func metadataList(v any, path string) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%s: must be an array", path)
	}
	if _, reason, _ := checkMetadata(marshal(list)); reason != "" {
		return fmt.Errorf("%s: %s", path, reason)
	}
	return nil
}

// visible are the members of what is seen by itself.
func visible() shape {
	return framed().with(shape{"tag": word(64), "tagVersion": word(64), "rtl": yesNo, "style": style(), "accessibility": accessibility})
}

// framed are the members of what only holds others.
func framed() shape { return shape{"type": word(64), "tooltip": word(256), "alt": word(2000)} }

// slides are the members of what shows one card at a time.
func slides() shape {
	return framed().with(shape{"padding": within(0, 10), "display": display(), "style": style(), "accessibility": accessibility})
}

// accessibility holds attributes for screen readers, whatever their names.
func accessibility(v any, path string) error {
	return shape{"web": func(v any, path string) error {
		if _, ok := v.(map[string]any); !ok {
			return fmt.Errorf("%s: must be an object", path)
		}
		return nil
	}}.need()(v, path)
}

func style() check {
	s := shape{
		"bold": yesNo, "italic": yesNo, "size": among("small", "medium", "large"), "font-family": word(256), "border-radius": numeric,
	}
	for _, colour := range []string{
		"color", "color-hover", "color-active", "background-color", "background-color-hover", "background-color-active",
		"border-color", "border-color-hover", "border-color-selected", "fill",
	} {
		s[colour] = word(256)
	}
	return s.need()
}

func display() check {
	return shape{
		"aspectRatio": among("rectangle", "square", "horizontal"), "size": among("cover", "contain", "large", "compact", "tall", "full"),
	}.need()
}

// click is what an element does.
func click(v any, path string) error {
	return shape{"actions": listOf(0, 4, anyOf(actions)), "metadata": metadataList}.need()(v, path)
}

func actions() map[string]check {
	place := shape{"uri": word(1024)}.need("uri")
	pair := shape{"key": word(128), "value": word(2048)}.need("key", "value")
	item := shape{"productId": word(256), "quantity": numeric}.need("productId", "quantity")
	slot := shape{
		"type": among("scheduleSlot"), "id": word(256), "start": whole, "end": whole, "title": word(40), "description": word(40), "imageUrl": secureURL(1024),
	}.need("type", "id", "start")
	kind := shape{"type": word(64)}
	return map[string]check{
		"publishText": kind.with(shape{"text": word(256)}).need("text"),
		"link": kind.with(shape{
			"uri": word(1024), "name": word(256), "ios": place, "android": place, "web": place, "target": among("self", "blank", "slideout"),
			"accessibility": accessibility,
		}).need("uri"),
		"navigate":  kind.with(shape{"la": numeric, "lo": numeric, "name": word(256)}).need("la", "lo"),
		"addToCart": kind.with(shape{"items": listOf(0, 10, item)}).need("items"),
		"custom":    kind.with(shape{"data": listOf(0, 10, pair)}).need(),
		"datePicker": kind.with(shape{
			"class": among("single", "range"), "title": word(40), "minDate": whole, "maxDate": whole, "dateFormat": word(100),
		}).need("class"),
		"scheduleSlotList": kind.with(shape{"title": word(40), "slots": listOf(0, 256, slot), "firstDayOfTheWeek": among("sun", "mon")}).need(),
	}
}

// action is a click that must have one action of its own kind.
func action(kind string, members shape, names ...string) check {
	own := only(kind, members.with(shape{"type": word(64), "accessibility": accessibility}).need(names...))
	return shape{"actions": listOf(1, 4, own), "metadata": metadataList}.need("actions")
}

// basics are the elements that hold no others.
func basics() map[string]check {
	ref := shape{"name": word(200), "type": among("carouselSelect", "accordionSelect")}.need("name", "type")
	pair := shape{"key": word(128), "value": word(2048)}.need("key", "value")
	c := visible()
	return map[string]check{
		"text": c.with(shape{"text": word(5000), "click": click}).need("text"),
		"button": c.with(shape{
			"title": word(128), "subtitle": word(128), "class": among("text", "button"), "ref": ref, "click": click,
		}).need("title"),
		"image":            c.with(shape{"url": secureURL(2048), "caption": word(128), "click": click}).need("url"),
		"map":              c.with(shape{"la": numeric, "lo": numeric, "click": click}).need("la", "lo"),
		"linkPreview":      c.with(shape{"url": word(2048), "title": word(128), "click": click}).need("url"),
		"keyValuePairList": shape{"type": word(64), "elements": listOf(1, 50, pair)}.need("elements"),
		"template": c.with(shape{
			"templateType": among("quickReply"), "title": word(5000), "resp": listOf(1, 32, word(128)), "click": click,
		}).need("templateType", "title", "resp"),
	}
}

// cards are basics, and the two boxes around them.
func cards() map[string]check {
	box := shape{
		"type": word(64), "tag": word(64), "tagVersion": word(64), "alt": word(2000), "accessibility": accessibility, "metadata": metadataList,
		"elements": inside, "border": among("border", "borderLess", "dropShadow"),
	}
	all := basics()
	all["vertical"] = box.with(shape{"scroll": among("disable", "enable"), "display": display(), "style": style()}).need("elements")
	all["horizontal"] = box.with(shape{"percentages": listOf(0, 256, numeric), "borderLine": yesNo}).need("elements")
	return all
}

// inside is what a box holds: anything that can stand alone, boxes included.
func inside(v any, path string) error { return listOf(0, 256, anyOf(roots))(v, path) }

// roots are what structured content can be.
func roots() map[string]check {
	c := slides()
	card := anyOf(cards)
	name := word(200)
	all := maps.Clone(cards())
	all["carousel"] = c.with(shape{"elements": listOf(2, 10, card)}).need("elements")
	all["carouselSelect"] = c.with(shape{
		"elements":   listOf(1, 20, card),
		"selectMode": shape{"name": name, "type": among("single", "multiple")}.need("name", "type"),
	}).need("elements", "selectMode")
	all["accordionSelect"] = c.with(shape{
		"elements": listOf(1, 20, card), "selectMode": shape{"name": name, "type": among("single", "multiple")}.need("name"),
		"titles": listOf(1, 20, shape{"name": name, "additional": name}.need("name")),
	}).need("elements", "selectMode", "titles")
	all["tabs"] = shape{"type": word(64), "style": style(), "elements": listOf(1, 10, card)}.need("elements")
	all["list"] = framed().with(shape{"elements": tuple(3, only("text", basics()["text"]), sections(), buttons())}).need("elements")
	return all
}

// sections are the middle of a list: sections of checklists.
func sections() check {
	c, padding := framed(), within(0, 10)
	box := visible().with(shape{
		"text": word(5000), "borderLine": yesNo, "borderColor": word(256), "click": action("checked", shape{"publishText": word(250)}, "publishText"),
	})
	delete(box, "alt")
	checklist := only("checklist", c.with(shape{"elements": listOf(2, 256, only("checkbox", box.need("text", "click"))), "padding": padding}).need("elements"))
	elements := func(v any, path string) error {
		if list, ok := v.([]any); ok && len(list) == 2 {
			return tuple(2, only("text", basics()["text"]), checklist)(v, path)
		}
		return tuple(1, checklist)(v, path)
	}
	section := c.with(shape{"sectionID": word(256), "padding": padding, "accessibility": accessibility, "elements": elements}).need("elements", "sectionID")
	return only("sectionList", c.with(shape{"elements": listOf(1, 256, only("section", section))}).need("elements"))
}

// buttons are the end of a list: one that submits, and one more.
func buttons() check {
	submit := only("submitButton", visible().with(shape{
		"title": word(128), "disabled": yesNo, "click": action("submitAsText", shape{"submit": yesNo}, "submit"),
	}).need("title", "click"))
	return only("buttonList", framed().with(shape{
		"elements": tuple(1, submit, only("button", basics()["button"])), "padding": within(0, 10),
	}).need("elements"))
}

// quickReplies are the chips below a message. A title of more than 25 characters is
// shown cut, not refused.
func quickReplies(v any, path string) error {
	reply := only("button", shape{"type": word(64), "title": word(128), "tooltip": word(256), "style": style(), "click": click}.need("title"))
	return only("quickReplies", shape{
		"type": word(64), "itemsPerRow": within(1, 8), "replies": listOf(1, 24, reply),
	}.need("itemsPerRow", "replies"))(v, path)
}
