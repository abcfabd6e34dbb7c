// The status page. It reads, every two seconds while it is seen, `status.json`:
//   { version, uptimeSeconds, draining,
//     load: { running, sequences, waiting, queue, connections, requests, refused },
//     tokens: { in, cached, out },                                      since the start
//     history: { seconds, in: [], cached: [], out: [] },                tokens per second, the last point is now
//     latency: { firstToken: { p50, p99, count }, betweenTokens: ... }, in seconds
//     memory: { heapUsed, heapMax },
//     models: [{ name, state: 'loaded' | 'loading' | 'failed' | 'idle', error, architecture, parameters,
//                activeParameters, type, device, context, layers, hidden, experts, expertsPerToken, sharedExperts,
//                running, waiting, sequences, cache: { pages, used, kept, tokensPerPage },
//                tokens: { in, cached, out }, steps, drafts: { guessed, accepted } }] }
// and every ten seconds, where a model has experts, `experts.json`:
//   { time, models: [{ name, layers: [{ layer, counts: [] }] }] }       counts since the model was loaded
// Whatever is missing or null is shown as a dash.

import {duration, h, short, svg} from './dom.js';
import {HeatMap} from './heat.js';

const STATUS_MILLIS = 2000;
const EXPERTS_MILLIS = 10_000;

const $ = id => document.getElementById(id);
const maps = new Map();
let wantsExperts = false;
let lastAnswer = null;

function card(title, value, more, bar) {
    return h('article', {class: 'card figure'},
        h('h2', {}, title), h('p', {class: 'value'}, value), bar, h('p', {class: 'dim'}, more));
}

function share(part, whole) {
    return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
}

/** A bar of parts, each with a class of its own. */
function bar(label, parts) {
    return h('div', {class: 'bar', role: 'img', 'aria-label': label}, ...parts.map(([className, size]) => {
        const part = h('i', {class: className});
        part.style.width = `${size * 100}%`;
        return part;
    }));
}

function showLoad({load = {}, latency = {}, tokens = {}}) {
    const waits = (title, figures) => card(title, duration(figures?.p50),
        figures ? `99 % within ${duration(figures.p99)}` : 'nothing measured yet');
    $('load').replaceChildren(
        card('Running', short(load.running), `of ${short(load.sequences)} at once`,
            bar('Running', [['used', share(load.running, load.sequences)]])),
        card('Waiting', short(load.waiting), `of ${short(load.queue)} in the queue`,
            bar('Waiting', [['used', share(load.waiting, load.queue)]])),
        waits('First token', latency?.firstToken),
        waits('Between tokens', latency?.betweenTokens),
        card('Requests', short(load.requests), `${short(load.refused)} refused · ${short(load.connections)} connections`),
        card('Tokens', short(tokens.out), `written · ${short(tokens.in)} read, ${percent(tokens.cached, tokens.in)} cached`));
}

function percent(part, whole) {
    return whole > 0 ? `${Math.round(100 * part / whole)} %` : '–';
}

function showAbout({version, uptimeSeconds, memory}) {
    const gib = bytes => (bytes / 2 ** 30).toFixed(1);
    const heap = memory?.heapMax > 0 ? `heap ${gib(memory.heapUsed)} of ${gib(memory.heapMax)} GiB` : null;
    $('about').textContent = [version, `up ${duration(uptimeSeconds)}`, heap].filter(Boolean).join(' · ');
}

function showCharts({history}) {
    if (!Array.isArray(history?.out)) {
        $('charts').replaceChildren();
        return;
    }
    const span = history.out.length * (history.seconds ?? 2);
    $('charts').replaceChildren(
        chart('Written', [{name: 'written', className: 'line', points: history.out}], span),
        chart('Read', [
            {name: 'read', className: 'line', points: history.in ?? []},
            {name: 'from the cache', className: 'line second', points: history.cached ?? []}
        ], span));
}

function chart(title, lines, span) {
    const most = Math.max(1, ...lines.flatMap(line => line.points));
    const now = lines.map(line => `${short(line.points.at(-1) ?? 0)} ${line.name}`).join(', ');
    const length = Math.max(2, lines[0].points.length);
    const x = i => (i * 300 / (length - 1)).toFixed(1);
    const y = value => (59 - 57 * value / most).toFixed(1);
    const drawn = lines.flatMap(({className, points}) => {
        const path = points.map((value, i) => `${x(i)},${y(value)}`).join(' ');
        return points.length < 2 ? [] : [
            svg('polygon', {class: `${className} area`, points: `0,60 ${path} ${x(points.length - 1)},60`}),
            svg('polyline', {class: className, points: path})
        ];
    });
    return h('article', {class: 'card chart'},
        h('div', {class: 'row'}, h('h2', {}, `${title}, tokens/s`), h('span', {class: 'space'}),
            ...lines.map(line => h('span', {class: `value key ${line.className}`},
                `${short(line.points.at(-1) ?? 0)} ${line.name}`))),
        h('div', {class: 'plot'},
            svg('svg', {
                viewBox: '0 0 300 60', preserveAspectRatio: 'none', role: 'img',
                'aria-label': `Tokens per second over ${duration(span)}: now ${now}, at most ${short(most)}`
            }, svg('path', {class: 'grid', d: 'M0 2H300M0 30.5H300M0 59.5H300'}), ...drawn),
            h('span', {class: 'dim top'}, short(most))),
        h('div', {class: 'row dim axis'}, h('span', {}, `${duration(span)} ago`), h('span', {class: 'space'}), h('span', {}, 'now')));
}

