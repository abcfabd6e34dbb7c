// Server-sent events, read from text that may be cut anywhere.

export class EventReader {
    #rest = '';
    #afterReturn = false;
    #data = [];
    #name = '';
    #onEvent;
    #onComment;

    /**
     * @param {(data: string, name: string) => void} onEvent
     * @param {() => void} onComment
     */
    constructor(onEvent, onComment = () => {}) {
        this.#onEvent = onEvent;
        this.#onComment = onComment;
    }

    push(text) {
        let from = 0;
        if (this.#afterReturn && text !== '') {
            from = text[0] === '\n' ? 1 : 0;
            this.#afterReturn = false;
        }
        const ends = /\r\n|\n|\r/g;
        ends.lastIndex = from;
        for (let end = ends.exec(text); end; end = ends.exec(text)) {
            const line = this.#rest + text.slice(from, end.index);
            this.#rest = '';
            from = ends.lastIndex;
            this.#afterReturn = end[0] === '\r' && from === text.length;
            this.#line(line);
        }
        this.#rest += text.slice(from);
    }

    #line(line) {
        if (line === '') {
            if (this.#data.length > 0) {
                this.#onEvent(this.#data.join('\n'), this.#name || 'message');
            }
            this.#data = [];
            this.#name = '';
            return;
        }
        const colon = line.indexOf(':');
        if (colon === 0) {
            this.#onComment();
            return;
        }
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
        if (field === 'data') {
            this.#data.push(value);
        } else if (field === 'event') {
            this.#name = value;
        }
    }
}
