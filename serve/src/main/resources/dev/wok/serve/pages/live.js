// Markdown that grows on the page. Elements of what is settled are not looked at again, and of the rest only what is
// new is changed, so that what is selected stays selected.

import {Growing, TAGS} from './markdown.js';
import {h} from './dom.js';

export class LiveMarkdown {
    #root;
    #text = new Growing();
    #open = [];
    #done = 0;

    /** @param {Element} root an empty element */
    constructor(root) {
        this.#root = root;
    }

    append(text) {
        const {nodes, settled} = this.#text.append(text);
        patchAll(this.#root, this.#done, this.#open, nodes);
        this.#done += settled;
        this.#open = nodes.slice(settled);
    }
}

function patchAll(parent, offset, before, after) {
    for (let i = 0; i < after.length; i++) {
        if (i >= before.length) {
            parent.append(build(after[i]));
        } else {
            patch(parent.childNodes[offset + i], before[i], after[i]);
        }
    }
    for (let i = before.length - 1; i >= after.length; i--) {
        parent.childNodes[offset + i].remove();
    }
}

function patch(element, before, after) {
    if (typeof before === 'string' && typeof after === 'string') {
        patchText(element, before, after);
    } else if (!alike(before, after)) {
        element.replaceWith(build(after));
    } else if (after.tag === 'pre') {
        patchText(element.querySelector('code').firstChild, before.text, after.text);
    } else {
        patchAll(element, 0, before.children, after.children);
    }
}

function patchText(text, before, after) {
    if (after.startsWith(before)) {
        if (after.length > before.length) {
            text.appendData(after.slice(before.length));
        }
    } else {
        text.data = after;
    }
}

function alike(one, other) {
    return typeof one === 'object' && typeof other === 'object'
        && ['tag', 'lang', 'href', 'cls', 'start', 'align'].every(name => one[name] === other[name]);
}

function build(node) {
    if (typeof node === 'string') {
        return document.createTextNode(node);
    }
    if (!TAGS.has(node.tag)) {
        throw new Error(`no element of Markdown: ${node.tag}`);
    }
    if (node.tag === 'pre') {
        return h('figure', {class: 'code'},
            h('figcaption', {},
                h('span', {}, node.lang || 'text'),
                h('button', {type: 'button', class: 'quiet copy-code'}, 'Copy')),
            h('pre', {tabindex: '0'}, h('code', {}, document.createTextNode(node.text))));
    }
    const attributes = {class: node.cls, start: node.start, 'data-align': node.align};
    if (node.href) {
        Object.assign(attributes, {href: node.href, target: '_blank', rel: 'noopener noreferrer'});
    }
    return h(node.tag, attributes, ...node.children.map(build));
}
