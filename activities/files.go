package activities

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"parley/channels"
	"parley/conversation"
	"parley/fault"
	"parley/liveperson"
	"parley/message"
)

// FileRules says which files of consumers an account takes.
type FileRules struct {
	Types []string // JPG, PNG, PDF, …
	Most  int64    // bytes
}

// DefaultFileRules is what LivePerson documents for connectors.
//
// Source: connector-api-send-api-examples (share image).
func DefaultFileRules() FileRules {
	return FileRules{Types: []string{"JPG", "JPEG", "PNG", "GIF"}, Most: 3 << 20}
}

// allows returns a type's name as the account has it, empty when it does not take it.
func (r FileRules) allows(kind string) string {
	for _, name := range [...]string{kind, map[string]string{"JPG": "JPEG", "JPEG": "JPG"}[kind]} {
		if name != "" && slices.Contains(r.Types, name) {
			return name
		}
	}
	return ""
}

// mostOfAgents is the largest file of an agent that is passed on, in bytes. The
// cloud's own limit is 5 MB at most.
const mostOfAgents = 100 << 20

// Files is what it takes to pass files on, in both directions. It is shared by all
// that an Activities does at the same time.
type Files struct {
	rules     map[string]FileRules // by account
	downloads *channels.Downloads
	publicURL string
	places    places
	previews  *previews
}

// NewFiles returns Files that get consumers' files by downloads, take those that the
// account's rules allow, and hand out agents' files under publicURL, which may be
// empty: an agent's file can then not be delivered.
func NewFiles(rules map[string]FileRules, downloads *channels.Downloads, publicURL string) *Files {
	return &Files{
		rules: rules, downloads: downloads, publicURL: publicURL, places: make(places, mostSpooled), previews: newPreviews(),
	}
}

var (
	errTaken    = errors.New("another attempt has taken it up")
	errNoFiles  = errors.New("files are not passed on here")
	errType     = errors.New("files of this type are not taken")
	errNoURL    = errors.New("PARLEY_PUBLIC_URL is not set: a file cannot be handed out")
	errNotOurs  = errors.New("the file cannot be fetched")
	errNoSource = errors.New("there is no file to be fetched")
)

// prepared does something that takes long before the effect of a command, which it
// then lets happen only if no other attempt has taken the command up: a worker that
// was cut off from Temporal may come back at any moment. until is the effect itself,
// parts what the ledger is to say from then on.
func (a *Activities) prepared(ctx context.Context, c *conversation.Command, parts int, prepare func() error) error {
	const op = "take up"
	taken := &fault.Error{Class: fault.Uncertain, Op: op, Err: errTaken}
	number, ok, err := a.Store.Claim(ctx, c.ID)
	switch {
	case err != nil:
		return err
	case !ok:
		return taken
	}
	if err := prepare(); err != nil {
		return err
	}
	switch ok, err := a.Store.Proceed(ctx, c.ID, number, parts); {
	case err != nil:
		return err
	case !ok || ctx.Err() != nil:
		return taken
	}
	return nil
}

// publishFile passes a file of a consumer on: from where the channel has it, through
// a temporary file, into the cloud's store, and then to the agents. Until the last
// step nobody sees anything of it.
func (s *cloudSender) publishFile(ctx context.Context, c *conversation.Command, conv, dialog string) (liveperson.Published, error) {
	const op = "publish file"
	nothing := liveperson.Published{Sequence: -1}
	if s.Files == nil || c.Attachment == nil {
		return nothing, &fault.Error{Class: fault.Rejected, Op: op, Err: errNoFiles}
	}
	leave, err := s.Files.places.take(ctx, op)
	if err != nil {
		return nothing, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, spoolTime)
	defer cancel()
	p := liveperson.PublishFile{Consumer: s.in.Consumer, Conversation: conv, Dialog: dialog, Caption: c.Text, ExternalID: string(c.ID)}
	err = s.prepared(ctx, c, 1, func() error { return s.upload(ctx, c, &p) })
	if err != nil {
		return nothing, err
	}
	return s.cloud.PublishFile(ctx, p)
}

// upload puts a file into the cloud's store and fills in what agents see of it.
func (s *cloudSender) upload(ctx context.Context, c *conversation.Command, p *liveperson.PublishFile) error {
	const op = "upload file"
	rules := s.Files.rules[s.in.Account]
	file, err := s.fetch(ctx, c.Attachment, rules.Most)
	if err != nil {
		return err
	}
	defer s.closed(ctx, file)
	if p.Type = rules.allows(file.kind); p.Type == "" {
		return &fault.Error{Class: fault.Rejected, Op: op, Code: conversation.CodeFileType, Err: errType}
	}
	p.Path, err = s.cloud.Upload(ctx, liveperson.Upload{Consumer: p.Consumer, Type: p.Type, Size: file.size, Body: file})
	if err != nil {
		return refusedFile(op, err)
	}
	p.Preview = s.Files.previews.of(ctx, file, file.size)
	return nil
}

// refusedFile has the consumer told of a file that the cloud does not take: what the
// configuration allows may be more than the account does.
func refusedFile(op string, err error) error {
	code := fault.CodeOf(err)
	if fault.ClassOf(err) != fault.Rejected || code == conversation.CodeTooLarge || code == conversation.CodeFileGone {
		return err
	}
	return &fault.Error{Class: fault.Rejected, Op: op, Code: conversation.CodeFileType, Err: err}
}

