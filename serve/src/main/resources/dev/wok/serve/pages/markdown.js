// Markdown as language models write it, read into a tree that can hold nothing but what is named here, so that no text
// becomes markup. A node is a string or one of
//   { tag, children, href?, cls?, start?, align? }    tag: one of TAGS
//   { tag: 'pre', lang, text }                        code in a fence
// Not read: HTML but <br>, code by indentation, headings by underlining, references. LaTeX stays as it is.

export const TAGS = new Set([
    'p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'br', 'blockquote', 'ul', 'ol', 'li', 'pre', 'div', 'table', 'thead',
    'tbody', 'tr', 'th', 'td', 'strong', 'em', 'del', 'code', 'a', 'span']);

const MAX_DEPTH = 24;
const MAX_OPEN = 64;
const MAX_RUN = 8;
const MAX_LINK = 2000;
const MAX_MATH = 4000;
const MAX_MATH_LINES = 60;

/** @return {{line: number, node: object}[]} blocks and the line at which each begins */
function blocks(lines, depth = 0) {
    const found = [];
    let i = 0;
    while (i < lines.length) {
        if (isBlank(lines[i])) {
            i++;
            continue;
        }
        const [node, next] = block(lines, i, depth);
        found.push({line: i, node});
        i = next;
    }
    return found;
}

/** @return {object[]} the tree of a whole text */
export function parse(text) {
    return blocks(linesOf(text)).map(b => b.node);
}

function linesOf(text) {
    return text.replaceAll('\r', '').split('\n');
}

/** Text that comes in pieces. What is settled, whatever follows, is not read again. */
export class Growing {
    #rest = '';

