// The pages with the server and models that say what they learnt: PagesTest starts them.

import assert from 'node:assert/strict';
import {after, afterEach, before, test} from 'node:test';
import {openPage, startBrowser} from './browser.mjs';

const {WOK_OPEN: open, WOK_KEYED: keyed, WOK_KEY: key} = process.env;
const without = open ? false : 'no server was started';

let browser;
let page;

before(async () => { browser = await startBrowser(); });
after(() => browser.close());
afterEach(async () => {
    const errors = page?.errors ?? [];
    await page?.context().close();
    page = null;
    assert.deepEqual(errors, [], 'errors of the page');
});

async function chat(settings, address = open, options = {}) {
    page = await openPage(browser, 'about:blank', options);
    await page.addInitScript(kept => localStorage.setItem('wok.settings', kept),
        JSON.stringify({temperature: 0, ...settings}));
    await page.goto(address);
    await page.locator('#model:not([disabled])').waitFor();
}

async function begin(text) {
    await page.fill('#input', text);
    await page.press('#input', 'Enter');
}

async function ask(text) {
    await begin(text);
    await page.locator('#send:not([hidden])').waitFor();
}

const last = selector => page.locator(`#log article:last-child ${selector}`);

async function running() {
    return (await (await fetch(`${open}status.json`)).json()).load.running;
}

test('an answer, and what of it was known in the next turn', {skip: without}, async () => {
    await chat({thinking: 'disabled'});
    for (const model of ['deepseek', 'qwen']) {
        await page.selectOption('#model', model);
        await ask('Who are you?');
        assert.equal(await last('> .text').innerText(), 'I am a parrot. I say what I have learnt.');
        await ask('Hello!');
        assert.equal(await last('> .text').innerText(), 'Hello! I am a parrot 🦜, grüße aus Köln.');
        assert.match(await last('.figures').innerText(), /^\d+ tokens · [\d.,k]+ tokens\/s · first after .* · [1-9]\d* of \d+ read from the cache$/);
        await page.click('#new');
    }
});

test('thoughts', {skip: without}, async () => {
    await chat({thinking: 'enabled'});
    for (const model of ['deepseek', 'qwen']) {
        await page.selectOption('#model', model);
        await ask('What is 6 times 7?');
        assert.equal(await last('> .text').innerText(), 'It is 42.');
        assert.match(await last('.thoughts summary').innerText(), /^Thought for .* · \d+ tokens$/);
        await last('.thoughts summary').click();
        assert.equal(await last('.thoughts .text').innerText(), 'Six sevens are forty-two.');
        await page.click('#new');
    }
});

test('stopped here, and there too', {skip: without}, async () => {
    await chat({thinking: 'disabled', max_tokens: 30_000});
    await begin('Sing!');
    await last('> .text', {hasText: 'la la la'}).waitFor();
    await page.waitForFunction(() => document.querySelector('#log article:last-child > .text').textContent.length > 30);
    assert.equal(await running(), 1);
    await page.keyboard.press('Escape');
    await last('.notice', {hasText: 'Stopped.'}).waitFor();
    for (let i = 0; i < 100 && await running() > 0; i++) {
        await page.waitForTimeout(50);
    }
    assert.equal(await running(), 0);
});

test('a limit', {skip: without}, async () => {
    await chat({thinking: 'disabled', max_tokens: 8});
    await ask('Sing!');
    assert.equal(await last('.notice').innerText(), 'Ended at the limit of tokens.');
});

test('a refusal in the words of the server', {skip: without}, async () => {
    await chat({thinking: 'disabled', temperature: 9});
    await ask('Hello!');
    assert.match(await last('.notice.error').innerText(), /temperature/);
});

test('the status of the server and the use of experts', {skip: without}, async () => {
    await chat({thinking: 'disabled'});
    await ask('Hello!');
    await page.goto(`${open}status`);
    await page.locator('canvas').waitFor();
    assert.match(await page.locator('#models').innerText(), /deepseek\s+loaded[^]*DeepseekV3ForCausalLM[^]*8, 2 for each token, 1 shared/);
    await page.locator('.as-table summary').click();
    const rows = await page.locator('.as-table tbody tr').allInnerTexts();
    assert.deepEqual(rows.map(row => row.split(/\s/, 1)[0]), ['1', '2']);
    assert.match(rows[0], /^1\s+[1-9][\d,.k]*\s+\d\.\d\d/);
    assert.match(await page.locator('.figure', {hasText: 'First token'}).innerText(), /\d m?s\s+99 % within/);
});

test('a key that the browser asks for', {skip: without}, async () => {
    await chat({thinking: 'disabled'}, keyed, {httpCredentials: {username: 'anyone', password: key}});
    await ask('Hello!');
    assert.equal(await last('> .text').innerText(), 'Hello! I am a parrot 🦜, grüße aus Köln.');
    await page.goto(`${keyed}status`);
    await page.locator('#models .card').first().waitFor();
    assert.equal((await fetch(keyed)).status, 401);
    assert.equal((await fetch(`${keyed}pages/chat.js`)).status, 401);
});
