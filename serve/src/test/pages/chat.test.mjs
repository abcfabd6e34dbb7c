import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {after, afterEach, before, beforeEach, test} from 'node:test';
import {openPage, startBrowser} from './browser.mjs';
import {ANSWERS, startMock} from './mock.mjs';

let browser;
let mock;
let page;

before(async () => { browser = await startBrowser(); });
after(() => browser.close());
beforeEach(async () => { mock = await startMock(); });
afterEach(async () => {
    const errors = page?.errors ?? [];
    await page?.context().close();
    page = null;
    await mock.close();
    assert.deepEqual(errors, [], 'errors of the page');
});

async function open(options, prepare) {
    page = await openPage(browser, 'about:blank', options);
    await prepare?.(page);
    await page.goto(mock.url);
    await page.locator('#model:not([disabled])').waitFor();
}

async function begin(text) {
    await page.fill('#input', text);
    await page.press('#input', 'Enter');
}

async function ask(text) {
    await begin(text);
    await ended();
}

const ended = () => page.locator('#send:not([hidden])').waitFor();
const last = selector => page.locator(`#log article:last-child ${selector}`);
const press = (role, name) => page.getByRole(role, {name, exact: true}).last().click();
const eventually = async (what, text) => {
    for (let i = 0; i < 100 && !await what(); i++) {
        await new Promise(done => setTimeout(done, 50));
    }
    assert.ok(await what(), text);
};

test('a question, its answer and its figures, and both after the page was loaded again', async () => {
    await open();
    assert.equal(await page.locator('#empty').isVisible(), true);
    await ask('Hello <b>you</b>');
    assert.equal(await last('> .text').innerText(), 'You said: Hello <b>you</b>');
    assert.match(await last('.figures').innerText(), /^5 tokens · .*512 of 640 read from the cache$/);
    assert.equal(await page.locator('#empty').isVisible(), false);
    assert.deepEqual(mock.asked[0], {
        model: 'wok-tiny', messages: [{role: 'user', content: 'Hello <b>you</b>'}], stream: true,
        stream_options: {include_usage: true}
    });
    await ask('And\nnow?');
    assert.deepEqual(mock.asked[1].messages.map(m => m.role), ['user', 'assistant', 'user']);
    await page.reload();
    await page.locator('#chats .chat').click();
    assert.deepEqual(await page.locator('.bubble').allInnerTexts(), ['Hello <b>you</b>', 'And\nnow?']);
    assert.equal(await page.title(), 'Hello <b>you</b> · Wok');
});

test('Markdown, as it streams and as it is kept', async () => {
    await open();
    await ask('markdown please');
    const grown = await last('> .text').innerHTML();
    assert.equal(await last('.text h2').innerText(), 'Soup in three steps');
    assert.equal(await last('.text ol > li > ul > li').count(), 2);
    assert.equal(await last('.text td').count(), 6);
    assert.equal(await last('.text a').first().getAttribute('rel'), 'noopener noreferrer');
    assert.match(await last('.code figcaption span').innerText(), /^java$/);
    assert.match(await last('> .text').innerText(), /大きい熱い鍋 🍜/);
    await page.reload();
    await page.locator('#chats .chat').click();
    assert.equal(await last('> .text').innerHTML(), grown);
});

