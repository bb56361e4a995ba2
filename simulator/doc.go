// Package simulator is a stand-in for the far sides of Parley: LivePerson's
// Conversational Cloud (Domain API, Sentinel, IDP, CONVERSATION, SEND, the webhook
// sender, agents at their desks) and the channels' providers (SMS as Twilio does
// it, the generic http channel) with the consumers' phones. It serves development,
// the demo page and tests.
//
// It is as strict as the public documentation: wrong shapes, tokens, ids and states
// are refused and recorded with the reason. It can be told to fail in every way the
// real services can. It counts every effect, so that a test can ask it whether
// anything was lost or doubled.
//
// It stays out of Parley: it imports none of Parley's packages and shares no
// type with them, so that it can disagree. It keeps everything in memory, and over
// restarts in the file named by PARLEY_SIMULATOR_STATE, where that is set:
// conversations, phones, webhooks that wait and the key that signs tokens.
//
// # Using it
//
//	cfg, err := simulator.LoadConfig(ctx, envconfig.OsLookuper()) // same variables as Parley
//	sim, err := simulator.New(cfg)           // also simulator.WithLogger, simulator.WithClock
//	err = sim.Run(ctx)                       // listens on cfg.Addr until ctx is done
//	err = sim.Serve(ctx, listener)           // the same on a listener of the caller's
//	httptest.NewServer(sim)                  // it is an http.Handler; then defer sim.Close()
//
// Tests that learn Parley's address late call sim.SetParleyURL(url), or
// PUT /sim/settings {"parleyUrl":…}.
//
// Files stand on disk, in a temporary folder or next to the state file, 1 GiB of them
// at most; none is ever in memory as a whole.
//
// # Far sides (what Parley talks to)
//
//	GET  /api/account/{site}/service/{service}/baseURI.json?version=1.0   Domain API; baseURI is this server's host:port
//	GET  /api/account/{site}/service/baseURI.json?version=1.0
//	POST /sentinel/api/account/{site}/app/token?v=1.0&grant_type=client_credentials
//	POST /api/account/{site}/consumer?v=1.0
//	POST /api/account/{site}/messaging/consumer/conversation?v=3
//	POST /api/account/{site}/messaging/consumer/conversation/send?v=3
//	PUT|GET /v1/AUTH_async-images/{site}/{file}?temp_url_sig=&temp_url_expires=   swift, under URLs that SEND gives for a minute
//	POST /api/account/{site}/app/{client_id}/engagement?v=1.0             Monitoring API (service smt)
//	POST /2010-04-01/Accounts/{AccountSid}/Messages.json                  SMS provider (_BASE_URL = this server); MediaUrl are fetched as Twilio would
//	GET  /2010-04-01/Accounts/{AccountSid}/Messages/{sid}/Media/{sid}     files of MMS, with the account's credentials; leads on to
//	GET  /provider/media/{id}?expires=&sig=                               a signed URL without any
//	GET  /provider/files/{id}                                             files of the http channel's visitors
//	POST /provider/http/{channel}                                         http provider (_URL = this)
//	GET  /provider/http/{channel}/.capabilities
//
// and, for agent programs and administrators (PARLEY_SIMULATOR_AGENTS may log in):
//
//	POST /api/account/{site}/login?v=1.3, POST /api/account/{site}/refresh?v=1.3         service agentVep
//	GET  /ws_api/account/{site}/messaging/brand/{bearer}?v=2.1                           WebSocket, services asyncMessagingEnt and facadeMsg; closed with
//	                                                                                     4401 (unknown bearer) and 4407 (the session is over)
//	GET|POST|PUT|DELETE /api/account/{site}/configuration/app-install/installations[/{id}]?v=1.0   service accountConfigReadWrite; a PUT to the configured
//	                                                                                     app (its id is the client ID) changes endpoints, headers and retry
//
// and what it calls: {parleyUrl}/webhooks/liveperson/{account},
// {parleyUrl}/webhooks/channels/{channel} and the StatusCallback it was given
// (a StatusCallback below the public URL is posted below parleyUrl, and signed as given).
//
// # Control API
//
// JSON in and out; times are RFC 3339 with milliseconds; names in paths are
// percent-encoded (a telephone number is %2B15550100200). Errors are
// {"error":"text"} with 400 (not understood), 404 (unknown) or 409 (not possible
// now, e.g. the conversation is closed). {account} is the configured name or the
// site ID. Responses allow any origin.
//
// State and switches:
//
//	GET  /sim/state      -> State
//	GET  /sim/counters   -> Counters
//	GET  /sim/settings   -> Settings
//	PUT  /sim/settings   Settings; only the members present change -> Settings
//	GET  /sim/faults     -> Faults
//	PUT  /sim/faults     Faults; replaces all of them ({} ends every fault) -> Faults
//	PATCH /sim/faults    Faults; only the members present change ("rules" as a whole) -> Faults
//	POST /sim/faults/rules  Rule; adds one -> Faults
//	POST /sim/expire-tokens {"account":"main"}  every AppJWT issued so far is expired (no body: all accounts) -> {"accounts":1}
//	POST /sim/revoke-jws    {"account":"main","consumer":"<ext id>"}  ConsumerJWS issued so far are invalid (empty: all) -> {"consumers":3}
//	POST /sim/reset      forgets conversations, phones, wire, counters, queued webhooks; faults off, settings as at start -> State
//
// Conversations and agents:
//
//	GET  /sim/conversations?account=&state=open|closed&consumer=&limit=  newest first, limit 100 -> {"conversations":[Conversation…]}
//	GET  /sim/conversations/{id}               -> Detail
//	POST /sim/conversations/{id}/join          {"agent":"Dana"}           an agent is assigned -> Done
//	POST /sim/conversations/{id}/text          {"text":"…","agent":""}    joins first if nobody has; "\n" allowed -> Done
//	POST /sim/conversations/{id}/typing        {"on":true} -> Done
//	POST /sim/conversations/{id}/accept        {"sequences":[0,1]}        none given: every consumer message not accepted yet -> Done
//	POST /sim/conversations/{id}/read          {"sequences":[0,1]}        none given: every consumer message not read yet -> Done
//	POST /sim/conversations/{id}/transfer      {"skill":"2211"}           the agent leaves -> Done
//	POST /sim/conversations/{id}/close         {"reason":"AGENT","survey":true,"cause":""}  AGENT (default; survey false asks nothing), SYSTEM, TIMEOUT (neither does) -> Done
//	POST /sim/conversations/{id}/autoclose     {}                         as after a long silence, for settings.autoClose.reason -> Done
//	POST /sim/conversations/{id}/private       {"text":"…"}               messageAudience AGENTS_AND_MANAGERS -> Done
//	POST /sim/conversations/{id}/controller    {"text":"…"}               role CONTROLLER -> Done
//	POST /sim/conversations/{id}/manager       {"text":"…"}               role MANAGER; joins only where there is no text -> Done
//	POST /sim/conversations/{id}/rich          {"content":{…},"quickReplies":{…},"metadata":[…],"role":""}  structured content; 400 says what LivePerson would refuse -> Done
//	POST /sim/conversations/{id}/quick         {"text":"…","quickReplies":{…},"metadata":[…]}  -> Done
//	POST /sim/conversations/{id}/file          {"name":"a.pdf","caption":"","type":"PDF","data":"<base64>","preview":"data:…","generate":0}; generate makes
//	                                           a PNG of about so many bytes; or ?name=a.pdf&caption=&type= and the file itself as the body -> Done
//	POST /sim/conversations/{id}/ttr           {"type":"URGENT","value":30}   NORMAL, URGENT, PRIORITIZED, CUSTOM with a value -> Done
//	POST /sim/conversations/{id}/delay         {"type":"NIGHT","tillWhen":1717500000000}  NIGHT, WEEKEND, HOLIDAY; no type ends it -> Done
//	POST /sim/conversations/{id}/reopen        {"mode":"new"|"same"}      new: another convId with ProactiveContext; same: state OPEN again -> Done with the conversation's id
//	POST /sim/conversations/{id}/event         {"event":{…},"role":"ASSIGNED_AGENT","metadata":[…],"audience":"ALL"}  any event (rich content, file); gets a sequence unless it is a ChatStateEvent -> Done
//	GET  /sim/first-messages?account=&withinMs=   -> {"count":9,"late":0,"welcomed":9,"p50Ms":40,"p99Ms":210,"maxMs":230}: from CONVERSATION to the consumer's first message
//	GET  /sim/files/{id}                       any stored file, for the page (Event.file.url, PhoneMessage.media[].show)
//	GET  /sim/accounts/{account}/agents            who may log in -> {"agents":[{"name":"bot","id":"<uuid>","oldId":"40112233.4411","state":"ONLINE|OCCUPIED|AWAY","connections":1}…]}
//	POST /sim/accounts/{account}/agents/logout {"agent":"bot","code":4407}  an agent's (none named: all) sessions end, their connections with that code -> {"closed":1}
//	POST /sim/accounts/{account}/emit?conversation={id}&signature=good|bad|none&copies=1   the body is posted as it is, byte for byte, as a webhook -> Delivery
//
//	Done     {"conversation":"…","sequence":5}         sequence only where the act took one
//	Delivery {"status":200,"ms":1.2,"error":""}
//
// Phones ({consumer} is a telephone number on sms, the participant id on http):
//
//	GET  /sim/phones                           -> {"phones":[PhoneSummary…]} of all channels, latest first
//	GET  /sim/phones/{channel}                 -> {"phones":[PhoneSummary…]}
//	GET  /sim/phones/{channel}/{consumer}      -> Phone (empty for one never used)
//	PUT  /sim/phones/{channel}/{consumer}      {"name":"Ada","delivery":"delivered|failed|undelivered|none","code":"30003","conversation":"c-77","profile":{…}} -> Phone
//	                                                 profile's members go out as those of conversation.participant (http only)
//	POST /sim/phones/{channel}/{consumer}/text   {"text":"Hello","name":"Ada","eventId":"","messageId":"","retry":false,"attachments":[Attachment…]} -> Posted; on sms an MMS
//	POST /sim/phones/{channel}/{consumer}/choice {"messageId":"out-12","id":"order_yes","title":"Yes","eventId":"","retry":false} -> Posted (http; on sms the title is sent as text)
//	POST /sim/phones/{channel}/{consumer}/typing {"on":true} -> Posted (http only)
//	POST /sim/phones/{channel}/{consumer}/read   {"messageIds":["out-12"]}  none given: all not read yet -> Posted (http only)
//	POST /sim/phones/{channel}/{consumer}/status {"messageId":"out-12","state":"delivered","code":""} -> Posted; also later again or in any order
//	POST /sim/phones/{channel}/{consumer}/close  {} -> Posted (http only)
//	POST /sim/phones/{channel}/{consumer}/profile {"profile":{…}} -> Posted (http only); an event of type profile
//	POST /sim/channels/{channel}/emit          the body is posted as it is, correctly signed (?signature=bad|none, ?route=status, ?eventId=) -> Delivery
//
//	Attachment {"mime":"image/png","name":"a.png","kind":"","data":"<base64>"}, {"generate":3000000} for a PNG of about so many bytes, or {"url":"https://…"} of anybody's
//	Posted {"eventId":"evt-1","messageId":"m-1","status":202,"attempts":1,"ms":1.9,"error":""}
//
// The answer is given when Parley has answered (status is Parley's, 0 with error when
// there was none). The event goes out under the given eventId and messageId (on sms
// eventId is the MessageSid); giving one again sends a duplicate, which the phone
// shows once. "retry":true repeats with back-off what gets no 2xx, for up to
// settings.senderPatienceMs; without it Twilio's default applies (once more when the
// connection failed) and http sends once.
//
//	PhoneSummary {"channel":"sms","kind":"twilio","consumer":"+1555…","name":"Ada","messages":4,"last":"…","lastAt":"…","typing":false,"optedOut":false}
//	Phone        PhoneSummary's members and
//	             {"conversation":"c-77","delivery":"delivered","counters":PhoneCounters,"thread":[PhoneMessage…]}
//	PhoneMessage {"id":"out-12","direction":"out","kind":"text","text":"…","choices":[{"id","title"}],"at":"…",
//	              "status":"delivered","code":"","read":false,"ref":"<sender's id>","repeats":0,"raw":{…}}
//	             "media":[{"url","mime","name","size","sum","error","show"}]: files; sum is their SHA-256, error why the provider did not get one
//	             direction: "in" the consumer wrote it, "out" it came from Parley; kind: text, choices, choice, system, media, rich (raw holds its blocks);
//	             status of "in": posting, accepted (Parley answered 2xx), refused, failed; of "out": queued, sent, delivered, read, failed, undelivered;
//	             read: of "in", an agent's read mark arrived; of "out", the consumer has read it;
//	             kind "system" is the SMS provider's own answer to STOP, START and HELP: it never came from Parley
//	PhoneCounters {"received":3,"repeats":0,"doubledTexts":{"Hi":2},"rejected":0,"posted":4,"acknowledged":4,"typing":2}
//
// What went over the wire:
//
//	GET  /sim/wire?direction=in|out&class=&conversation=&account=&channel=&rejected=1&faulted=1&after={id}&limit=200&bodies=  newest first, bodies only with bodies=1 -> {"entries":[Wire…],"last":812}
//	GET  /sim/wire/{id}                        -> Wire with headers and bodies
//	GET  /sim/stream?kinds=wire,conversation,phone&bodies=1   Server-Sent Events
//
//	Wire {"id":812,"at":"…","direction":"in","class":"send","method":"POST","path":"/api/…","summary":"text → conversation 7d0c2f5e",
//	      "status":200,"ms":0.4,"attempt":1,"account":"main","channel":"","conversation":"7d0c…","rejected":"reason","fault":"fail-after","warnings":["…"],"error":"",
//	      "request":{"headers":{…},"body":"…"},"response":{"headers":{…},"body":"…"}}
//	     direction: "in" Parley called the simulator, "out" the simulator called Parley;
//	     class: domain, token, consumer, conversation, send, swift, monitoring, twilio, http, media, login, install, agent (in; agent: a request on an agent program's WebSocket); webhook, sms, status, events, emit, media (out).
//	     The ring holds settings.wireEntries of them; secrets and tokens in headers and bodies are replaced by "…".
//
// Stream: every message has "event:" and one "data:" line of JSON, "id:" on wire events.
//
//	event: hello         State                          first on every connection
//	event: wire          Wire (bodies with ?bodies=1)
//	event: conversation  {"conversation":Conversation,"event":Event or null}    after every change
//	event: phone         {"phone":PhoneSummary,"message":PhoneMessage or null}  after every change
//	event: webhooks      {"account":"main","webhooks":{"state":"FAILED","queued":3,"inFlight":1}}   when the state changes
//	event: settings      Settings
//	event: faults        Faults
//	event: reset         {}
//	event: lost          {"count":17}   this reader was too slow; read the lists again
//
// Shapes:
//
//	State {"startedAt":"…","now":"…","parleyUrl":"http://127.0.0.1:8080","publicUrl":"…","temporalUi":"http://127.0.0.1:8233","lastWire":812,
//	  "accounts":[{"name":"main","siteId":"40112233","clientId":"…","conversations":3,"open":1,
//	              "webhooks":{"state":"UP","queued":0,"inFlight":0,"stored":0,"failures":0,"outOfOrder":0,"since":"…","nextTry":""}}],
//	  "channels":[{"name":"sms","kind":"twilio","account":"main","from":"+15550100900","phones":2}],
//	  "skills":[{"id":"2210","name":"Orders"}],"settings":Settings,"faults":Faults,"counters":Counters}
//
//	Conversation {"id":"7d0c…","account":"main","consumer":"<ext_consumer_id>","consumerId":"<64 hex>","name":"Mira Kahn","state":"OPEN","stage":"OPEN",
//	  "skill":"2210","agent":"Dana","startedAt":"…","endedAt":null,"updatedAt":"…","closeReason":"","messages":7,"last":"…","lastRole":"CONSUMER",
//	  "unread":1,"typing":{"consumer":false,"agent":false},"consumerState":"ACTIVE","csat":null,"ttr":"NORMAL","origin":"","phone":{"channel":"sms","consumer":"+1555…"},
//	  "firstMessageMs":40,"welcomed":true,"survey":"none|open|completed|timed out|left"}
//	  csat: {"csatRate":5,"csatResolutionConfirmation":true,"status":"FILLED"}; origin: the conversation this one resumes;
//	  phone: the phone whose number the profile names, null when there is none
//
//	Detail: Conversation's members and {"profile":{…},"context":{…},"clientProperties":{…},"participants":[{"id","role","name"}],
//	  "dialogs":[{"id","type":"MAIN","state":"OPEN","createdAt","endedAt","closedBy","closedCause","next":8}],
//	  "transcript":[Event…],"counters":ConversationCounters,"delay":null,"ttrValue":0,
//	  "clicks":[{"dialog","sequence":7,"title":"Yes","text":"Yes, please","metadata":[…],"at","action":true,"said":true}],
//	  "surveyRun":{"state":"completed","reason":"","dialog":"Zk3v…","csat":5,"fcr":true,"results":[{"question":"q1","kind":"csat","answer":"q1-a5","text":"5","skipped":false,"asked":1}]}}
//	  clicks: action: an ACTION named the element; said: a text came with its metadata. surveyRun.reason: why there was none
//
//	Event {"sequence":3,"dialog":"7d0c…","at":"…","role":"CONSUMER","originator":"e2b7…","name":"Mira","type":"ContentEvent","text":"…","status":"","sequences":[],
//	  "chatState":"","audience":"","metadata":[…],"externalId":"…","accepted":true,"read":false,"opened":false,
//	  "file":{"path","type","caption","preview":1200,"size":204811,"sum","url"},"event":{…}}
//	  accepted/read: what the other side has reported for this message (nack: true if NACK); chat states (sequence -1) are streamed, not kept
//
//	ConversationCounters {"requests":12,"published":5,"byExternalId":{"<id>":1},"withoutExternalId":0,"byText":{"Hello":1},
//	  "doubledExternalIds":{},"doubledTexts":{},"whileClosed":0,"contentWhileClosed":0,"rejected":{"reason":1},"acceptStatus":3,"chatStates":2,"csatReports":1,"unknownSequences":0,
//	  "files":1,"actions":1,"unknownClicks":0,"clicksWithoutAction":0,
//	  "webhooks":{"queued":9,"delivered":9,"attempts":10,"failed":1,"duplicated":0,"lost":0,"dropped":0,"slow":0}}
//	  slow: answers that took over 2.5 s; published counts content events that took a sequence, whatever the caller was told
//
//	Counters {"requests":{"send":{"total":9,"ok":8,"rejected":1,"faulted":0}},"rejected":{"reason":1},"warnings":{"text":1},
//	  "conversations":{"created":3,"open":1},"published":20,"doubledExternalIds":0,"doubledTexts":0,"whileClosed":0,"csatReports":1,
//	  "webhooks":{"queued":…,"delivered":…,"attempts":…,"failed":…,"duplicated":…,"lost":…,"dropped":…,"slow":…},
//	  "phones":{"received":…,"repeats":…,"doubledTexts":…,"rejected":…,"posted":…,"acknowledged":…,"typing":…}}
//
//	Settings {"parleyUrl":"…","alreadyOpen":"reject|existing","appJwtLifetimeSec":3600,"signature":"sha1-base64|sha1-hex|sha256-base64|sha256-hex",
//	  "retry":"retention|numbers|none","maxRetries":5,"retryIntervalMs":30000,"retentionSec":259200,"backoffMs":2000,"backoffMaxMs":300000,"drainMs":4000,
//	  "chatStateRetries":false,"webhookTimeoutMs":5000,"webhookConcurrency":64,"queueLimit":200000,"webhookHeaders":{},
//	  "autoAgent":{"join":false,"accept":false,"read":false,"typing":false,"echo":false,"reply":"","delayMs":0},
//	  "smsStatus":true,"smsDelayMs":200,"smsOptOut":true,"httpReceipts":true,"senderPatienceMs":120000,"wireEntries":2000,"transcripts":true,
//	  "fetchMedia":true,"mediaRedirect":true,
//	  "files":{"urlSec":60,"maxBytes":3145728,"types":["JPG","JPEG","PNG","GIF"],"agentMaxBytes":5242880,"agentTypes":[…,"PDF","DOCX","PPTX","XLSX"]},
//	  "survey":{"on":false,"accounts":[],"skills":[],"greeting":"…","questions":[{"kind":"csat|fcr|text","text":"…"}],"thanks":"…","parse":false,"timeoutMs":3600000},
//	  "autoMessages":{"on":false,"accounts":[],"welcome":"…","joined":"","withinMs":10000},"autoClose":{"afterMs":0,"reason":"SYSTEM|TIMEOUT"},
//	  "engagements":[{"account":"","entryPoints":["sec://orders"],"campaignId":"3344","engagementId":"5566","revision":3,"skill":"2210","language":"","windowId":"9911","connectorId":12}]}
//	  retry "retention" is by time to live, "numbers" by max_retries; chatStateRetries false is an explicit max_retries 0 for ChatStateEvent;
//	  autoAgent.echo answers every consumer text with "echo: " and the text, reply with a fixed one; transcripts false keeps no events and no per-text counters (long load tests);
//	  survey: held when MAIN is closed by DialogChange with closedCause, or by an agent, of a conversation with a skill whose CONVERSATION and latest SEND declared
//	  RICH_CONTENT, QUICK_REPLIES and MULTI_DIALOG; only a reply's own metadata is an answer (parse: its title, too), "skip" skips; accounts and skills: all where empty;
//	  engagements: shown when all of their entryPoints are named; their skill is the conversation's that names none; lists are replaced as a whole
//
//	Faults {"seed":1,"rules":[Rule…],"webhooks":{"duplicate":0,"duplicateProbability":1,"shuffleMs":0,"lose":0,"loseCount":0,"early":false,"hold":false,"delayMs":0,"echoes":true}}
//	  seed: same seed, same order of requests: same faults. duplicate: extra copies; lose: probability; loseCount: the next n; early: the webhook is
//	  delivered before the request that caused it is answered; hold: webhooks wait, and go out as a burst when hold ends; echoes false: no echoes
//
//	Rule {"class":"send","do":"throttle","probability":1,"count":3,"skip":0,"match":"","status":503,"retryAfter":2,"delayMs":0,"delayMaxMs":0,"hits":0}
//	  class: domain, token, consumer, conversation, send, swift, monitoring, media, twilio, http, login, install, or "" for all (swift's body, for match, is its path);
//	  do: throttle (429; retryAfter seconds as header, 0 none), fail-before, fail-after (status, before or after the effect), drop-before, drop-after (the connection
//	  is cut without an answer), hang-before, hang-after (no answer for delayMs, default 60 s, then cut), delay (delayMs, or random up to delayMaxMs),
//	  expire (401/40102; twilio and http: 401), reject-jws (401/40103), warm-up (monitoring: 500 with internalCode 20);
//	  probability 0 means 1; count 0 means for ever; skip: spares the first n that match; match: a substring of the body; the first rule that fires decides,
//	  a delay lets the next rules have their say
package simulator
