// A server that plays parts: what it answers is chosen by the first word of the question.

import {readFileSync, readdirSync} from 'node:fs';
import {createServer} from 'node:http';
import {extname, join} from 'node:path';
import {folder} from './pages.mjs';

const TYPES = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml'};
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

export const ANSWERS = {
    markdown: `## Soup in three steps

A *mixture of experts* asks **few of many** networks, chosen by a router. See [the paper](https://example.org/paper) or
<https://example.org>, and \`top_k\`.

1. Chop
   - garlic
   - ginger
2. Fry
3. Serve

| layer | experts | share |
|:------|--------:|:-----:|
| 3 | 256 | 3 % |
| 4 | 256 | \`a|b\` |

> Heat the wok first.

\`\`\`java
static int[] merge(int[] a, int[] b) {
    int[] merged = new int[a.length + b.length];
    for (int i = 0, j = 0; i + j < merged.length;) {
        boolean first = j == b.length || i < a.length && a[i] <= b[j];
        merged[i + j] = first ? a[i++] : b[j++];
    }
    return merged;
}
\`\`\`

Its share is \\(p_i = \\frac{n_i}{\\sum_j n_j}\\), so x_y_z stays. 大きい**熱い**鍋 🍜`,
    xss: `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>
[a](javascript:window.hacked=1) [b](data:text/html,x) [c](JaVaScRiPt:alert(1)) [d](https://example.org/"onclick="x)
![e](https://example.org/beacon.png)

\`\`\`"><img src=x onerror=window.hacked=1>
</code></pre><script>window.hacked=1</script>
\`\`\`

| <b>x</b> |
|---|
| <svg onload=window.hacked=1> |`,
    long: Array.from({length: 400}, (_, i) => `${i}. Item with **words**, number ${i}\n   - and a part\n`).join('')
        + '\n```text\n' + 'a line of code that is not short\n'.repeat(4000) + '```\n\nThe end of it.',
    story: `A **mixture of experts** replaces one large feed-forward network by many small ones. For each token a *router* picks a few of them:

| model | experts | used per token |
|:------|--------:|---------------:|
| DeepSeek-V3 | 256 | 8 + 1 shared |
| a dense model | 1 | 1 |

So most weights rest at any time. In code, a router is little more than this:

\`\`\`java
int[] route(float[] scores, int topk) {
    return IntStream.range(0, scores.length).boxed()
            .sorted(Comparator.comparing(e -> -scores[e]))
            .limit(topk).mapToInt(e -> e).toArray();
}
\`\`\`

The art is to keep all cooks busy: see *load balancing*.`
};

const THOUGHTS = 'The person wants soup. First **heat**, then garlic.\n\n- not too long\n- ends well';