test('nothing that a model says becomes markup', async () => {
    await open();
    await ask('xss');
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.equal(await page.locator('#log :is(img, script, svg, iframe, b)').count(), 0);
    for (const link of await page.locator('#log a').all()) {
        assert.match(await link.getAttribute('href'), /^https:\/\/example\.org\//);
    }
    assert.equal(await page.locator('#log *').evaluateAll(all =>
        all.filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length), 0);
    assert.match(await last('> .text').innerText(), /<script>window\.hacked=1<\/script>/);
});

test('code and answers are copied', async () => {
    await open({permissions: ['clipboard-read', 'clipboard-write']});
    await ask('markdown');
    await last('.copy-code').click();
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    assert.match(await clipboard(), /^static int\[\] merge[^`]*}$/);
    await last('.actions').getByText('Copy', {exact: true}).click();
    assert.equal(await clipboard(), ANSWERS.markdown);
});

test('thoughts are shown while they come, and folded then', async () => {
    await open();
    await begin('think');
    await page.locator('.thoughts[open] summary', {hasText: /^Thinking… \d+ s$/}).waitFor();
    await ended();
    assert.equal(await page.locator('.thoughts').getAttribute('open'), null);
    assert.match(await page.locator('.thoughts summary').innerText(), /^Thought for .* · 22 tokens$/);
    assert.equal(await last('> .text').innerText(), 'Soup it is.');
    await page.locator('.thoughts summary').click();
    assert.equal(await page.locator('.thoughts li').count(), 2);
    await ask('more');
    assert.deepEqual(mock.asked[1].messages[1], {role: 'assistant', content: 'Soup it is.'});
});

test('thoughts that a person folded or opened stay so', async () => {
    await open();
    await begin('think');
    await page.locator('.thoughts[open]').waitFor();
    await page.locator('.thoughts summary').click();
    await page.locator('.thoughts summary').click();
    await ended();
    assert.equal(await page.locator('.thoughts').getAttribute('open'), '');
});

test('Escape and the button stop an answer, and the server notices', async () => {
    await open();
    for (const [i, stop] of [() => page.keyboard.press('Escape'), () => page.click('#stop')].entries()) {
        await begin('slow');
        await eventually(async () => (await last('> .text').innerText()).includes('wok wok'), 'something was said');
        await stop();
        await ended();
        await eventually(() => mock.gone === i + 1, 'the server noticed');
        assert.equal(await last('.notice').innerText(), 'Stopped.');
        assert.match(await last('> .text').innerText(), /^(wok )+wok$/);
        assert.match(await last('.figures').innerText(), /^≈ \d+ tokens/);
    }
});

test('answered again, questions changed, and the way back', async () => {
    await open();
    await ask('one');
    await ask('two');
    await press('button', 'Retry');
    await ended();
    assert.equal(await last('.versions span').innerText(), '2/2');
    await last('').getByRole('button', {name: 'Version before'}).click();
    assert.equal(await last('.versions span').innerText(), '1/2');

    await page.locator('.question').first().hover();
    await page.locator('.question').first().getByText('Edit').click();
    await page.locator('.editing textarea').fill('three');
    await page.locator('.editing textarea').press('Enter');
    await ended();
    assert.deepEqual(await page.locator('.bubble').allInnerTexts(), ['three']);
    assert.deepEqual(mock.asked.at(-1).messages, [{role: 'user', content: 'three'}]);
    await page.locator('.question').getByRole('button', {name: 'Version before'}).click();
    assert.deepEqual(await page.locator('.bubble').allInnerTexts(), ['one', 'two']);
    await ask('four');
    assert.deepEqual(mock.asked.at(-1).messages.filter(m => m.role === 'user').map(m => m.content), ['one', 'two', 'four']);
});

test('Escape leaves a question as it was', async () => {
    await open();
    await ask('one');
    await page.press('#input', 'ArrowUp');
    await page.locator('.editing textarea').fill('other');
    await page.keyboard.press('Escape');
    assert.deepEqual(await page.locator('.bubble').allInnerTexts(), ['one']);
    assert.equal(mock.asked.length, 1);
});

test('a busy server is asked again when it said so', async () => {
    await open();
    await begin('busy');
    await last('.notice', {hasText: /^The queue is full\. Asking again in [12] s\./}).waitFor();
    assert.equal(mock.asked.length, 1);
    await ended();
    assert.equal(await last('> .text').innerText(), 'You said: busy');
    assert.equal(mock.asked.length, 2);
});

test('a busy server is asked at once, or not again', async () => {
    await open();
    await begin('busy');
    await press('button', 'Ask now');
    await ended();
    assert.equal(await last('> .text').innerText(), 'You said: busy');
    mock.busy = 0;
    await begin('busy');
    await last('.notice', {hasText: 'Asking again'}).waitFor();
    await page.keyboard.press('Escape');
    await ended();
    assert.equal(await last('.notice').innerText(), 'Stopped.');
    assert.equal(mock.asked.length, 3);
});

for (const [part, notice] of [
    ['lost', /^The connection was lost\. Try again$/],
    ['short', /^The connection ended before the answer did\. Try again$/],
    ['fails', /^The server is closing\. Try again$/]]) {
    test(`what was said stays: ${part}`, async () => {
        await open();
        await ask(part);
        assert.equal(await last('> .text').innerText(), 'Half of it');
        assert.match(await last('.notice.error').innerText(), notice);
        await press('button', 'Try again');
        await ended();
        assert.equal(await last('.versions span').innerText(), '2/2');
    });
}

test('a refusal is shown as the server words it, and leaves no empty version', async () => {
    await open();
    await ask('refused');
    assert.match(await last('.notice').innerText(), /^The prompt has 9000 tokens, the context holds 4096\./);
    await press('button', 'Try again');
    await ended();
    assert.equal(await page.locator('.answer').count(), 1);
    assert.equal(await last('.versions').count(), 0);
});

test('a key is asked for', async () => {
    await open();
    mock.keyed = true;
    await ask('hello');
    assert.match(await last('.notice').innerText(), /^no key was given Load the page again to enter one\. Load again$/);
    await page.reload();
    await page.locator('#trouble', {hasText: 'Load the page again'}).waitFor();
});

test('a server that is away is looked for again', async () => {
    page = await openPage(browser, 'about:blank');
    await page.route('**/v1/models', route => route.abort());
    await page.goto(mock.url);
    await page.locator('#trouble', {hasText: 'The server cannot be reached.'}).waitFor();
    assert.equal(await page.locator('#send').isDisabled(), true);
    await page.unroute('**/v1/models');
    await press('button', 'Try again');
    await page.locator('#model:not([disabled])').waitFor();
    assert.equal(await page.locator('#trouble').innerText(), '');
});

test('characters that are cut anywhere', async () => {
    await open();
    await ask('cut');
    assert.equal(await last('> .text').innerText(), '鍋🍜é');
});

test('a queue, a limit, calls of tools', async () => {
    await open();
    await begin('queue');
    await last('.notice', {hasText: 'Waiting in the queue'}).waitFor();
    await ended();
    await ask('limit');
    assert.equal(await last('.notice').innerText(), 'Ended at the limit of tokens.');
    await ask('tools');
    assert.match(await last('.call').innerText(), /Calls weather\s+\{\s+"city": "Paris"\s+\}/);
});

test('settings are sent, checked, kept and put back', async () => {
    await open();
    await page.click('#settings-button');
    const values = {
        system: 'Be brief.', temperature: '0.5', top_p: '0.9', top_k: '40', min_p: '0.05', max_tokens: '99', seed: '7'
    };
    for (const [name, value] of Object.entries(values)) {
        await page.fill(`#settings [name=${name}]`, value);
    }
    await page.selectOption('[name=thinking]', 'enabled');
    await page.selectOption('[name=reasoning_effort]', 'high');
    await page.fill('[name=temperature]', '3');
    assert.notEqual(await page.locator('[data-for=temperature]').innerText(), '');
    await page.fill('[name=temperature]', '0.5');
    await press('button', 'Done');
    await page.reload();
    await page.locator('#model:not([disabled])').waitFor();
    await page.selectOption('#model', 'deepseek-v3');
    await ask('hello');
    const {stream, stream_options: _, ...asked} = mock.asked[0];
    assert.deepEqual(asked, {
        model: 'deepseek-v3', temperature: 0.5, top_p: 0.9, top_k: 40, min_p: 0.05, max_tokens: 99, seed: 7,
        thinking: {type: 'enabled'}, reasoning_effort: 'high',
        messages: [{role: 'system', content: 'Be brief.'}, {role: 'user', content: 'hello'}]
    });
    await page.keyboard.press('Tab');
    await page.click('#settings-button');
    await press('button', 'Reset all');
    await press('button', 'Done');
    await ask('again');
    assert.deepEqual(Object.keys(mock.asked[1]).sort(), ['messages', 'model', 'stream', 'stream_options']);
});

test('the model is kept', async () => {
    await open();
    await page.selectOption('#model', 'deepseek-v3');
    await page.reload();
    await page.locator('#model:not([disabled])').waitFor();
    assert.equal(await page.inputValue('#model'), 'deepseek-v3');
});

test('keys', async () => {
    await open();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'input');
    await page.keyboard.type('one?');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('n');
    await page.keyboard.press('Enter');
    await ended();
    assert.equal(await page.locator('.bubble').innerText(), 'one?\nn');
    await page.keyboard.press('Control+Shift+O');
    assert.equal(await page.locator('#empty').isVisible(), true);
    await ask('two');
    await page.locator('#scroll').focus();
    await page.keyboard.press('j');
    assert.match(await page.locator('.bubble').innerText(), /one/);
    await page.keyboard.press('k');
    assert.equal(await page.locator('.bubble').innerText(), 'two');
    await page.keyboard.press('r');
    await ended();
    assert.equal(await last('.versions span').innerText(), '2/2');
    await page.keyboard.press('?');
    await page.locator('#keys[open]').waitFor();
    await page.keyboard.press('n');
    await page.keyboard.press('Escape');
    await page.locator('#keys').waitFor({state: 'hidden'});
    assert.equal(await page.locator('.bubble').innerText(), 'two');
    await page.keyboard.press('s');
    await page.locator('#settings[open]').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#settings').waitFor({state: 'hidden'});
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'input');
    await page.locator('#scroll').focus();
    await page.keyboard.press('n');
    assert.equal(await page.locator('#empty').isVisible(), true);
});

