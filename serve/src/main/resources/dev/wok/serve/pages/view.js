// A message on the page.

import {button, duration, h, short} from './dom.js';
import {LiveMarkdown} from './live.js';

const FINISHES = {
    length: 'Ended at the limit of tokens.',
    stopped: 'Stopped.',
    deadline: 'Ended when its time was over.',
    content_filter: 'Ended by a filter.'
};

/** A question, with what can be done about it. */
export function questionView(message, versions, does) {
    const text = h('div', {class: 'bubble'}, message.text);
    return h('article', {class: 'question', 'data-id': message.id, 'aria-label': 'You'},
        text,
        h('footer', {class: 'actions'},
            versionSwitch(message, versions, does),
            button('Edit', 'quiet', () => does.edit(message)),
            copyButton(() => message.text, does)));
}

/** A question that is being changed. */
export function questionEditor(message, does) {
    const area = h('textarea', {'aria-label': 'Your question', rows: '1'});
    const send = () => area.value.trim() && does.ask(message, area.value);
    area.value = message.text;
    area.addEventListener('keydown', event => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            send();
        } else if (event.key === 'Escape') {
            event.stopPropagation();
            does.leave(message);
        }
    });
    return h('article', {class: 'question editing', 'data-id': message.id, 'aria-label': 'You'},
        area,
        h('footer', {class: 'actions'},
            button('Cancel', 'quiet', () => does.leave(message)),
            button('Send', 'plain', send)));
}

function versionSwitch(message, versions, does) {
    if (versions.length < 2) {
        return null;
    }
    const at = versions.indexOf(message);
    const step = (label, sign, to) => button(sign, 'quiet step', () => does.show(versions[to]),
        {'aria-label': label, disabled: to < 0 || to >= versions.length});
    return h('span', {class: 'versions'},
        step('Version before', '‹', at - 1),
        h('span', {}, `${at + 1}/${versions.length}`),
        step('Next version', '›', at + 1));
}

function copyButton(text, does) {
    return button('Copy', 'quiet', event => does.copy(text(), event.currentTarget));
}

/** An answer that may still grow. */
export class AnswerView {
    #message;
    #does;
    #shownText = 0;
    #shownThoughts = 0;
    #shownCalls = '';
    #markdown;
    #thoughtsMarkdown;
    #touched = false;
    #thoughts;
    #summary;
    #body;
    #calls;
    #notice;
    #footer;

    constructor(message, does) {
        this.#message = message;
        this.#does = does;
        this.#summary = h('summary', {on: {click: () => { this.#touched = true; }}});
        const thoughts = h('div', {class: 'text'});
        this.#thoughts = h('details', {class: 'thoughts', hidden: true}, this.#summary, thoughts);
        this.#body = h('div', {class: 'text'});
        this.#calls = h('div', {class: 'calls'});
        this.#notice = h('div', {class: 'notice', hidden: true});
        this.#footer = h('footer', {class: 'actions'});
        this.#markdown = new LiveMarkdown(this.#body);
        this.#thoughtsMarkdown = new LiveMarkdown(thoughts);
        this.element = h('article', {class: 'answer', 'data-id': message.id, 'aria-label': message.model || 'Answer'},
            this.#thoughts, this.#body, this.#calls, this.#notice, this.#footer);
    }

    isOf(message) {
        return this.#message === message;
    }

    /**
     * Shows what came since the last time.
     *
     * @param {object | null} run what is still going on
     * @param {object[]} versions
     */
    update(run, versions) {
        const {text, thoughts} = this.#message;
        if (thoughts.length > this.#shownThoughts) {
            this.#thoughtsMarkdown.append(thoughts.slice(this.#shownThoughts));
            this.#shownThoughts = thoughts.length;
        }
        if (text.length > this.#shownText) {
            this.#markdown.append(text.slice(this.#shownText));
            this.#shownText = text.length;
        }
        this.#showThoughts(run);
        this.#showCalls();
        this.element.classList.toggle('growing', run !== null);
        this.element.setAttribute('aria-busy', run !== null);
        this.#showNotice(run);
        if (run) {
            this.#footer.replaceChildren();
        } else {
            this.#showFooter(versions);
        }
    }

    #showThoughts(run) {
        const {thoughts, text, figures} = this.#message;
        if (thoughts === '') {
            return;
        }
        const thinking = run !== null && text === '' && this.#message.calls.length === 0;
        const seconds = thinking ? (performance.now() - run.thinkingSince) / 1000 : figures?.thinkingSeconds;
        const tokens = figures?.thoughtTokens ? ` · ${short(figures.thoughtTokens)} tokens` : '';
        const label = thinking
            ? `Thinking… ${Math.floor(seconds)} s`
            : seconds === undefined ? 'Thoughts' : `Thought for ${duration(seconds)}${tokens}`;
        if (this.#summary.textContent !== label) {
            this.#summary.textContent = label;
        }
        this.#thoughts.hidden = false;
        this.#thoughts.classList.toggle('growing', thinking);
        if (!this.#touched && this.#thoughts.open !== thinking) {
            this.#thoughts.open = thinking;
        }
    }

