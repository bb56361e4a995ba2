package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"parley/simulator"
)

// picture is a small picture that no other test sends.
func picture(t testing.TB, kind string) []byte {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, 320, 200), color.Palette{color.White, color.Black, color.RGBA{R: 200, A: 255}})
	for i, c := range []byte(random(400)) {
		img.Pix[i*79%len(img.Pix)] = c % 3
	}
	var b bytes.Buffer
	switch kind {
	case "PNG":
		require.NoError(t, png.Encode(&b, img))
	case "JPG":
		require.NoError(t, jpeg.Encode(&b, img, nil))
	case "GIF":
		require.NoError(t, gif.Encode(&b, img, nil))
	}
	return b.Bytes()
}

// shows has a consumer send files, with or without a text.
func (p *phone) shows(text string, files ...map[string]any) {
	p.s.t.Helper()
	var out posted
	in := map[string]any{"text": text, "attachments": files}
	if p.web() {
		in["name"] = p.name
	}
	p.s.must(http.MethodPost, p.path("/text"), in, &out)
	require.Equal(p.s.t, 2, out.Status/100, "%+v", out)
}

func attached(name string, data []byte) map[string]any {
	return map[string]any{"name": name, "data": data}
}

// file waits for the n-th file of a role in a conversation.
func (s *stack) file(conversation, role string, n int) (e simulator.EventView) {
	s.t.Helper()
	s.until(conversation, "a file is in the cloud", func(d simulator.DetailView) bool {
		for i, left := 0, n; i < len(d.Transcript); i++ {
			if e = d.Transcript[i]; e.Role == role && e.File != nil {
				if left--; left == 0 {
					return true
				}
			}
		}
		return false
	})
	return e
}

// sum is the check sum of the n-th file that a phone has sent.
func (p *phone) sum(n int) (sum string) {
	p.s.t.Helper()
	for _, m := range p.view().Thread {
		for _, f := range m.Media {
			if n--; m.Direction == "in" && n == 0 {
				sum = f.Sum
			}
		}
	}
	require.NotEmpty(p.s.t, sum)
	return sum
}

func TestRow_SendImageOrFile(t *testing.T) {
	s := row(t)
	for _, channel := range []string{"web", "sms"} {
		for _, kind := range []string{"PNG", "JPG", "GIF"} {
			t.Run(channel+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := s.as(t)
				p := s.newPhone(channel)
				data := picture(t, kind)
				text := "Here is the damage of " + p.name
				p.shows(text, attached("damage."+strings.ToLower(kind), data))
				id := p.conversation(1)
				e := s.file(id, "CONSUMER", 1)
				assert.Equal(t, p.sum(1), e.File.Sum, "every byte of it")

				var types []any
				var published, asked tree
				for _, m := range append(s.sent(id), s.uploads(len(data))...) {
					types = append(types, m["type"])
					switch {
					case m.at("body.event.contentType") == "hosted/file":
						published = m
					case m["type"] == "ms.GenerateURLForUploadFile":
						asked = m
					}
				}
				require.NotNil(t, asked, "%v", types)
				assert.Equal(t, map[string]any{"fileSize": strconv.Itoa(len(data)), "fileType": kind}, asked["body"])
				require.NotNil(t, published, "%v", types)
				assert.Equal(t, kind, published.at("body.event.message.fileType"))
				assert.Equal(t, e.File.Path, published.at("body.event.message.relativePath"))
				assert.True(t, strings.HasPrefix(e.File.Path, "/v1/"), "as the cloud gave it")
				assertPreview(t, published.at("body.event.message.preview"))
				assert.Equal(t, "ExternalId", published["metadata"].([]any)[0].(map[string]any)["type"])
				for _, w := range s.calls("swift", func(w simulator.Wire) bool { return w.Path == e.File.Path }) {
					assert.Equal(t, http.MethodPut, w.Method)
					assert.Empty(t, w.Request.Headers["Authorization"], "the store asks for none")
				}
				d, err := s.detail(id)
				require.NoError(t, err)
				assert.Equal(t, text, said(d)[0], "the text comes before the file")
				assert.Equal(t, 1, d.Counters.Files)
			})
		}
	}
}