test('everything is reached by Tab, and seen when it is', async () => {
    await open();
    await ask('one');
    const seen = new Set();
    for (let i = 0; i < 40; i++) {
        await page.keyboard.press('Tab');
        const [name, outline] = await page.evaluate(() => {
            const at = document.activeElement;
            return [at.id || at.getAttribute('aria-label') || at.textContent.trim(),
                getComputedStyle(at).outlineStyle !== 'none' && getComputedStyle(at).opacity !== '0'];
        });
        seen.add(name);
        assert.ok(outline || name === '' || name.length > 60, `no focus is seen on ${name}`);
    }
    for (const name of ['Status', 'new', 'one', 'Delete one', 'settings-button', 'Edit', 'Copy', 'Retry', 'input', 'model']) {
        assert.ok(seen.has(name), `${name} is not reached: ${[...seen].join(', ')}`);
    }
});

test('several conversations, one of which goes on unseen', async () => {
    await open();
    await begin('think about it');
    await page.locator('.thoughts').waitFor();
    await page.click('#new');
    await ask('other');
    assert.equal(await page.locator('.thoughts').isVisible(), false);
    await eventually(async () => await page.locator('#chats .growing').count() === 0, 'it ended');
    await page.getByRole('button', {name: 'think about it', exact: true}).click();
    assert.equal(await last('> .text').innerText(), 'Soup it is.');
});