// fetch gets a file from where the channel has it. Failures have CodeFileGone, those
// that may pass too: a file that its channel does not hand out is not waited for for ever.
func (s *cloudSender) fetch(ctx context.Context, a *message.Attachment, most int64) (*spooled, error) {
	const op = "fetch file"
	if a.Size > most {
		return nil, &fault.Error{Class: fault.Rejected, Op: op, Code: conversation.CodeTooLarge, Err: errTooLarge}
	}
	body, size, err := s.source(ctx, a)
	if err != nil {
		return nil, fromChannel(op, err)
	}
	defer func() { _ = body.Close() }()
	return spool(ctx, op, sourced{body, op}, max(a.Size, size), most)
}

func (s *cloudSender) source(ctx context.Context, a *message.Attachment) (io.ReadCloser, int64, error) {
	if f, ok := s.Channels[s.in.Address.Channel].Adapter.(channels.Fetcher); ok {
		body, err := f.Fetch(ctx, *a)
		return body, 0, err
	}
	if a.URL == "" {
		return nil, 0, &fault.Error{Class: fault.Rejected, Op: "fetch file", Err: errNoSource}
	}
	d, err := s.Files.downloads.Get(ctx, a.URL, nil)
	if err != nil {
		return nil, 0, err
	}
	return d, d.Size, nil
}

// sourced is a file on its way from a channel: what goes wrong there is told from
// what goes wrong here.
type sourced struct {
	io.Reader
	op string
}

func (s sourced) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fromChannel(s.op, err)
	}
	return n, err
}

func fromChannel(op string, err error) error {
	if fault.CodeOf(err) == conversation.CodeFileGone {
		return err
	}
	var judged *fault.Error
	if !errors.As(err, &judged) { // nobody knows what it says
		err = errNotOurs
	}
	return &fault.Error{Class: fault.ClassOf(err), Op: op, Code: conversation.CodeFileGone, After: fault.RetryAfter(err), Err: err}
}

// closed removes a temporary file.
func (a *Activities) closed(ctx context.Context, file *spooled) {
	if err := file.Close(); err != nil {
		a.Log.WarnContext(ctx, "a temporary file was not removed", "err", discreetly("remove file", err))
	}
}

// kept returns an agent's file as it is served by us. It is fetched from the cloud's
// store at once, as it is to be had there for a minute only; a later attempt finds it.
func (s *channelSender) kept(ctx context.Context, c *conversation.Command) (message.KeptFile, error) {
	const op = "keep file"
	f, found, err := s.Store.FileOf(ctx, c.ID)
	if err != nil || found {
		return f, err
	}
	cloud, ok := s.Clouds[s.in.Account]
	if !ok {
		return f, &fault.Error{Class: fault.Denied, Op: op, Err: errUnknownAccount}
	}
	leave, err := s.Files.places.take(ctx, op)
	if err != nil {
		return f, err
	}
	defer leave()
	got, err := cloud.Download(ctx, liveperson.Download{Consumer: s.in.Consumer, Path: c.File.Path})
	if err != nil {
		return f, err
	}
	file, err := spool(ctx, op, got.Body, got.Size, mostOfAgents)
	_ = got.Body.Close()
	if err != nil {
		return f, err
	}
	defer s.closed(ctx, file)
	f = message.KeptFile{Command: c.ID, MIME: file.mime, Name: nameOf(c.File, file.kind), Size: file.size}
	return s.Store.SaveFile(ctx, f, io.NewSectionReader(file, 0, file.size))
}

// longestFileName bounds what a caption may be to become a file's name, in bytes.
const longestFileName = 120

// nameOf is what a file is called where it is saved: its caption if that is a name.
func nameOf(f *message.File, kind string) string {
	ending := "." + strings.ToLower(cmp.Or(kind, f.Type, "bin"))
	named := strings.HasSuffix(strings.ToLower(f.Caption), ending) && !strings.ContainsAny(f.Caption, "/\\\r\n\x00")
	if named && len(f.Caption) <= longestFileName {
		return f.Caption
	}
	return "file" + ending
}

// withFile is an agent's file for a channel: the file itself where the channel can
// carry it, else its address.
func (s *channelSender) withFile(ctx context.Context, c *conversation.Command, out message.Outbound) (message.Outbound, error) {
	const op = "deliver file"
	if s.Files == nil || s.Files.publicURL == "" {
		return out, &fault.Error{Class: fault.Rejected, Op: op, Err: errNoURL}
	}
	ctx, cancel := context.WithTimeout(ctx, spoolTime)
	defer cancel()
	var f message.KeptFile
	err := s.prepared(ctx, c, 0, func() (err error) { f, err = s.kept(ctx, c); return err })
	if err != nil {
		return out, err
	}
	link := s.Files.publicURL + "/files/" + f.Token
	limits := s.channel.Adapter.Limits()
	if limits.Carries(f.MIME, f.Size) {
		out.Kind = message.Media
		out.Attachment = &message.Attachment{Kind: channels.KindOf(f.MIME), MIME: f.MIME, Name: f.Name, Size: f.Size, URL: link}
		_, out.Text, _, _ = channels.Ladder(channels.Limits{}, c.File.Caption, c.Choices, nil)
		out.Choices = nil
		return out, nil
	}
	text := channels.Link(cmp.Or(c.File.Caption, f.Name), link)
	out.Kind, out.Text, out.Choices, out.Blocks = channels.Ladder(limits, text, c.Choices, nil)
	return out, nil
}
