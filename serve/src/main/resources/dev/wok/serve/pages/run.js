// One answer while it comes about: asked for, waited for, read, stopped.

import {ask, Failure} from './ask.js';

const ATTEMPTS = 5;
const SAVE_MILLIS = 2000;

export class Run {
    /** @type {'asking' | 'busy' | 'thinking' | 'saying'} */
    state = 'asking';

    /** Whether the server said that it is still there, before anything else. */
    waits = false;

    /** When it is asked again, on the page's clock, and why not at once. */
    until = 0;
    said = '';

    /** On the page's clock. */
    thinkingSince = 0;

    #request;
    #does;
    #controller = new AbortController();
    #wake = () => {};
    #drawing = false;
    #drawnMillis = 0;
    #savedAt = 0;
    #ended = false;

    /**
     * @param {object} answer the message that grows
     * @param {object} request what is asked
     * @param {{show: () => void, save: () => void, speak: (text: string) => void, end: () => void}} does
     */
    constructor(answer, request, does) {
        this.answer = answer;
        this.#request = request;
        this.#does = does;
    }

    stop() {
        this.#controller.abort();
        this.#wake();
    }

    askNow() {
        this.#wake();
    }

    async begin() {
        const {answer} = this;
        const clock = setInterval(() => this.#draw(), 250);
        this.#does.speak('Waiting for the answer.');
        try {
            await this.#attempts();
            const tokens = answer.figures.tokens;
            this.#does.speak(`The answer is complete${tokens ? `, ${tokens} tokens` : ''}.`);
        } catch (e) {
            if (e.name === 'AbortError') {
                answer.finish = 'stopped';
                this.#does.speak('Stopped.');
            } else {
                answer.finish = 'failed';
                answer.error = {kind: e instanceof Failure ? e.kind : 'broken', message: e.message};
                this.#does.speak(e.message);
            }
        } finally {
            clearInterval(clock);
            this.#ended = true;
            this.#does.end();
        }
    }

    async #attempts() {
        const {answer} = this;
        for (let attempt = 1; ; attempt++) {
            try {
                await this.#attempt();
                return;
            } catch (e) {
                if (e.kind !== 'busy' || attempt === ATTEMPTS || answer.text || answer.thoughts) {
                    throw e;
                }
                await this.#rest(e);
            }
        }
    }

    async #attempt() {
        const {answer} = this;
        const times = {asked: performance.now(), first: 0, last: 0, said: 0, pieces: 0};
        let usage = null;
        this.state = 'asking';
        try {
            const ended = await ask(this.#request, this.#controller.signal, {
                onWaiting: () => {
                    this.waits = true;
                },
                onDelta: delta => this.#take(delta, times)
            });
            answer.finish = ended.finish;
            usage = ended.usage;
        } finally {
            answer.figures = figures(times, usage, this.thinkingSince);
        }
    }

    #take(delta, times) {
        const {answer} = this;
        const thoughts = delta.reasoning_content ?? '';
        const text = delta.content ?? '';
        const calls = delta.tool_calls ?? [];
        if (!thoughts && !text && calls.length === 0) {
            return;
        }
        times.pieces++;
        times.last = performance.now();
        times.first ||= times.last;
        if (thoughts && this.state === 'asking') {
            this.#enter('thinking', 'Thinking.');
            this.thinkingSince = times.last;
        } else if (!thoughts && this.state !== 'saying') {
            this.#enter('saying', 'Answering.');
            times.said = times.last;
            answer.figures = figures(times, null, this.thinkingSince);
        }
        answer.thoughts += thoughts;
        answer.text += text;
        for (const part of calls) {
            const call = answer.calls[part.index] ??= {id: '', name: '', arguments: ''};
            call.id ||= part.id ?? '';
            call.name ||= part.function?.name ?? '';
            call.arguments += part.function?.arguments ?? '';
        }
        this.#draw();
    }

    #enter(state, spoken) {
        this.state = state;
        this.#does.speak(spoken);
    }

    /** Waits as long as the server asked for, or until the person does not want to any longer. */
    async #rest(failure) {
        const millis = failure.retrySeconds * 1000;
        this.state = 'busy';
        this.said = failure.message;
        this.until = performance.now() + millis;
        this.#does.speak(`${failure.message} Asking again in ${failure.retrySeconds} seconds.`);
        this.#draw();
        await new Promise(done => {
            const timer = setTimeout(done, millis);
            this.#wake = () => {
                clearTimeout(timer);
                done();
            };
        });
        this.#controller.signal.throwIfAborted();
    }

    /** Shows what is new with the next picture; drawing takes a fifth of the time at most. */
    #draw() {
        if (this.#drawing) {
            return;
        }
        this.#drawing = true;
        setTimeout(() => requestAnimationFrame(() => {
            this.#drawing = false;
            if (this.#ended) {
                return;
            }
            const before = performance.now();
            this.#does.show();
            this.#drawnMillis = performance.now() - before;
            if (before - this.#savedAt > SAVE_MILLIS && (this.answer.text || this.answer.thoughts)) {
                this.#savedAt = before;
                this.#does.save();
            }
        }), 4 * this.#drawnMillis);
    }
}

/** @return {object} what is known of an answer's speed and size; the server's own counts come with its end only */
function figures({asked, first, last, said, pieces}, usage, thinkingSince) {
    const tokens = usage?.completion_tokens ?? pieces;
    const seconds = (last - first) / 1000;
    return {
        counted: usage !== null,
        tokens,
        tokensPerSecond: tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : undefined,
        firstSeconds: first ? (first - asked) / 1000 : undefined,
        promptTokens: usage?.prompt_tokens,
        cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? usage?.prompt_cache_hit_tokens ?? 0,
        thoughtTokens: usage?.completion_tokens_details?.reasoning_tokens,
        thinkingSeconds: thinkingSince ? ((said || last) - thinkingSince) / 1000 : undefined
    };
}