// said are the consumer's events in one conversation, files by their captions.
func said(d simulator.DetailView) []string { return transcript(d, d.ID, "CONSUMER") }

// uploads are the requests for a place for a file of so many bytes.
func (s *stack) uploads(size int) (all []tree) {
	for _, w := range s.calls("send", about(fmt.Sprintf(`"fileSize":"%d"`, size))) {
		s.announces(w)
		all = append(all, parsed(s.t, w.Request.Body))
	}
	return all
}

func assertPreview(t testing.TB, preview any) {
	t.Helper()
	text, _ := preview.(string)
	assert.Less(t, len(text), 30_000)
	head, data, ok := strings.Cut(text, ";base64,")
	require.True(t, ok && strings.HasPrefix(head, "data:image/"), "%.40s", text)
	b, err := base64.StdEncoding.DecodeString(data)
	require.NoError(t, err)
	_, _, err = image.Decode(bytes.NewReader(b))
	assert.NoError(t, err, "it can be shown")
}

// Of a large picture, too, agents see a small preview.
func TestRow_SendImageWithSmallPreview(t *testing.T) {
	s := row(t)
	p, id := s.opened("web")
	p.shows("", map[string]any{"name": "large.png", "generate": 2 << 20})
	e := s.file(id, "CONSUMER", 1)
	assert.Equal(t, p.sum(1), e.File.Sum)
	assert.Greater(t, e.File.Size, int64(1<<20))
	assertPreview(t, tree(parsed(t, string(e.Event))).at("message.preview"))
}

// A file that cannot go is told of in words, to both sides, and takes nothing of
// what is around it along.
func TestRow_SendFileThatCannotGo(t *testing.T) {
	s := row(t)
	for _, c := range []struct {
		what, line, reason string
		file               map[string]any
	}{
		{"too large", "it is too large", "it is too large", map[string]any{"name": "huge.png", "generate": 4 << 20}},
		{"of the wrong type", "files of this type are not accepted", "files of this type are not accepted", attached("program.exe", []byte("MZ\x90\x00 this is a program "+random(8)))},
		{"of a type it only pretends to be", "files of this type are not accepted", "files of this type are not accepted", map[string]any{"name": "not.png", "mime": "image/png", "data": []byte("<html>" + random(8))}},
		{"that is nowhere", "it could not be read", "it could not be fetched", map[string]any{"name": "none.png", "mime": "image/png", "url": s.far + "/provider/files/none"}},
		{"inside our own network", "", "it could not be fetched", map[string]any{"name": "inside.png", "mime": "image/png", "url": "http://" + s.apis[0].ops + "/metrics"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := s.as(t)
			p, id := s.opened("web")
			p.shows("What is before it", c.file)
			p.says("What is behind it")
			s.onDesk(id, "What is behind it")
			d, err := s.detail(id)
			require.NoError(t, err)
			texts := said(d)[1:]
			require.Len(t, texts, 3)
			assert.Equal(t, []string{"What is before it", "What is behind it"}, []string{texts[0], texts[2]})
			assert.Contains(t, texts[1], "could not be passed on: "+c.reason, "the agent knows")
			assert.Zero(t, d.Counters.Files)
			if c.line != "" {
				p.gets("the consumer knows", saying("could not be passed on: "+c.line))
			}
		})
	}
}

// agentFile is a file of the agent's.
func (s *stack) agentFile(conversation, name string, data []byte) {
	s.t.Helper()
	s.agent(conversation, "file", map[string]any{"name": name, "caption": "caption of " + name, "data": data})
}