export async function startMock({status, experts} = {}) {
    const files = new Map(readdirSync(folder).map(name => [name, readFileSync(join(folder, name))]));
    const mock = {asked: [], gone: 0, busy: 0, keyed: false, models: ['wok-tiny', 'deepseek-v3'], status, experts};

    const server = createServer((request, answer) => {
        const path = new URL(request.url, 'http://x').pathname;
        const file = path === '/' ? 'chat.html' : path === '/status' ? 'status.html' : path.replace(/^\/pages\//, '');
        if (request.method === 'GET' && files.has(file)) {
            answer.writeHead(200, {
                'Content-Type': `${TYPES[extname(file)]}; charset=utf-8`, 'Content-Security-Policy': POLICY
            });
            answer.end(files.get(file));
        } else if (mock.keyed) {
            json(answer, 401, {error: {message: 'no key was given'}});
        } else if (path === '/v1/models') {
            json(answer, 200, {object: 'list', data: mock.models.map(id => ({id, object: 'model'}))});
        } else if (path === '/status.json' && mock.status) {
            json(answer, 200, mock.status());
        } else if (path === '/experts.json' && mock.experts) {
            json(answer, 200, mock.experts());
        } else if (path === '/v1/chat/completions') {
            let body = '';
            request.setEncoding('utf8');
            request.on('data', piece => { body += piece; });
            request.on('end', () => complete(mock, JSON.parse(body), answer));
        } else {
            json(answer, 404, {error: {message: `there is no ${path}`}});
        }
    });
    await new Promise(done => server.listen(0, '127.0.0.1', done));
    mock.url = `http://127.0.0.1:${server.address().port}/`;
    mock.close = () => {
        server.closeAllConnections();
        return new Promise(done => server.close(done));
    };
    return mock;
}

function json(answer, status, value, headers = {}) {
    answer.writeHead(status, {'Content-Type': 'application/json', ...headers});
    answer.end(JSON.stringify(value));
}

const pause = millis => new Promise(done => setTimeout(done, millis));

async function complete(mock, request, answer) {
    mock.asked.push(request);
    const question = request.messages.at(-1).content;
    const part = mock.story ? 'story' : question.split(/\W/, 1)[0].toLowerCase();
    let gone = false;
    answer.on('close', () => {
        gone = true;
        mock.gone += answer.writableFinished ? 0 : 1;
    });

    if (part === 'busy' && mock.busy++ === 0) {
        json(answer, 429, {error: {message: 'The queue is full.'}}, {'Retry-After': '2'});
        return;
    }
    if (part === 'refused') {
        json(answer, 400, {error: {message: 'The prompt has 9000 tokens, the context holds 4096.'}});
        return;
    }

    answer.writeHead(200, {'Content-Type': 'text/event-stream'});
    const event = value => answer.write(`data: ${JSON.stringify(value)}\n\n`);
    const chunk = (delta, finish = null) => event({
        id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: request.model,
        choices: [{index: 0, delta, finish_reason: finish}]
    });
    const end = (completion, reason = 'stop', thoughts = 0) => {
        chunk({}, reason);
        event({
            id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: request.model, choices: [],
            usage: {
                prompt_tokens: 640, completion_tokens: completion, total_tokens: 640 + completion,
                prompt_tokens_details: {cached_tokens: 512}, completion_tokens_details: {reasoning_tokens: thoughts}
            }
        });
        answer.end('data: [DONE]\n\n');
    };
    const say = async (text, size, field = 'content', millis = 0) => {
        for (let i = 0; i < text.length && !gone; i += size) {
            chunk({[field]: text.slice(i, i + size)});
            if (millis) {
                await pause(millis);
            }
        }
    };

    chunk({role: 'assistant', content: ''});
    switch (part) {
        case 'markdown':
        case 'xss':
            await say(ANSWERS[part], 5);
            end(ANSWERS[part].length / 4);
            break;
        case 'long':
            await say(ANSWERS.long, 50);
            end(9000);
            break;
        case 'think':
            await say(THOUGHTS, 4, 'reasoning_content', 30);
            await say('Soup it is.', 3, 'content', 30);
            end(30, 'stop', 22);
            break;
        case 'story':
            await say('They want a definition, an example and a bit of code.', 9, 'reasoning_content', 20);
            await say(ANSWERS.story, 7, 'content', 8);
            end(214, 'stop', 41);
            break;
        case 'slow':
            while (!gone) {
                await say('wok ', 4, 'content', 40);
            }
            break;
        case 'queue':
            for (let i = 0; i < 8; i++) {
                answer.write(': keep-alive\n\n');
                await pause(100);
            }
            await say('At last.', 8);
            end(3);
            break;
        case 'cut': {
            const bytes = Buffer.from(`data: ${JSON.stringify({choices: [{index: 0, delta: {content: '鍋🍜é'}}]})}\r\n\r\n`);
            answer.socket.setNoDelay(true);
            for (const byte of bytes) {
                answer.write(Buffer.of(byte));
                await pause(1);
            }
            end(3);
            break;
        }
        case 'lost':
            await say('Half of it', 4, 'content', 20);
            answer.destroy();
            break;
        case 'short':
            await say('Half of it', 4, 'content', 20);
            answer.end();
            break;
        case 'fails':
            await say('Half of it', 4, 'content', 20);
            event({error: {message: 'The server is closing.'}});
            answer.end();
            break;
        case 'limit':
            await say('Only so much', 4);
            end(3, 'length');
            break;
        case 'tools':
            chunk({tool_calls: [{index: 0, id: 'call_1', type: 'function', function: {name: 'weather', arguments: ''}}]});
            chunk({tool_calls: [{index: 0, function: {arguments: '{"city":"Par'}}]});
            chunk({tool_calls: [{index: 0, function: {arguments: 'is"}'}}]});
            end(9, 'tool_calls');
            break;
        default:
            await say(`You said: ${question}`, 6);
            end(5);
    }
}
