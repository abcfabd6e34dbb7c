import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {after, afterEach, before, beforeEach, test} from 'node:test';
import {openPage, startBrowser} from './browser.mjs';
import {busyStatus, expertUse} from './figures.mjs';
import {startMock} from './mock.mjs';
import {pageModule} from './pages.mjs';

let browser;
let mock;
let page;
let calls;

before(async () => { browser = await startBrowser(); });
after(() => browser.close());
beforeEach(async () => {
    calls = 0;
    mock = await startMock({status: busyStatus, experts: () => expertUse(calls++)});
});
afterEach(async () => {
    const errors = page?.errors ?? [];
    await page?.context().close();
    page = null;
    await mock.close();
    assert.deepEqual(errors, [], 'errors of the page');
});

async function open(options) {
    page = await openPage(browser, `${mock.url}status`, options);
    await page.locator('#load .card').first().waitFor();
}

const card = title => page.locator('.figure', {has: page.getByRole('heading', {name: title, exact: true})});

test('figures', async () => {
    await open();
    assert.match(await card('Running').innerText(), /13\s+of 16 at once/);
    assert.match(await card('Waiting').innerText(), /5\s+of 64 in the queue/);
    assert.match(await card('First token').innerText(), /210 ms\s+99 % within 1\.4 s/);
    assert.match(await card('Between tokens').innerText(), /24 ms\s+99 % within 51 ms/);
    assert.match(await card('Requests').innerText(), /4,812\s+37 refused · 21 connections/);
    assert.match(await page.locator('#about').innerText(), /^0\.1\.0 · up 2 h 5 min · heap 1\.1 of 4\.0 GiB$/);
    assert.match(await page.locator('#models').innerText(), /small-<b>bold<\/b>\s+loaded when first asked for/);
    assert.match(await page.locator('#models').innerText(), /in use 912 \(22 %\)\s+kept 2,210 \(54 %\)\s+free 974 \(24 %\)/);
    assert.match(await page.getByRole('img', {name: /^Tokens per second/}).first().getAttribute('aria-label'),
        /over 5 min: now 191 written, at most 466$/);
});

test('a server that says little', async () => {
    mock.status = () => ({models: [{name: 'm', state: 'loaded', experts: 0}]});
    await open();
    assert.match(await card('Running').innerText(), /–\s+of – at once/);
    assert.match(await card('First token').innerText(), /–\s+nothing measured yet/);
    assert.equal(await page.locator('canvas').count(), 0);
    assert.equal(calls, 0);
});

test('the map of experts', async () => {
    await open();
    const canvas = page.locator('canvas');
    await canvas.waitFor();
    const first = expertUse(0).models[0].layers[0].counts;
    await canvas.focus();
    await page.keyboard.press('ArrowRight');
    const total = first.reduce((sum, count) => sum + count, 0);
    const tip = async () => (await page.locator('#tip').innerText()).replaceAll('\n', ' ');
    assert.equal(await tip(), `Layer 3, expert 0 ${(100 * first[0] / total).toFixed(2)} %, `
        + `${(first[0] * 256 / total).toFixed(2)} × an even share ${first[0].toLocaleString('en-US')} of `
        + `${total.toLocaleString('en-US')} choices`);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    assert.match(await tip(), /^Layer 4, expert 1 /);
    const box = await canvas.boundingBox();
    await canvas.hover({position: {x: box.width - 1, y: box.height - 1}});
    assert.match(await tip(), /^Layer 60, expert 255 /);
    await page.mouse.move(0, 0);
    assert.equal(await page.locator('#tip').isVisible(), false);
    assert.match(await page.locator('.said').innerText(), /^17\.1M choices since the start\. Least balanced: layer 58/);

    await page.locator('.as-table summary').click();
    assert.equal(await page.locator('.as-table tbody tr').count(), 58);
    assert.match(await page.locator('.as-table tbody tr').first().innerText(), /^3\s+2\d\dk\s+0\.42\s+\d+ \(0\.\d\d %\)/);
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByText('All counts (CSV)').click()]);
    const lines = readFileSync(await file.path(), 'utf8').trim().split('\n');
    assert.equal(lines.length, 59);
    assert.equal(lines[1], `3,${first.join(',')}`);
});

test('the last minute', async () => {
    page = await openPage(browser, 'about:blank');
    await page.clock.install();
    await page.goto(`${mock.url}status`);
    await page.locator('canvas').waitFor();
    await page.getByText('Last minute').click();
    assert.match(await page.locator('.said').innerText(), /^Nothing was computed in the last 0 s/);
    for (let i = 1; i <= 9; i++) {
        await page.clock.runFor(10_000);
        await page.waitForFunction(seen => document.querySelector('.said').textContent.includes(seen),
            `the last ${Math.min(60, i * 10)} s`);
    }
    const counted = calls;
    const now = expertUse(counted - 1).models[0].layers[0].counts[0];
    const then = expertUse(counted - 7).models[0].layers[0].counts[0];
    await page.locator('canvas').focus();
    await page.keyboard.press('ArrowRight');
    assert.ok((await page.locator('#tip').innerText()).includes(`\n${(now - then).toLocaleString('en-US')} of `));
});

test('an even load has one colour, whatever its size', async () => {
    mock.experts = () => ({time: 1, models: [{name: 'deepseek-v3', layers: [
        {layer: 0, counts: [5, 5, 5, 5]}, {layer: 1, counts: [500, 500, 500, 500]}, {layer: 2, counts: [20, 0, 0, 0]},
        {layer: 3, counts: [0, 0, 0, 0]}]}]});
    await open();
    await page.locator('canvas').waitFor();
    const colours = await page.locator('canvas').evaluate(canvas => [0, 1, 2, 3].map(row => [0, 3].map(column =>
        [...canvas.getContext('2d').getImageData(Math.floor((column + 0.5) * canvas.width / 4),
            Math.floor((row + 0.4) * canvas.height / 4), 1, 1).data].join())));
    assert.equal(new Set([...colours[0], ...colours[1]]).size, 1);
    assert.equal(new Set([colours[0][0], ...colours[2], colours[3][0]]).size, 4);
    assert.match(await page.locator('.violations').innerText(), /0\.00\s+0\.00\s+3\.00\s+–/);
});

test('a server that goes away and comes back', async () => {
    await open();
    const {status} = mock;
    mock.status = null;
    await page.locator('#trouble', {hasText: /^The server answered 404\. These figures are from /}).waitFor();
    mock.status = () => ({...status(), draining: true});
    await page.locator('#trouble', {hasText: /^The server is closing/}).waitFor();
    await page.route('**/status.json', route => route.abort());
    await page.locator('#trouble', {hasText: /^The server does not answer\./}).waitFor();
});

for (const width of [320, 768, 1600]) {
    test(`a page of ${width} pixels`, async () => {
        await open({viewport: {width, height: 700}});
        await page.locator('canvas').waitFor();
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
    });
}

test('places on the scale', async () => {
    const {figures, place} = await pageModule('heat.js');
    assert.deepEqual([0, 0.125, 0.25, 0.5, 1, 2, 4, 99].map(place), [0, 0.5, 1, 2, 3, 4, 5, 5]);
    assert.ok(Math.abs(place(Math.SQRT2) - 3.5) < 1e-9);
    assert.deepEqual(figures([1, 7, 0, 0]), {total: 8, violation: 2.5, most: 1, least: 2, unused: 2});
    assert.equal(figures([0, 0]).violation, null);
});
