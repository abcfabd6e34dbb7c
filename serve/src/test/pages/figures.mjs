// What a busy server says of itself.

/** @return {() => number} the same numbers in [0, 1) each time */
function random(seed) {
    let state = seed;
    return () => {
        state = state * 1664525 + 1013904223 >>> 0;
        return state / 2 ** 32;
    };
}

export function busyStatus() {
    const next = random(1);
    const out = Array.from({length: 150}, (_, i) => Math.max(0, 300 + 120 * Math.sin(i / 14) + 50 * next()));
    const read = Array.from({length: 150}, (_, i) => i % 17 < 4 ? 2400 * next() + 800 : 40 * next());
    return {
        version: '0.1.0', time: 1.76e9, uptimeSeconds: 7512, draining: false,
        load: {running: 13, sequences: 16, waiting: 5, queue: 64, connections: 21, requests: 4812, refused: 37},
        tokens: {in: 1_203_450, cached: 801_000, out: 456_780},
        history: {seconds: 2, in: read, cached: read.map(value => value * 0.6), out},
        latency: {
            firstToken: {p50: 0.21, p99: 1.42, count: 4800},
            betweenTokens: {p50: 0.0243, p99: 0.051, count: 452_000}
        },
        memory: {heapUsed: 1.2e9, heapMax: 4.3e9},
        models: [{
            name: 'deepseek-v3', state: 'loaded', error: null, architecture: 'DeepseekV3ForCausalLM',
            parameters: 671e9, activeParameters: 37e9, type: 'int4', device: 'cpu', context: 163_840, layers: 61,
            hidden: 7168, vocabulary: 129_280, experts: 256, expertsPerToken: 8, sharedExperts: 1, running: 13,
            waiting: 5, sequences: 16, cache: {pages: 4096, used: 912, kept: 2210, tokensPerPage: 64},
            tokens: {in: 1_203_450, cached: 801_000, out: 456_780}, steps: 34_567,
            drafts: {guessed: 1000, accepted: 812}
        }, {
            name: 'small-<b>bold</b>', state: 'idle', error: null
        }]
    };
}

/** @return {object} counts that grow with the number of the call */
export function expertUse(call, layers = 58, experts = 256) {
    const next = random(7);
    const weights = Array.from({length: layers}, (_, i) =>
        Array.from({length: experts}, () => Math.exp((0.15 + 0.7 * i / layers) * (next() + next() + next() - 1.5) * 2)));
    return {
        time: 1.76e9 + call * 10,
        models: [{
            name: 'deepseek-v3',
            layers: weights.map((row, i) => ({layer: i + 3, counts: row.map(w => Math.round(w * 1000 * (call + 1)))}))
        }]
    };
}