const STATES = {loaded: 'loaded', loading: 'loading…', failed: 'failed', idle: 'loaded when first asked for'};

function showModels({models = []}) {
    $('models').replaceChildren(...models.map(model => {
        const facts = [
            ['Architecture', model.architecture],
            ['Parameters', model.parameters && short(model.parameters)
                + (model.activeParameters && model.activeParameters !== model.parameters
                    ? `, ${short(model.activeParameters)} active` : '')],
            ['Weights', [model.type, model.device].filter(Boolean).join(' on ')],
            ['Context', model.context && `${short(model.context)} tokens`],
            ['Layers', model.layers && `${model.layers}, ${short(model.hidden)} wide`],
            ['Experts', model.experts && `${model.experts}, ${model.expertsPerToken} for each token`
                + (model.sharedExperts ? `, ${model.sharedExperts} shared` : '')],
            ['Texts', model.state === 'loaded' && `${short(model.running)} running, ${short(model.waiting)} waiting, `
                + `${short(model.sequences)} at once`],
            ['Tokens', model.tokens && `${short(model.tokens.out)} written, ${short(model.tokens.in)} read, `
                + `${percent(model.tokens.cached, model.tokens.in)} cached`],
            ['Guessed tokens', model.drafts && model.drafts.guessed > 0
                && `${percent(model.drafts.accepted, model.drafts.guessed)} right`]
        ].filter(([, value]) => value);
        return h('article', {class: 'card'},
            h('div', {class: 'row head'},
                h('h2', {}, model.name), h('span', {class: `state ${model.state}`}, STATES[model.state] ?? '–')),
            model.error ? h('p', {class: 'error'}, model.error) : null,
            h('dl', {}, ...facts.flatMap(([name, value]) => [h('dt', {class: 'dim'}, name), h('dd', {}, value)])),
            cacheBar(model.cache));
    }));
}

function cacheBar(cache) {
    if (!(cache?.pages > 0)) {
        return null;
    }
    const {pages, used, kept} = cache;
    const parts = [['used', 'in use', used], ['kept', 'kept', kept], ['free', 'free', pages - used - kept]];
    const unit = cache.tokensPerPage ? ` of ${cache.tokensPerPage} tokens` : '';
    return h('div', {class: 'cache'},
        h('h3', {class: 'dim'}, `Cache, ${short(pages)} pages${unit}`),
        bar(parts.map(([, name, count]) => `${short(count)} ${name}`).join(', '),
            parts.map(([className, , count]) => [className, share(count, pages)])),
        h('div', {class: 'keys dim', 'aria-hidden': 'true'}, ...parts.map(([className, name, count]) => h('span', {},
            h('i', {class: className}), `${name} ${short(count)} (${percent(count, pages)})`))));
}

function showExperts({models = [], time}) {
    const names = models.map(model => model.name);
    for (const [name, map] of maps) {
        if (!names.includes(name)) {
            map.element.remove();
            maps.delete(name);
        }
    }
    for (const model of models.filter(one => one.layers?.length > 0)) {
        if (!maps.has(model.name)) {
            const map = new HeatMap(model.name, $('tip'));
            maps.set(model.name, map);
            $('experts').append(map.element);
        }
        maps.get(model.name).update(model.layers, time ?? Date.now() / 1000);
    }
}

async function read(address) {
    const answer = await fetch(address, {cache: 'no-store', signal: AbortSignal.timeout(10_000)});
    if (!answer.ok) {
        throw new Error(answer.status === 401
            ? 'The server asks for a key: load the page again to enter one.'
            : `The server answered ${answer.status}.`);
    }
    return answer.json();
}

function say(text) {
    if ($('trouble').textContent !== text) {
        $('trouble').textContent = text;
    }
}

async function showStatus() {
    try {
        const status = await read('status.json');
        showLoad(status);
        showCharts(status);
        showModels(status);
        showAbout(status);
        const hadExperts = wantsExperts;
        wantsExperts = (status.models ?? []).some(model => model.state === 'loaded' && model.experts > 0);
        if (wantsExperts && !hadExperts) {
            tickExperts();
        }
        lastAnswer = new Date();
        say(status.draining ? 'The server is closing: it finishes what runs and takes nothing new.' : '');
        document.body.classList.remove('old');
    } catch (e) {
        const why = e instanceof TypeError || e.name === 'TimeoutError' ? 'The server does not answer.' : e.message;
        say(lastAnswer ? `${why} These figures are from ${lastAnswer.toLocaleTimeString()}.` : why);
        document.body.classList.add('old');
    }
}

async function tickExperts() {
    clearTimeout(tickExperts.timer);
    if (wantsExperts && !document.hidden) {
        try {
            showExperts(await read('experts.json'));
        } catch {
            // The other request says what is wrong.
        }
    }
    clearTimeout(tickExperts.timer);
    tickExperts.timer = setTimeout(tickExperts, EXPERTS_MILLIS);
}

async function tick() {
    if (!document.hidden) {
        await showStatus();
    }
    setTimeout(tick, STATUS_MILLIS);
}

function redraw() {
    for (const map of maps.values()) {
        map.redraw();
    }
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
new MutationObserver(redraw).observe(document.documentElement, {attributeFilter: ['data-theme']});
tick();