    #showCalls() {
        const now = JSON.stringify(this.#message.calls);
        if (now === this.#shownCalls) {
            return;
        }
        this.#shownCalls = now;
        this.#calls.replaceChildren(...this.#message.calls.map(call => h('figure', {class: 'code call'},
            h('figcaption', {}, h('span', {}, 'Calls ', h('b', {}, call.name))),
            h('pre', {tabindex: '0'}, h('code', {}, pretty(call.arguments))))));
    }

    #showNotice(run) {
        const parts = run ? this.#progress(run) : this.#ending();
        this.#notice.hidden = parts.length === 0;
        if (this.#notice.textContent !== parts.map(part => part.textContent ?? part).join('')) {
            this.#notice.replaceChildren(...parts);
        }
        this.#notice.classList.toggle('error', !run && Boolean(this.#message.error));
    }

    #progress(run) {
        switch (run.state) {
            case 'busy': {
                const seconds = Math.max(0, Math.ceil((run.until - performance.now()) / 1000));
                return [`${run.said} Asking again in ${seconds} s. `, button('Ask now', 'plain', () => run.askNow())];
            }
            case 'asking':
                return [h('span', {class: 'pulse'}, run.waits ? 'Waiting in the queue' : 'Waiting for the first token')];
            default:
                return [];
        }
    }

    /** Whether the notice has a button for it. */
    get #offersRetry() {
        return Boolean(this.#message.error) || this.#message.finish === null;
    }

    #ending() {
        const {error, finish, text, thoughts, calls} = this.#message;
        if (error?.kind === 'key') {
            return [`${error.message} Load the page again to enter one. `,
                button('Load again', 'plain', () => location.reload())];
        }
        if (error) {
            return [`${error.message} `, button('Try again', 'plain', () => this.#does.retry(this.#message))];
        }
        if (finish === null) {
            return ['Interrupted. ', button('Try again', 'plain', () => this.#does.retry(this.#message))];
        }
        if (FINISHES[finish]) {
            return [FINISHES[finish]];
        }
        return text === '' && thoughts === '' && calls.length === 0 ? ['The model said nothing.'] : [];
    }

    #showFooter(versions) {
        const figures = figuresText(this.#message.figures);
        const parts = [
            versionSwitch(this.#message, versions, this.#does),
            this.#message.text ? copyButton(() => this.#message.text, this.#does) : null,
            this.#offersRetry ? null : button('Retry', 'quiet', () => this.#does.retry(this.#message)),
            figures ? h('span', {class: 'figures', title: figures.title}, figures.text) : null
        ];
        this.#footer.replaceChildren(...parts.filter(part => part !== null));
    }
}

function pretty(json) {
    try {
        return JSON.stringify(JSON.parse(json), null, 2);
    } catch {
        return json;
    }
}

function figuresText(figures) {
    if (!figures?.tokens) {
        return null;
    }
    const parts = [`${figures.counted ? '' : '≈ '}${short(figures.tokens)} tokens`];
    if (figures.tokensPerSecond) {
        parts.push(`${short(figures.tokensPerSecond)} tokens/s`);
    }
    if (figures.firstSeconds !== undefined) {
        parts.push(`first after ${duration(figures.firstSeconds)}`);
    }
    if (figures.promptTokens) {
        parts.push(`${short(figures.cachedTokens)} of ${short(figures.promptTokens)} read from the cache`);
    }
    const title = 'Tokens of the answer, how fast they came, how long the first took, '
        + 'and how much of the conversation was still known to the server';
    return {text: parts.join(' · '), title};
}