test('deleted, and not after all', async () => {
    await open();
    await ask('one');
    await page.locator('#chats li').hover();
    await page.getByRole('button', {name: 'Delete one'}).click();
    assert.equal(await page.locator('#chats li').count(), 0);
    assert.equal(await page.locator('#empty').isVisible(), true);
    await press('button', 'Undo');
    assert.equal(await page.locator('.bubble').innerText(), 'one');
    await page.reload();
    assert.equal(await page.locator('#chats li').count(), 1);
});

test('deleting stops the answer', async () => {
    await open();
    await begin('slow');
    await last('> .text p').waitFor();
    await page.locator('#chats li').hover();
    await page.getByRole('button', {name: 'Delete slow'}).click();
    await eventually(() => mock.gone === 1, 'the server noticed');
    await page.reload();
    assert.equal(await page.locator('#chats li').count(), 0);
});

test('a page that is loaded again amid an answer has what was said', async () => {
    await open();
    await begin('slow');
    await eventually(async () => (await last('> .text').innerText()).includes('wok wok'), 'something was said');
    await page.reload();
    await page.locator('#chats .chat').click();
    assert.match(await last('> .text').innerText(), /^wok/);
    assert.match(await last('.notice').innerText(), /^(Interrupted|The connection was lost)\. Try again$/);
    await eventually(() => mock.gone === 1, 'the server noticed');
});

test('two pages of one browser', async () => {
    await open();
    const other = await page.context().newPage();
    await other.goto(mock.url);
    await ask('one');
    await other.locator('#chats .chat', {hasText: 'one'}).click();
    await ask('two');
    await other.locator('.bubble', {hasText: 'two'}).waitFor();
});

test('a browser that is full', async () => {
    await open({}, one => one.addInitScript(() => {
        const set = Storage.prototype.setItem;
        Storage.prototype.setItem = function (key, value) {
            if (key.startsWith('wok.chat.')) {
                throw new DOMException('full', 'QuotaExceededError');
            }
            set.call(this, key, value);
        };
    }));
    await ask('one');
    assert.match(await page.locator('#trouble').innerText(), /no room left: this conversation is lost/);
    assert.equal(await last('> .text').innerText(), 'You said: one');
});

test('a browser that keeps nothing', async () => {
    await open({}, one => one.addInitScript(() => {
        Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});
    }));
    await ask('one');
    await ask('two');
    assert.equal(await page.locator('#chats li').count(), 1);
    assert.equal(await last('> .text').innerText(), 'You said: two');
});

