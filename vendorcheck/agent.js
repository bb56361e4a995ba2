// An agent program as LivePerson's customers write it, with LivePerson's own SDK. It
// accepts what rings, answers what a consumer writes with a text and a card, closes
// when the consumer says "bye", and ends when the conversation is gone. What happens
// is written to standard output, one JSON object a line.
'use strict';

const fs = require('fs');
const path = require('path');
const Agent = require('node-agent-sdk').Agent;

const tell = (what, more) => process.stdout.write(`${JSON.stringify(Object.assign({what}, more))}\n`);
const fail = (where, err) => {
    process.stderr.write(`${where}: ${err && err.message || JSON.stringify(err)}\n`);
    process.exit(1);
};

const card = JSON.parse(fs.readFileSync(path.join(__dirname, 'testdata', 'card.json'), 'utf8'));

const agent = new Agent({
    accountId: process.env.LP_ACCOUNT,
    username: process.env.LP_USER,
    password: process.env.LP_PASS,
    csdsDomain: process.env.LP_CSDS
});

// ask turns a request of the SDK's into a promise; a refusal ends the program.
const ask = (name, ...args) => new Promise(resolve => agent[name](...args, (err, body) => {
    if (err) fail(name, err);
    resolve(body);
}));

const mine = {};

agent.on('connected', async () => {
    tell('connected', {agentId: agent.agentId});
    const clock = await ask('getClock', {});
    tell('clock', {currentTime: clock.currentTime});
    tell('states', await ask('subscribeAgentsState', {}));
    tell('conversations', await ask('subscribeExConversations', {convState: ['OPEN'], agentIds: [agent.agentId]}));
    tell('state', {answer: await ask('setAgentState', {availability: 'ONLINE'})});
    tell('tasks', await ask('subscribeRoutingTasks', {}));
});

agent.on('routing.AgentStateNotification', body => tell('availability', {is: body.changes[0].result.availability}));

agent.on('routing.RoutingTaskNotification', body => body.changes.forEach(async change => {
    for (const ring of change.result.ringsDetails) {
        tell('ring', {state: ring.ringState, conversation: change.result.conversationId});
        if (ring.ringState === 'WAITING') {
            tell('accepted', {answer: await ask('updateRingState', {ringId: ring.ringId, ringState: 'ACCEPTED'})});
        }
    }
}));

agent.on('cqm.ExConversationChangeNotification', body => body.changes.forEach(async change => {
    const {convId, conversationDetails} = change.result;
    if (change.type === 'DELETE') {
        tell('gone', {conversation: convId, state: conversationDetails.state, reason: conversationDetails.closeReason});
        agent.dispose();
        process.exit(0);
    }
    if (mine[convId]) return;
    mine[convId] = {seen: {}};
    const consumer = conversationDetails.participants.find(p => p.role === 'CONSUMER');
    tell('mine', {conversation: convId, role: conversationDetails.getMyRole(), participants: conversationDetails.participants});
    tell('profile', {sdes: await ask('getUserProfile', consumer.id)});
    await ask('subscribeMessagingEvents', {dialogId: convId});
}));

agent.on('ms.MessagingEventNotification', body => body.changes.forEach(async change => {
    const dialogId = change.dialogId;
    const conversation = mine[dialogId];
    if (!conversation || change.event.type !== 'ContentEvent' || change.originatorId === agent.agentId) return;
    if (conversation.seen[change.sequence]) return; // queried, and told
    conversation.seen[change.sequence] = true;
    tell('heard', {sequence: change.sequence, text: change.event.message, role: change.originatorMetadata.role});

    const publish = (event, metadata) => ask('publishEvent', {dialogId, event}, null, metadata);
    await publish({type: 'AcceptStatusEvent', status: 'READ', sequenceList: [change.sequence]});
    if (change.event.message === 'bye') {
        tell('closed', {answer: await ask('updateConversationField', {
            conversationId: dialogId,
            conversationField: [{field: 'ConversationStateField', conversationState: 'CLOSE'}]
        })});
        return;
    }
    await publish({type: 'ChatStateEvent', chatState: 'COMPOSING'});
    const text = await publish({type: 'ContentEvent', contentType: 'text/plain', message: `You wrote: ${change.event.message}`});
    tell('answered', {sequence: text.sequence});
    const rich = await publish(Object.assign({type: 'RichContentEvent'}, card), [{type: 'ExternalId', id: 'CARD-1'}]);
    tell('card', {sequence: rich.sequence});
    await publish({type: 'ChatStateEvent', chatState: 'ACTIVE'});
}));

agent.on('warn', err => fail('the SDK warns', err));
agent.on('error', err => fail('the SDK', err));
agent.on('closed', code => fail('the connection was closed', {code}));