func TestRow_ReceiveAgentFile(t *testing.T) {
	s := row(t)
	pdf := append([]byte("%PDF-1.4\n"), random(2000)...)
	for _, c := range []struct {
		channel, name string
		data          []byte
		link          bool // the channel cannot carry it
	}{
		{"web", "invoice.pdf", pdf, false},
		{"web", "photo.png", picture(t, "PNG"), false},
		{"sms", "photo.jpg", picture(t, "JPG"), false},
		{"sms", "invoice.pdf", pdf, true},
		{"sms-two", "photo.gif", picture(t, "GIF"), true},
	} {
		t.Run(c.channel+" "+c.name, func(t *testing.T) {
			t.Parallel()
			s := s.as(t)
			p, id := s.opened(c.channel)
			require.NoError(t, p.tell(id, "Here it is:"))
			s.agentFile(id, c.name, c.data)
			require.NoError(t, p.tell(id, "That was it."))
			p.gets("what follows is on the phone", saying("That was it."))
			var got []simulator.PhoneMessage
			for _, m := range p.view().Thread {
				if m.Direction == "out" {
					got = append(got, m)
				}
			}
			require.Len(t, got, 3)
			assert.Equal(t, []string{"Here it is:", "That was it."}, []string{got[0].Text, got[2].Text}, "in the order of the agent's")
			assert.Contains(t, got[1].Text, "caption of "+c.name)
			e := s.file(id, "ASSIGNED_AGENT", 1)
			if c.link {
				s.linked(got[1].Text, c.data)
			} else {
				m := p.gets("the file is on the phone", func(m simulator.PhoneMessage) bool { return len(m.Media) > 0 && m.Media[0].Sum != "" })
				assert.Equal(t, e.File.Sum, m.Media[0].Sum, "every byte of it")
				assert.True(t, strings.HasPrefix(m.Media[0].URL, s.env["PARLEY_PUBLIC_URL"]+"/files/"), "where we hand it out")
			}
			asked := s.calls("send", about(`"relativePath":"`+e.File.Path+`"`))
			require.Len(t, asked, 1)
			m := parsed(t, asked[0].Request.Body)
			assert.Equal(t, "ms.GenerateURLForDownloadFile", m["type"])
			assert.Equal(t, map[string]any{"relativePath": e.File.Path}, m["body"])
			s.until(id, "the file is reported as delivered", func(d simulator.DetailView) bool { return marked(d, e.Sequence, accepted) })
		})
	}
}

// linked fetches the file that a text leads to, as a consumer's browser does.
func (s *stack) linked(text string, data []byte) {
	s.t.Helper()
	_, path, ok := strings.Cut(text, ": "+s.env["PARLEY_PUBLIC_URL"])
	require.True(s.t, ok, text)
	response, err := s.http.Get("http://" + s.apis[0].public + path)
	require.NoError(s.t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	assert.Equal(s.t, http.StatusOK, response.StatusCode)
	assert.True(s.t, bytes.Equal(data, b), "every byte of it")
	assert.Equal(s.t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	status, _, err := s.get("http://" + s.apis[0].public + "/files/guessed")
	require.NoError(s.t, err)
	assert.Equal(s.t, http.StatusNotFound, status)
}

// marked looks at the mark of the event with a sequence.
func marked(d simulator.DetailView, sequence int, mark func(simulator.EventView) bool) bool {
	for _, e := range d.Transcript {
		if e.Dialog == d.ID && e.Sequence == sequence {
			return mark(e)
		}
	}
	return false
}

// An address of the store is good for a minute. Where it does not serve any more,
// another is asked for.
func TestRow_FileAddressHasExpired(t *testing.T) {
	s := strained(t)
	p, id := s.opened("web")
	for i, do := range []func(){
		func() { p.shows("", attached("late.png", picture(t, "PNG"))); s.file(id, "CONSUMER", 1) },
		func() {
			s.agentFile(id, "late.png", picture(t, "PNG"))
			p.gets("the file is on the phone", func(m simulator.PhoneMessage) bool { return len(m.Media) > 0 && m.Media[0].Sum != "" })
		},
	} {
		s.fault(rules(simulator.Rule{Class: "swift", Do: "expire", Count: 1}))
		do()
		assert.Equal(t, 1, s.hits())
		kind := []string{"ms.GenerateURLForUploadFile", "ms.GenerateURLForDownloadFile"}[i]
		asked := s.calls("send", func(w simulator.Wire) bool {
			return strings.Contains(w.Request.Body, kind) && w.Account == "main"
		})
		assert.Len(t, asked, 2, kind)
		var statuses []int
		for _, w := range s.calls("swift", func(simulator.Wire) bool { return true })[2*i:] {
			statuses = append(statuses, w.Status)
		}
		assert.Equal(t, []int{http.StatusUnauthorized, []int{http.StatusCreated, http.StatusOK}[i]}, statuses)
	}
}