test('the end is followed until someone scrolls up', async () => {
    await open();
    const distance = () => page.evaluate(() => {
        const box = document.getElementById('scroll');
        return box.scrollHeight - box.scrollTop - box.clientHeight;
    });
    await ask('long');
    assert.match(await last('> .text').innerText(), /The end of it\.$/);
    assert.ok(await distance() < 8);
    await begin('slow');
    await last('> .text p').waitFor();
    await page.locator('#scroll').hover();
    await page.mouse.wheel(0, -400);
    await eventually(async () => await distance() > 200, 'scrolled up');
    const before = await page.evaluate(() => document.getElementById('scroll').scrollTop);
    await page.waitForTimeout(300);
    assert.equal(await page.evaluate(() => document.getElementById('scroll').scrollTop), before);
    await page.click('#down');
    assert.ok(await distance() < 8);
    await page.keyboard.press('Escape');
});

test('exports', async () => {
    await open();
    await ask('one / two');
    const save = async name => {
        await page.getByLabel('Export this conversation').click();
        const [file] = await Promise.all([page.waitForEvent('download'), press('button', name)]);
        return [file.suggestedFilename(), readFileSync(await file.path(), 'utf8')];
    };
    assert.deepEqual(await save('Markdown'),
        ['one-two.md', '# one / two\n\n## Question\n\none / two\n\n## Answer (wok-tiny)\n\nYou said: one / two\n']);
    const [name, json] = await save('JSON');
    assert.equal(name, 'one-two.json');
    assert.deepEqual(JSON.parse(json).messages.map(m => m.text), ['one / two', 'You said: one / two']);
});

test('little is spoken, and none of it for each token', async () => {
    await open({}, one => one.addInitScript(() => {
        window.spoken = [];
        addEventListener('DOMContentLoaded', () => new MutationObserver(() =>
            window.spoken.push(document.getElementById('spoken').textContent))
            .observe(document.getElementById('spoken'), {childList: true}));
    }));
    await ask('think');
    assert.deepEqual(await page.evaluate(() => window.spoken),
        ['Waiting for the answer.', 'Thinking.', 'Answering.', 'The answer is complete, 30 tokens.']);
    assert.equal(await page.locator('#log[aria-live], #log [aria-live]').count(), 0);
});

test('light and dark', async () => {
    await open({colorScheme: 'dark'});
    const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(await back(), 'rgb(25, 24, 22)');
    await page.getByLabel('Colours: as the system').click();
    assert.equal(await back(), 'rgb(251, 250, 248)');
    await page.reload();
    assert.equal(await back(), 'rgb(251, 250, 248)');
    await page.getByLabel('Colours: light').click();
    await page.emulateMedia({colorScheme: 'light'});
    assert.equal(await back(), 'rgb(25, 24, 22)');
});

test('a phone', async () => {
    await open({viewport: {width: 320, height: 600}, isMobile: true, hasTouch: true});
    await page.fill('#input', 'markdown');
    await page.press('#input', 'Enter');
    assert.equal(mock.asked.length, 0, 'Enter is a new line where there is no other key for it');
    await page.tap('#send');
    await ended();
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
    assert.equal(await page.evaluate(() => document.getElementById('scroll').scrollWidth), 320);
    assert.equal(await page.locator('#new').isVisible(), false);
    await page.getByRole('button', {name: 'Conversations'}).tap();
    await page.tap('#new');
    await page.locator('#new').waitFor({state: 'hidden'});
    assert.equal(await page.locator('#empty').isVisible(), true);
});

test('print', async () => {
    await open();
    await ask('markdown');
    await page.emulateMedia({media: 'print'});
    for (const selector of ['#side', '#composer', 'header', '.actions >> nth=0']) {
        assert.equal(await page.locator(selector).isVisible(), false, selector);
    }
    assert.equal(await last('> .text').isVisible(), true);
});

test('nothing comes from elsewhere', async () => {
    page = await openPage(browser, 'about:blank');
    const elsewhere = [];
    page.on('request', request => request.url().startsWith(mock.url) || elsewhere.push(request.url()));
    await page.goto(mock.url);
    await ask('xss');
    await ask('markdown');
    await page.goto(`${mock.url}status`);
    assert.deepEqual(elsewhere, []);
});
