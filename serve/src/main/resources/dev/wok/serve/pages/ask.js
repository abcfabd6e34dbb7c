// Asks the server, and reads the answer as it comes.

import {EventReader} from './sse.js';

/** Comments come every quarter of a minute while nothing else does. */
const SILENCE_MILLIS = 90_000;

/** Why there is no answer, or no more of it. */
export class Failure extends Error {
    /**
     * @param {'busy' | 'key' | 'refused' | 'broken' | 'lost'} kind too much to do; no key; the request is wrong; the
     *     server failed; the connection ended
     * @param {number} [retrySeconds] when to ask again
     */
    constructor(kind, message, retrySeconds) {
        super(message);
        this.kind = kind;
        this.retrySeconds = retrySeconds;
    }
}

/** @return {Promise<string[]>} */
export async function modelNames() {
    const answer = await response('v1/models', {});
    const json = await answer.json().catch(() => null);
    if (!Array.isArray(json?.data)) {
        throw new Failure('broken', 'The server gave no list of models.');
    }
    return json.data.map(model => String(model.id));
}

/**
 * @param {object} request the body of a chat completion
 * @param {AbortSignal} signal
 * @param {{onDelta: (delta: object) => void, onWaiting: () => void}} listener told of each piece, and when the server
 *     lets know that it is still there
 * @return {Promise<{finish: string, usage: object | null}>}
 * @throws Failure
 * @throws DOMException AbortError where it was stopped
 */
export async function ask(request, signal, listener) {
    const stop = new AbortController();
    const pass = () => stop.abort(signal.reason);
    signal.addEventListener('abort', pass);
    if (signal.aborted) {
        pass();
    }
    let silence;
    const heard = () => {
        clearTimeout(silence);
        silence = setTimeout(() => stop.abort(new Failure('lost', 'The server fell silent.')), SILENCE_MILLIS);
    };
    try {
        heard();
        const answer = await response('v1/chat/completions', {
            method: 'POST',
            headers: {'Content-Type': 'application/json', Accept: 'text/event-stream'},
            body: JSON.stringify({...request, stream: true, stream_options: {include_usage: true}}),
            signal: stop.signal
        });
        return await read(answer, listener, heard);
    } catch (e) {
        throw signal.aborted ? new DOMException('stopped', 'AbortError') : stop.signal.aborted ? stop.signal.reason : e;
    } finally {
        clearTimeout(silence);
        signal.removeEventListener('abort', pass);
        stop.abort();
    }
}

async function read(answer, listener, heard) {
    let finish = null;
    let usage = null;
    let ended = false;
    let failure = null;
    const events = new EventReader(data => {
        if (ended || failure) {
            return;
        }
        if (data === '[DONE]') {
            ended = true;
            return;
        }
        let chunk;
        try {
            chunk = JSON.parse(data);
        } catch {
            failure = new Failure('broken', 'The server sent something that cannot be read.');
            return;
        }
        if (chunk.error) {
            failure = new Failure('broken', chunk.error.message ?? 'The server failed.');
            return;
        }
        usage = chunk.usage ?? usage;
        const choice = chunk.choices?.[0];
        if (choice) {
            finish = choice.finish_reason ?? finish;
            listener.onDelta(choice.delta ?? {});
        }
    }, listener.onWaiting);

    const bytes = answer.body.getReader();
    const decoder = new TextDecoder();
    while (!failure) {
        let piece;
        try {
            piece = await bytes.read();
        } catch (e) {
            if (ended) {
                break;
            }
            throw e.name === 'AbortError' || e instanceof Failure ? e : new Failure('lost', 'The connection was lost.');
        }
        heard();
        if (piece.done) {
            break;
        }
        events.push(decoder.decode(piece.value, {stream: true}));
    }
    if (failure) {
        throw failure;
    }
    if (finish === null) {
        throw new Failure('lost', 'The connection ended before the answer did.');
    }
    return {finish, usage};
}

async function response(address, options) {
    let answer;
    try {
        answer = await fetch(address, options);
    } catch (e) {
        throw e.name === 'AbortError' || e instanceof Failure
            ? e
            : new Failure('lost', 'The server cannot be reached.');
    }
    if (answer.ok) {
        return answer;
    }
    const json = await answer.json().catch(() => null);
    const said = json?.error?.message;
    switch (answer.status) {
        case 401:
            throw new Failure('key', said ?? 'The server asks for a key.');
        case 429: {
            const seconds = Number.parseInt(answer.headers.get('Retry-After') ?? '', 10);
            const wait = Number.isNaN(seconds) ? 5 : Math.min(Math.max(seconds, 1), 600);
            throw new Failure('busy', said ?? 'The server has too much to do.', wait);
        }
        default:
            throw new Failure(answer.status < 500 ? 'refused' : 'broken', said ?? `The server answered ${answer.status}.`);
    }
}
