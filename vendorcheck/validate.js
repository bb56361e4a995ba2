// Reads a list of {where, kind, value} from standard input and writes, for each, what
// LivePerson says of it for web messaging, the widest of its channels.
//
// LivePerson publishes two judges: its validator, and json-pollock, which shows
// structured content in its web window and refuses what its schemas do not know. The
// validator does not know the newer elements (tabs, key-value lists, selections,
// borders), so what either of them takes is good.
'use strict';

const fs = require('fs');
const path = require('path');
const {RichContentValidator, Channels} = require('@livepersoninc/rich-content-validator');

const validator = new RichContentValidator({channel: Channels.WEB});

// The window's schemas, compiled as json-pollock's SchemaValidator does it, with its ajv.
function windowSchemas() {
    const home = path.dirname(require.resolve('json-pollock/package.json'));
    const Ajv = require(require.resolve('ajv', {paths: [home]}));
    const ajv = new Ajv({format: 'full', unknownFormats: 'ignore', logger: false});
    const folder = path.join(home, 'js', 'schema');
    const schemas = fs.readdirSync(folder).map(name => [name, JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'))]);
    schemas.forEach(([name, schema]) => ajv.addSchema(schema, name));
    return ajv.getSchema('rich_content.json');
}

const shown = windowSchemas();

const judges = {
    body: value => {
        const verdict = validator.validateBody(value);
        return verdict.valid || shown(value) ? {valid: true} : {valid: false, errors: [].concat(verdict.errors, shown.errors)};
    },
    quickReplies: value => validator.validateQuickReply(value),
    metadata: value => validator.validateMetadata(value)
};

// What a value fails by; "not one of" several says nothing that another does not.
const inWords = e => (e && e.message ? `${e.dataPath || '.'} ${e.message} ${JSON.stringify(e.params || {})}` : String(e));
const telling = errors => [...new Set([].concat(errors || []).filter(e => e && e.keyword !== 'oneOf').map(inWords))];

let input = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', chunk => { input += chunk; });
process.stdin.on('end', () => {
    const verdicts = JSON.parse(input).map(({where, kind, value}) => {
        const {valid, errors} = judges[kind](value);
        const why = telling(errors).sort((a, b) => b.split(' ')[0].length - a.split(' ')[0].length); // the deepest first
        return {where, kind, valid, why: why.slice(0, 4)};
    });
    process.stdout.write(JSON.stringify(verdicts));
});
