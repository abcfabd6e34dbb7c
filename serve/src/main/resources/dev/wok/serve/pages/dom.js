// Elements without markup in strings.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {string} tag
 * @param {object} properties attributes; `class`, `on` (listeners by event), booleans set or leave out an attribute
 * @param {...(Node | string | null)} children
 */
export function h(tag, properties = {}, ...children) {
    return filled(document.createElement(tag), properties, children);
}

/** The same for a drawing. */
export function svg(tag, properties = {}, ...children) {
    return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(element, properties, children) {
    for (const [name, value] of Object.entries(properties)) {
        if (name === 'on') {
            for (const [event, listener] of Object.entries(value)) {
                element.addEventListener(event, listener);
            }
        } else if (value === true) {
            element.setAttribute(name, '');
        } else if (value !== false && value !== undefined && value !== null) {
            element.setAttribute(name, value);
        }
    }
    element.append(...children.filter(child => child !== null && child !== undefined));
    return element;
}

export function button(label, className, click, properties = {}) {
    return h('button', {type: 'button', class: className, on: {click}, ...properties}, label);
}

/** @return {Promise<boolean>} whether the text is in the clipboard now */
export async function copy(text) {
    if (navigator.clipboard) {
        try {
            await navigator.clipboard.writeText(text);
            return true;
        } catch {
            // Not allowed, or the page is not in front: the older way may be.
        }
    }
    const area = h('textarea', {class: 'hidden', 'aria-hidden': 'true', tabindex: '-1'});
    area.value = text;
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    before?.focus?.({preventScroll: true});
    return done;
}

export function download(name, type, text) {
    const address = URL.createObjectURL(new Blob([text], {type}));
    h('a', {href: address, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @return {string} 20 random letters and digits */
export function newId() {
    const signs = 'abcdefghijklmnopqrstuvwxyz012345';
    return Array.from(crypto.getRandomValues(new Uint8Array(20)), b => signs[b % 32]).join('');
}

/** @return {string} such as `1,234`, `12.3k`, `4.56M`; a dash for what is no number */
export function short(number) {
    if (typeof number !== 'number' || !Number.isFinite(number)) {
        return '–';
    }
    for (const [limit, unit] of [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e4, 'k']]) {
        if (Math.abs(number) >= limit) {
            return (number / (limit === 1e4 ? 1e3 : limit)).toPrecision(3) + unit;
        }
    }
    return number.toLocaleString('en-US', {maximumFractionDigits: Math.abs(number) < 100 ? 1 : 0});
}

/** @return {string} such as `24 ms`, `1.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h` */
export function duration(seconds) {
    if (typeof seconds !== 'number' || !Number.isFinite(seconds)) {
        return '–';
    }
    if (seconds < 1) {
        return `${Math.round(seconds * 1000)} ms`;
    }
    if (seconds < 10) {
        return `${seconds.toFixed(1)} s`;
    }
    const whole = Math.round(seconds);
    for (const [unit, size, below, part] of [['d', 86400, 'h', 3600], ['h', 3600, 'min', 60], ['min', 60, 's', 1]]) {
        if (whole >= size) {
            const rest = Math.floor(whole % size / part);
            return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${below}` : ''}`;
        }
    }
    return `${whole} s`;
}