    /** @return {{nodes: object[], settled: number}} all but what was settled before, and how many of these are now */
    append(text) {
        this.#rest += text;
        const lines = linesOf(this.#rest);
        const found = blocks(lines);
        let settled = 0;
        // The last line may not be whole, and it may make a table of the one before it.
        while (settled + 1 < found.length && found[settled + 1].line < lines.length - 2) {
            settled++;
        }
        if (settled > 0) {
            this.#rest = lines.slice(found[settled].line).join('\n');
        }
        return {nodes: found.map(b => b.node), settled};
    }
}

function block(lines, i, depth) {
    const line = lines[i];
    const fence = fenceOf(line);
    if (fence) {
        return code(lines, i, fence);
    }
    const math = mathBlock(lines, i);
    if (math) {
        return math;
    }
    const heading = headingOf(line);
    if (heading) {
        return [heading, i + 1];
    }
    if (isRule(line)) {
        return [{tag: 'hr', children: []}, i + 1];
    }
    if (isTable(lines, i)) {
        return table(lines, i);
    }
    if (depth < MAX_DEPTH) {
        if (isQuote(line)) {
            return quote(lines, i, depth);
        }
        const item = itemOf(line);
        if (item) {
            return list(lines, i, item, depth);
        }
    }
    return paragraph(lines, i, depth);
}

function isBlank(line) {
    return line.trim() === '';
}

/** @return how many columns of white space it begins with */
function indentOf(line) {
    let columns = 0;
    for (const c of line) {
        if (c === ' ') {
            columns++;
        } else if (c === '\t') {
            columns += 4 - columns % 4;
        } else {
            break;
        }
    }
    return columns;
}

/** @return the line without so many columns of white space at its beginning, or as many as there are */
function outdent(line, columns) {
    const indent = indentOf(line);
    return ' '.repeat(Math.max(0, indent - columns)) + line.trimStart();
}

function fenceOf(line) {
    const match = /^\s*(`{3,}|~{3,})(.*)$/.exec(line);
    if (!match || match[1][0] === '`' && match[2].includes('`')) {
        return null;
    }
    return {indent: indentOf(line), mark: match[1], lang: match[2].trim().split(/\s/, 1)[0].slice(0, 40)};
}

function code(lines, i, fence) {
    const text = [];
    let next = i + 1;
    for (; next < lines.length; next++) {
        const trimmed = lines[next].trim();
        if (trimmed.length >= fence.mark.length && trimmed === fence.mark[0].repeat(trimmed.length)) {
            next++;
            break;
        }
        text.push(fence.indent === 0 ? lines[next] : outdent(lines[next], Math.min(fence.indent, indentOf(lines[next]))));
    }
    return [{tag: 'pre', lang: fence.lang, text: text.join('\n')}, next];
}

function mathBlock(lines, i) {
    const first = lines[i].trim();
    const close = first.startsWith('$$') ? '$$' : first.startsWith('\\[') ? '\\]' : null;
    if (!close) {
        return null;
    }
    const at = first.indexOf(close, 2);
    if (at >= 0 && at + 2 < first.length) {
        return null;
    }
    let next = i + 1;
    if (at < 0) {
        while (next < lines.length && next < i + MAX_MATH_LINES && !isBlank(lines[next])) {
            if (lines[next++].includes(close)) {
                break;
            }
        }
    }
    return [{tag: 'div', cls: 'math', children: [lines.slice(i, next).join('\n').trim()]}, next];
}

function headingOf(line) {
    const match = /^\s*(#{1,6})(?=\s|$)/.exec(line);
    if (!match) {
        return null;
    }
    const text = line.trim().slice(match[1].length).trim();
    let length = text.length;
    while (text[length - 1] === '#') {
        length--;
    }
    const closed = length === 0 || /\s/.test(text[length - 1]);
    return {tag: 'h' + match[1].length, children: inline(closed ? text.slice(0, length).trim() : text)};
}

function isRule(line) {
    const bare = line.replace(/\s/g, '');
    return bare.length >= 3 && '-*_'.includes(bare[0]) && bare === bare[0].repeat(bare.length);
}

function isQuote(line) {
    return /^\s*>/.test(line);
}

function quote(lines, i, depth) {
    const inner = [];
    let next = i;
    while (next < lines.length && !isBlank(lines[next])) {
        if (isQuote(lines[next])) {
            inner.push(lines[next].replace(/^\s*> ?/, ''));
        } else if (isBlank(inner.at(-1)) || begins(lines, next)) {
            break;
        } else {
            inner.push(lines[next]);
        }
        next++;
    }
    return [{tag: 'blockquote', children: blocks(inner, depth + 1).map(b => b.node)}, next];
}

function itemOf(line) {
    const match = /^(\s*)([-*+]|\d{1,9}[.)])(\s+|$)/.exec(line);
    if (!match || isRule(line)) {
        return null;
    }
    const indent = indentOf(line);
    const empty = match[0].length === line.length;
    const gap = empty || match[3].length > 4 ? 1 : match[3].length;
    return {
        indent,
        content: indent + match[2].length + gap,
        kind: match[2].at(-1),
        start: Number.parseInt(match[2], 10),
        empty,
        text: empty ? '' : line.slice(match[1].length + match[2].length + gap)
    };
}

function list(lines, i, first, depth) {
    const items = [];
    let item = first;
    let inner = [first.text];
    let loose = false;
    let next = i + 1;
    for (; next < lines.length; next++) {
        const line = lines[next];
        if (isBlank(line)) {
            inner.push('');
            continue;
        }
        const afterBlank = isBlank(inner.at(-1));
        const marker = itemOf(line);
        const indent = indentOf(line);
        if (indent >= item.content || marker && indent >= item.indent + 2) {
            inner.push(outdent(line, item.content));
        } else if (marker && marker.kind === first.kind) {
            loose ||= afterBlank && inner.length > 1;
            items.push(inner);
            item = marker;
            inner = [marker.text];
        } else if (afterBlank || marker || begins(lines, next)) {
            break;
        } else {
            inner.push(line);
        }
    }
    items.push(inner);
    const contents = items.map(one => {
        while (one.length > 1 && isBlank(one.at(-1))) {
            one.pop();
        }
        const found = blocks(one, depth + 1);
        loose ||= found.some((b, k) => k > 0 && isBlank(one[b.line - 1]) && b.node.tag === 'p');
        return found.map(b => b.node);
    });
    const children = contents.map(nodes => ({tag: 'li', children: loose ? nodes.map(ticked) : nodes.flatMap(unwrapped)}));
    const ordered = !Number.isNaN(first.start);
    return [ordered ? {tag: 'ol', start: first.start, children} : {tag: 'ul', children}, next];
}

function unwrapped(node) {
    return node.tag === 'p' ? ticked(node).children : [node];
}

/** Boxes of things to do at the beginning of an item. */
function ticked(node, at) {
    const text = node.children?.[0];
    const box = at === 0 || at === undefined ? /^\[([ xX])\] /.exec(typeof text === 'string' ? text : '') : null;
    if (node.tag !== 'p' || !box) {
        return node;
    }
    return {...node, children: [(box[1] === ' ' ? '☐ ' : '☑ ') + text.slice(4), ...node.children.slice(1)]};
}

function cells(line) {
    let row = line.trim();
    if (row.startsWith('|')) {
        row = row.slice(1);
    }
    if (row.endsWith('|') && !row.endsWith('\\|')) {
        row = row.slice(0, -1);
    }
    const found = [''];
    for (const piece of row.match(/\\\||\||`[^`]+`|[^|\\`]+|[\\`]/g) ?? []) {
        if (piece === '|') {
            found.push('');
        } else {
            found[found.length - 1] += piece;
        }
    }
    return found.map(cell => cell.trim().replaceAll('\\|', '|'));
}

function isTable(lines, i) {
    if (i + 1 >= lines.length || !lines[i].includes('|') || !/^[\s|:-]+$/.test(lines[i + 1])) {
        return false;
    }
    const marks = cells(lines[i + 1]);
    return marks.every(mark => /^:?-+:?$/.test(mark)) && marks.length === cells(lines[i]).length;
}

function table(lines, i) {
    const aligns = cells(lines[i + 1]).map(mark => {
        const left = mark.startsWith(':');
        return mark.endsWith(':') ? left ? 'center' : 'right' : left ? 'left' : undefined;
    });
    const row = (line, tag) => {
        const texts = cells(line);
        const children = aligns.map((align, k) => ({tag, align, children: inline(texts[k] ?? '')}));
        return {tag: 'tr', children};
    };
    const body = [];
    let next = i + 2;
    while (next < lines.length && !isBlank(lines[next]) && (lines[next].includes('|') || !begins(lines, next))) {
        body.push(row(lines[next], 'td'));
        next++;
    }
    const rows = [{tag: 'thead', children: [row(lines[i], 'th')]}, {tag: 'tbody', children: body}];
    return [{tag: 'div', cls: 'table', children: [{tag: 'table', children: rows}]}, next];
}

/** @return whether a line ends a paragraph because something else begins */
function begins(lines, i) {
    const line = lines[i];
    if (fenceOf(line) || headingOf(line) || isRule(line) || isQuote(line) || isTable(lines, i) || mathBlock(lines, i)) {
        return true;
    }
    const item = itemOf(line);
    return item !== null && !item.empty && (Number.isNaN(item.start) || item.start === 1);
}

function paragraph(lines, i, depth) {
    let next = i + 1;
    while (next < lines.length && !isBlank(lines[next]) && (depth >= MAX_DEPTH || !begins(lines, next))) {
        next++;
    }
    const text = lines.slice(i, next).map(line => line.trim()).join('\n');
    return [{tag: 'p', children: inline(text)}, next];
}

/** @return {string | null} the address, where it is one that may be linked */
export function safeLink(address) {
    return /^(?:https?:\/\/|mailto:)[^\s\p{Cc}]+$/iu.test(address) && address.length <= MAX_LINK ? address : null;
}

const SPECIAL = /\\|`+|\*+|_+|~{2,}|!?\[|\]|<|\$\$?|&|https?:\/\//gi;
const PUNCTUATION = /[\p{P}\p{S}]/u;
/** These scripts write without spaces, so emphasis may end or begin between two of their letters. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u;
const ENTITIES = {amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'", nbsp: '\u00a0'};

/** @return {(string | object)[]} the nodes of a text without blocks */
export function inline(text) {
    const items = [];
    const brackets = [];
    const ends = new Map();
    const missing = new Set();
    let at = 0;

    const add = item => {
        if (typeof item === 'string' && typeof items.at(-1) === 'string') {
            items[items.length - 1] += item;
        } else if (item !== '') {
            items.push(item);
        }
    };
    /** Looks for the end of mathematics; what was found, or not, is not looked for again. */
    const end = (what, from) => {
        let found = ends.get(what) ?? -1;
        if (found < from) {
            found = text.indexOf(what, from);
            ends.set(what, found < 0 ? Infinity : found);
        }
        return found >= 0 && found - from <= MAX_MATH ? found : -1;
    };

    while (at < text.length) {
        SPECIAL.lastIndex = at;
        const match = SPECIAL.exec(text);
        if (!match) {
            add(text.slice(at));
            break;
        }
        add(text.slice(at, match.index));
        const [mark] = match;
        const start = match.index;
        at = start + mark.length;
        switch (mark[0]) {
            case '\\': {
                const next = text[at] ?? '';
                const close = next === '(' ? end('\\)', at + 1) : next === '[' ? end('\\]', at + 1) : -1;
                if (close >= 0) {
                    at = close + 2;
                    add({tag: 'span', cls: 'math', children: [text.slice(start, at)]});
                } else if (next === '(' || next === '[' || next === ')' || next === ']' || !/[!-/:-@[-`{-~]/.test(next)) {
                    add('\\');
                } else {
                    add(next);
                    at++;
                }
                break;
            }
            case '`': {
                const close = codeEnd(text, at, mark, missing);
                if (close < 0) {
                    add(mark);
                } else {
                    const inner = text.slice(at, close).replaceAll('\n', ' ');
                    const padded = inner.length > 2 && inner.startsWith(' ') && inner.endsWith(' ');
                    add({tag: 'code', children: [padded ? inner.slice(1, -1) : inner]});
                    at = close + mark.length;
                }
                break;
            }
            case '*':
            case '_':
            case '~':
                add(delimiter(text, start, mark));
                break;
            case '!':
            case '[':
                brackets.push({at: items.length, mark});
                items.push({sign: mark, count: 1, opens: false, closes: false});
                break;
            case ']': {
                const bracket = brackets.pop();
                const target = bracket && text[at] === '(' ? targetOf(text, at) : null;
                const href = target && safeLink(target.address);
                if (!href) {
                    add(mark);
                    break;
                }
                const inner = emphasized(items.splice(bracket.at).slice(1));
                add({tag: 'a', href, children: inner.length ? inner : [href]});
                brackets.length = bracket.mark === '[' ? 0 : brackets.length;
                at = target.end;
                break;
            }
            case '<': {
                const auto = /(?:(br\s{0,9}\/?)|(https?:\/\/[^\s<>]{1,2000}|mailto:[^\s<>]{1,300}))>/iy;
                auto.lastIndex = at;
                const found = auto.exec(text);
                if (!found) {
                    add(mark);
                } else {
                    add(found[1] ? {tag: 'br', children: []} : {tag: 'a', href: found[2], children: [found[2]]});
                    at = auto.lastIndex;
                }
                break;
            }
            case '$': {
                const close = mathEnd(text, at, mark, end);
                if (close < 0) {
                    add(mark);
                } else {
                    at = close + mark.length;
                    add({tag: 'span', cls: 'math', children: [text.slice(start, at)]});
                }
                break;
            }
            case '&': {
                const entity = /([a-z]{2,4}|#39);/y;
                entity.lastIndex = at;
                const found = entity.exec(text);
                if (found && Object.hasOwn(ENTITIES, found[1])) {
                    add(ENTITIES[found[1]]);
                    at = entity.lastIndex;
                } else {
                    add(mark);
                }
                break;
            }
            default: {
                const href = bareLink(text, start);
                if (href) {
                    add({tag: 'a', href, children: [href]});
                    at = start + href.length;
                } else {
                    add(mark);
                }
            }
        }
    }
    return emphasized(items);
}

