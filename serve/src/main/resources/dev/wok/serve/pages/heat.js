// Which experts the traffic uses: a map of layers (rows) by experts (columns). A cell's colour says how its load
// compares with an even one, on a logarithmic scale, so that a balanced model is a map of one colour.

import {button, download, h, short} from './dom.js';

/** Loads in even shares, from unused to four times; the legend has a colour for each. */
const SCALE = [0, 0.25, 0.5, 1, 2, 4];
const CELL = {minWidth: 3, maxWidth: 30, maxHeight: 22, minHeight: 9};
const MINUTE = 60;

/** @return {number[][]} what was counted since, where the model was not loaded anew in between */
export function difference(now, before) {
    return now.map((layer, i) => ({
        layer: layer.layer,
        counts: layer.counts.map((count, k) => count - (before[i]?.counts[k] ?? 0))
    }));
}

/** @return {{total: number, violation: number | null, most: number, least: number, unused: number}} of a layer */
export function figures(counts) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const most = counts.indexOf(Math.max(...counts));
    const least = counts.indexOf(Math.min(...counts));
    const violation = total === 0 ? null : counts[most] * counts.length / total - 1;
    return {total, violation, most, least, unused: counts.filter(count => count === 0).length};
}

/** @return {number} where a load lies on the scale, 0 to its length - 1 */
export function place(load) {
    const next = SCALE.findIndex(at => load < at);
    if (next < 0) {
        return SCALE.length - 1;
    }
    const [low, high] = [SCALE[next - 1], SCALE[next]];
    return next - 1 + (low === 0 ? load / high : Math.log(load / low) / Math.log(high / low));
}

export class HeatMap {
    #name;
    #tip;
    #samples = [];
    #span = 'start';
    #layers = [];
    #cell = {width: 0, height: 0};
    #cursor = null;
    #canvas;
    #context;
    #columns;
    #rows;
    #violations;
    #box;
    #said;
    #table;

