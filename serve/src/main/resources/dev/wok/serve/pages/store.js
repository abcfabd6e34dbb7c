// Conversations, kept in the browser. A conversation is a tree, since questions are changed and answers are asked for
// again: every message knows the one before it, and `leaf` is the last one of the branch that is shown.
//   { v: 1, id, title, created, updated, model, leaf, messages: [message, ...] }    in the order in which they came
//   message: { id, parent, role: 'user', text, at }
//          | { id, parent, role: 'assistant', text, thoughts, calls, model, at, finish, error, figures }

const PREFIX = 'wok.chat.';

export class Store {
    #storage;
    #chats = new Map();
    #onTrouble;

    /**
     * @param {Storage | null} storage null where the browser allows none
     * @param {(message: string) => void} onTrouble told when something could not be kept
     */
    constructor(storage, onTrouble = () => {}) {
        this.#storage = storage;
        this.#onTrouble = onTrouble;
        for (const key of storage ? Object.keys(storage) : []) {
            this.reread(key);
        }
    }

    /** Looks at what another page wrote. @return {string | null} which conversation that was */
    reread(key) {
        if (!key?.startsWith(PREFIX)) {
            return null;
        }
        const id = key.slice(PREFIX.length);
        const chat = readable(this.#storage.getItem(key));
        if (chat && chat.id === id) {
            this.#chats.set(id, chat);
        } else {
            this.#chats.delete(id);
        }
        return id;
    }

    /** @return {object[]} the one that changed last comes first */
    list() {
        return [...this.#chats.values()].sort((a, b) => b.updated - a.updated);
    }

    get(id) {
        return this.#chats.get(id) ?? null;
    }

    save(chat) {
        this.#chats.set(chat.id, chat);
        if (!this.#storage) {
            return;
        }
        try {
            this.#storage.setItem(PREFIX + chat.id, JSON.stringify(chat));
        } catch (e) {
            this.#onTrouble(e.name === 'QuotaExceededError' || e.name === 'NS_ERROR_DOM_QUOTA_REACHED'
                ? 'The browser has no room left: this conversation is lost when the page is closed. '
                    + 'Export it, or delete older ones.'
                : `The browser keeps nothing (${e.name}): this conversation is lost when the page is closed.`);
        }
    }

    remove(id) {
        this.#chats.delete(id);
        this.#storage?.removeItem(PREFIX + id);
    }
}

function readable(json) {
    try {
        const chat = JSON.parse(json);
        const whole = chat?.v === 1 && typeof chat.id === 'string' && typeof chat.title === 'string'
            && Array.isArray(chat.messages)
            && chat.messages.every(m => typeof m.id === 'string' && typeof m.text === 'string'
                && (m.role === 'user' || m.role === 'assistant'));
        return whole ? chat : null;
    } catch {
        return null;
    }
}

export function newChat(id, model, now = Date.now()) {
    return {v: 1, id, title: '', created: now, updated: now, model, leaf: null, messages: []};
}

export function message(chat, id) {
    return chat.messages.find(m => m.id === id) ?? null;
}

/** Puts a message behind another one, and shows it. */
export function add(chat, added) {
    chat.messages.push(added);
    chat.leaf = added.id;
    chat.updated = added.at;
    if (chat.title === '') {
        chat.title = titleOf(added.text);
    }
    return added;
}

export function titleOf(text) {
    const line = text.trim().split('\n', 1)[0].replace(/\s+/g, ' ');
    const signs = [...line];
    return signs.length <= 60 ? line : signs.slice(0, 59).join('').trimEnd() + '…';
}

/** @return {object[]} from the first message to the one with that id */
export function pathTo(chat, id) {
    const path = [];
    const seen = new Set();
    for (let m = message(chat, id); m && !seen.has(m.id); m = message(chat, m.parent)) {
        seen.add(m.id);
        path.unshift(m);
    }
    return path;
}

/** @return {{role: string, content: string}[]} what a model is told of a path: questions without an answer go together */
export function turns(path) {
    const told = [];
    for (const {role, text} of path.filter(m => m.text !== '')) {
        const last = told.at(-1);
        if (last?.role === role) {
            last.content += `\n\n${text}`;
        } else {
            told.push({role, content: text});
        }
    }
    return told;
}

/** @return {object[]} the messages that stand in the same place, this one among them */
export function versions(chat, one) {
    return chat.messages.filter(m => m.parent === one.parent);
}

/** Shows another version of a message, and what was said last after it. */
export function show(chat, id) {
    let leaf = id;
    for (let next = leaf; next; next = chat.messages.findLast(m => m.parent === leaf)?.id) {
        leaf = next;
    }
    chat.leaf = leaf;
}

/** Takes out a message that nothing follows; the one before it is shown. */
export function dropLeaf(chat, id) {
    const dropped = message(chat, id);
    if (dropped && !chat.messages.some(m => m.parent === id)) {
        chat.messages.splice(chat.messages.indexOf(dropped), 1);
        chat.leaf = dropped.parent;
    }
}

/** @return {string} the branch that is shown */
export function asMarkdown(chat) {
    const parts = [`# ${chat.title || 'Conversation'}`];
    for (const m of pathTo(chat, chat.leaf)) {
        parts.push(m.role === 'user' ? '## Question' : `## Answer${m.model ? ` (${m.model})` : ''}`);
        if (m.thoughts) {
            parts.push('<details><summary>Thoughts</summary>', m.thoughts.trim(), '</details>');
        }
        if (m.text) {
            parts.push(m.text.trim());
        }
        for (const call of m.calls ?? []) {
            parts.push(`Calls \`${call.name}\`:`, '```json\n' + call.arguments + '\n```');
        }
    }
    return parts.join('\n\n') + '\n';
}