function codeEnd(text, from, mark, missing) {
    if (missing.has(mark)) {
        return -1;
    }
    const runs = /`+/g;
    runs.lastIndex = from;
    for (let run = runs.exec(text); run; run = runs.exec(text)) {
        if (run[0].length === mark.length) {
            return run.index;
        }
    }
    missing.add(mark);
    return -1;
}

/** Prices are no mathematics: between single signs there is no space at the ends, and no digit follows. */
function mathEnd(text, from, mark, end) {
    if (mark === '$$') {
        return end('$$', from);
    }
    if (!/\S/.test(text[from] ?? '')) {
        return -1;
    }
    const line = text.slice(from, from + 400).split('\n', 1)[0];
    for (let at = line.indexOf('$'); at >= 0; at = line.indexOf('$', at + 1)) {
        if (at > 0 && /[^\s\\$]/.test(line[at - 1]) && !/[\d$]/.test(text[from + at + 1] ?? '')) {
            return from + at;
        }
    }
    return -1;
}

function targetOf(text, open) {
    const target = /\(\s{0,9}(?:<([^<>\n]{0,2000})>|((?:[^\s()]|\([^\s()]{0,200}\)){0,2000}))(?:\s{1,9}(?:"[^"]{0,300}"|'[^']{0,300}'))?\s{0,9}\)/y;
    target.lastIndex = open;
    const found = target.exec(text);
    return found && {address: found[1] ?? found[2], end: target.lastIndex};
}

function bareLink(text, start) {
    if (start > 0 && /[\p{L}\p{N}]/u.test(text[start - 1])) {
        return null;
    }
    const url = /https?:\/\/[^\s<>"`|\\，。；：！？、（）【】「」『』《》]{1,2000}/iy;
    url.lastIndex = start;
    let found = url.exec(text)?.[0] ?? '';
    for (let last = ''; last !== found;) {
        last = found;
        found = found.replace(/[?!.,:;*_~'\]}]$/, '');
        if (found.endsWith(')') && !found.includes('(')) {
            found = found.slice(0, -1);
        }
    }
    return safeLink(found);
}

function delimiter(text, start, mark) {
    const sign = mark[0];
    if (mark.length > MAX_RUN || sign === '~' && mark.length !== 2) {
        return mark;
    }
    const before = [...text.slice(Math.max(0, start - 2), start)].at(-1) ?? ' ';
    const after = String.fromCodePoint(text.codePointAt(start + mark.length) ?? 32);
    const edge = c => /\s/.test(c) || PUNCTUATION.test(c);
    const left = !/\s/.test(after) && (!PUNCTUATION.test(after) || edge(before) || UNSPACED.test(before));
    const right = !/\s/.test(before) && (!PUNCTUATION.test(before) || edge(after) || UNSPACED.test(after));
    const inWord = sign === '_';
    return {
        sign,
        count: mark.length,
        opens: left && (!inWord || !right || PUNCTUATION.test(before)),
        closes: right && (!inWord || !left || PUNCTUATION.test(after))
    };
}

function emphasized(items) {
    const done = [];
    const open = [];
    for (const item of items) {
        if (item.sign === undefined) {
            done.push(item);
            continue;
        }
        let count = item.count;
        while (item.closes && count > 0) {
            const k = open.findLastIndex(o => matches(done[o], item, count));
            if (k < 0) {
                break;
            }
            const opener = done[open[k]];
            const used = item.sign === '~' || opener.count >= 2 && count >= 2 ? 2 : 1;
            const tag = item.sign === '~' ? 'del' : used === 2 ? 'strong' : 'em';
            const children = flat(done.splice(open[k] + 1));
            opener.count -= used;
            count -= used;
            open.length = k + 1;
            if (opener.count === 0) {
                done.pop();
                open.pop();
            }
            done.push({tag, children});
        }
        if (count > 0) {
            if (item.opens) {
                open.push(done.length);
            }
            done.push({...item, count});
            if (open.length > MAX_OPEN) {
                open.shift();
            }
        }
    }
    return flat(done);
}

function matches(opener, closer, count) {
    if (opener.sign !== closer.sign) {
        return false;
    }
    const both = opener.closes || closer.opens;
    return !(both && (opener.count + count) % 3 === 0 && (opener.count % 3 !== 0 || count % 3 !== 0));
}

/** What opened or closed nothing is text. */
function flat(items) {
    const nodes = [];
    for (const item of items) {
        const node = item.sign === undefined ? item : item.sign.repeat(item.count);
        if (typeof node === 'string' && typeof nodes.at(-1) === 'string') {
            nodes[nodes.length - 1] += node;
        } else {
            nodes.push(node);
        }
    }
    return nodes;
}