    constructor(name, tip) {
        this.#name = name;
        this.#tip = tip;
        this.#canvas = h('canvas', {
            tabindex: '0', role: 'img', on: {
                pointermove: event => this.#point(this.#at(event)),
                pointerdown: event => this.#point(this.#at(event)),
                pointerleave: () => this.#point(null),
                blur: () => this.#point(null),
                keydown: event => this.#key(event)
            }
        });
        this.#context = this.#canvas.getContext('2d');
        this.#rows = h('div', {class: 'rows', 'aria-hidden': 'true'});
        this.#violations = h('div', {class: 'rows violations', 'aria-hidden': 'true'});
        this.#columns = h('div', {class: 'columns dim', 'aria-hidden': 'true'});
        this.#box = h('div', {class: 'map-scroll'}, this.#columns, this.#canvas);
        this.#said = h('p', {class: 'dim said'});
        this.#table = h('tbody');
        const spans = h('fieldset', {class: 'spans'}, h('legend', {class: 'hidden'}, `Span of ${name}`),
            ...[['start', 'Since start'], ['minute', 'Last minute']].map(([value, label]) => h('label', {},
                h('input', {
                    type: 'radio', name: `span-${name}`, value, checked: value === 'start',
                    on: {change: () => this.#choose(value)}
                }), h('span', {}, label))));
        this.element = h('article', {class: 'experts card'},
            h('div', {class: 'row head'}, h('h2', {}, `Experts of ${name}`), h('span', {class: 'space'}), spans),
            this.#said,
            h('div', {class: 'map'},
                h('div', {class: 'column'}, h('span', {class: 'dim'}, 'layer'), this.#rows),
                this.#box,
                h('div', {class: 'column'}, h('abbr', {
                    class: 'dim', title: 'How much more than an even share the busiest expert has: 0 is balanced'
                }, 'MaxVio'), this.#violations)),
            legend(),
            h('details', {class: 'as-table'},
                h('summary', {}, 'As a table'),
                h('div', {class: 'table'}, h('table', {},
                    h('thead', {}, h('tr', {}, ...['Layer', 'Choices', 'MaxVio', 'Busiest', 'Idlest', 'Unused']
                        .map(title => h('th', {scope: 'col'}, title)))),
                    this.#table)),
                button('All counts (CSV)', 'plain', () => this.#save())));
        new ResizeObserver(() => this.#draw()).observe(this.#box);
    }

    /** @param {{layer: number, counts: number[]}[]} layers counted until now; @param {number} time in seconds */
    update(layers, time) {
        const last = this.#samples.at(-1);
        const anew = last && difference(layers, last.layers).some(layer => layer.counts.some(count => count < 0));
        if (anew || last && last.layers.length !== layers.length) {
            this.#samples = [];
        }
        this.#samples.push({layers, time});
        while (this.#samples.length > 1 && this.#samples[1].time <= time - MINUTE) {
            this.#samples.shift();
        }
        this.#take();
    }

    redraw() {
        this.#draw();
    }

    #choose(span) {
        this.#span = span;
        this.#take();
    }

    #take() {
        const now = this.#samples.at(-1);
        const then = this.#samples[0];
        if (!now) {
            return;
        }
        const recent = this.#span === 'minute';
        this.#layers = recent ? difference(now.layers, then.layers) : now.layers;
        const all = this.#layers.map(layer => ({layer: layer.layer, ...figures(layer.counts)}));
        const total = all.reduce((sum, layer) => sum + layer.total, 0);
        const worst = all.reduce((most, layer) => layer.violation > (most?.violation ?? -1) ? layer : most, null);
        const span = recent ? `the last ${Math.round(now.time - then.time)} s, as seen by this page` : 'the start';
        this.#said.textContent = total === 0
            ? `Nothing was computed ${recent ? 'in' : 'since'} ${span}.`
            : `${short(total)} choices ${recent ? 'in' : 'since'} ${span}. Least balanced: layer ${worst.layer}, `
                + `whose busiest expert has ${times(worst.violation + 1)} an even share.`;
        this.#canvas.setAttribute('aria-label', `Map of ${this.#layers.length} layers by `
            + `${this.#layers[0]?.counts.length ?? 0} experts. ${this.#said.textContent} Arrow keys move through it; `
            + 'the table below has the same by layer.');
        this.#table.replaceChildren(...all.map((layer, i) => h('tr', {},
            h('th', {scope: 'row'}, String(layer.layer)),
            h('td', {}, short(layer.total)),
            h('td', {}, violationText(layer.violation)),
            h('td', {}, this.#expertText(i, layer.most, layer.total)),
            h('td', {}, this.#expertText(i, layer.least, layer.total)),
            h('td', {}, String(layer.unused)))));
        this.#draw();
        this.#point(this.#cursor);
    }

    #expertText(layer, expert, total) {
        return total === 0 ? '–' : `${expert} (${percent(this.#layers[layer].counts[expert] / total)})`;
    }

    #draw() {
        const experts = this.#layers[0]?.counts.length ?? 0;
        const width = this.#box.clientWidth;
        if (experts === 0 || width === 0) {
            return;
        }
        const cell = Math.min(CELL.maxWidth, Math.max(CELL.minWidth, width / experts));
        const height = Math.round(Math.min(CELL.maxHeight, Math.max(CELL.minHeight, cell)));
        const ratio = devicePixelRatio || 1;
        const edges = Array.from({length: experts + 1}, (_, k) => Math.round(k * cell * ratio));
        const rows = this.#layers.length;
        const row = Math.round(height * ratio);
        this.#cell = {width: cell, height: row / ratio};
        this.#canvas.width = edges[experts];
        this.#canvas.height = row * rows;
        this.#canvas.style.width = `${edges[experts] / ratio}px`;
        this.#canvas.style.height = `${row * rows / ratio}px`;
        this.#columns.style.width = this.#canvas.style.width;
        this.#columns.replaceChildren(h('span', {}, 'expert 0'), h('span', {}, String(experts - 1)));
        const colours = palette(this.element.querySelectorAll('.ramp i'));
        const gap = cell >= 6 ? Math.max(1, Math.round(ratio)) : 0;
        this.#layers.forEach(({counts}, i) => {
            const total = counts.reduce((sum, count) => sum + count, 0);
            counts.forEach((count, k) => {
                if (total === 0) {
                    return;
                }
                this.#context.fillStyle = colours(place(count * experts / total));
                this.#context.fillRect(edges[k], i * row, edges[k + 1] - edges[k] - gap, row - (gap || ratio > 1 ? 1 : 0));
            });
        });
        const label = (text, i) => {
            const line = h('div', {}, text);
            line.style.top = `${(i + 0.5) * row / ratio}px`;
            return line;
        };
        const every = height >= 13 ? 1 : 2;
        const sparse = this.#layers.map((layer, i) => i % every === 0 ? label(String(layer.layer), i) : null);
        this.#rows.replaceChildren(...sparse.filter(line => line));
        this.#violations.replaceChildren(...this.#layers.map(({counts}, i) => {
            const {violation} = figures(counts);
            const line = label(i % every === 0 ? violationText(violation) : '', i);
            const bar = h('i');
            bar.style.width = `${Math.min(1, (violation ?? 0) / 3) * 30}px`;
            bar.style.height = `${Math.max(3, row / ratio - 4)}px`;
            line.prepend(bar);
            return line;
        }));
        for (const column of [this.#rows, this.#violations]) {
            column.style.height = `${row * rows / ratio}px`;
        }
    }

    #at(event) {
        const box = this.#canvas.getBoundingClientRect();
        return {
            layer: Math.floor((event.clientY - box.top) / this.#cell.height),
            expert: Math.floor((event.clientX - box.left) / this.#cell.width)
        };
    }

    #key(event) {
        const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
        if (step) {
            event.preventDefault();
            const {layer, expert} = this.#cursor ?? {layer: 0, expert: 0};
            const clamp = (value, end) => Math.min(Math.max(value, 0), end - 1);
            this.#point(this.#cursor === null ? {layer, expert} : {
                layer: clamp(layer + step[0], this.#layers.length),
                expert: clamp(expert + step[1], this.#layers[0]?.counts.length ?? 1)
            });
            const left = this.#cursor.expert * this.#cell.width;
            if (left < this.#box.scrollLeft || left > this.#box.scrollLeft + this.#box.clientWidth - 8) {
                this.#box.scrollLeft = left - this.#box.clientWidth / 2;
                this.#point(this.#cursor);
            }
        } else if (event.key === 'Escape') {
            this.#point(null);
        }
    }

    #point(cursor) {
        const found = cursor && this.#layers[cursor.layer];
        const count = found?.counts[cursor.expert];
        if (count === undefined) {
            if (this.#cursor) {
                this.#tip.hidden = true;
            }
            this.#cursor = null;
            return;
        }
        this.#cursor = cursor;
        const {total} = figures(found.counts);
        const share = total === 0 ? 0 : count / total;
        this.#tip.replaceChildren(
            h('b', {}, `Layer ${found.layer}, expert ${cursor.expert}`), h('br'),
            `${percent(share)}, ${times(share * found.counts.length)} an even share`, h('br'),
            `${count.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} choices`);
        this.#tip.hidden = false;
        const box = this.#canvas.getBoundingClientRect();
        const x = box.left + (cursor.expert + 0.5) * this.#cell.width;
        const y = box.top + cursor.layer * this.#cell.height;
        const size = this.#tip.getBoundingClientRect();
        this.#tip.style.left = `${Math.min(Math.max(8, x - size.width / 2), innerWidth - size.width - 8)}px`;
        this.#tip.style.top = `${y - size.height - 8 > 0 ? y - size.height - 8 : y + this.#cell.height + 8}px`;
    }

    #save() {
        const lines = this.#layers.map(layer => [layer.layer, ...layer.counts].join(','));
        const head = ['layer', ...this.#layers[0].counts.keys()].join(',');
        download(`experts-${this.#name.replace(/[^\p{L}\p{N}.]+/gu, '-')}.csv`, 'text/csv', [head, ...lines, ''].join('\n'));
    }
}

function percent(share) {
    return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

function times(load) {
    return `${load.toFixed(load < 10 ? 2 : 1)} ×`;
}

function violationText(violation) {
    return violation === null ? '–' : violation.toFixed(2);
}

function legend() {
    return h('div', {class: 'legend dim'},
        h('span', {class: 'ramp', 'aria-hidden': 'true'}, ...SCALE.map((_, i) => h('i', {class: `heat-${i}`}))),
        h('span', {class: 'ticks'}, ...['0', '¼', '½', '1', '2', '4+'].map(tick => h('span', {}, tick))),
        h('span', {}, '× an even share of its layer'));
}

/** @return {(place: number) => string} colours between those of the legend */
function palette(legend) {
    const stops = [...legend].map(stop => getComputedStyle(stop).backgroundColor.match(/\d+/g).map(Number));
    return place => {
        const low = Math.min(Math.floor(place), stops.length - 2);
        const mixed = stops[low].map((value, i) => Math.round(value + (stops[low + 1][i] - value) * (place - low)));
        return `rgb(${mixed.join(' ')})`;
    };
}
