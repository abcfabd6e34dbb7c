// Writes the pictures of the documentation: node pictures.mjs ../../../../docs/pictures

import {join} from 'node:path';
import {openPage, startBrowser} from './browser.mjs';
import {busyStatus, expertUse} from './figures.mjs';
import {startMock} from './mock.mjs';

const [folder] = process.argv.slice(2);
let calls = 0;
const names = ['deepseek-v3', 'qwen2.5-1.5b'];
const status = () => {
    const busy = busyStatus();
    return {...busy, models: busy.models.map((model, i) => ({...model, name: names[i]}))};
};
const mock = await startMock({status, experts: () => expertUse(calls++)});
mock.models = names;
mock.story = true;
const browser = await startBrowser();

async function ask(page, text) {
    await page.fill('#input', text);
    await page.click('#send');
    await page.locator('#send:not([hidden])').waitFor();
}

async function chat(name, options) {
    const page = await openPage(browser, mock.url, options);
    await page.locator('#model:not([disabled])').waitFor();
    for (const question of ['Why is my wok rusty?', 'Merge sort, explained to a cook']) {
        await ask(page, question);
        await page.evaluate(() => document.getElementById('new').click());
    }
    await ask(page, 'What is a mixture of experts?');
    await page.evaluate(() => document.activeElement.blur());
    await page.mouse.move(1, 1);
    await page.screenshot({path: join(folder, `${name}.png`)});
    await page.context().close();
}

const desktop = {viewport: {width: 1100, height: 760}};
const phone = {viewport: {width: 375, height: 740}, deviceScaleFactor: 2, isMobile: true, hasTouch: true};
await chat('chat', desktop);
await chat('chat-dark', {...desktop, colorScheme: 'dark'});
await chat('chat-phone', phone);
const page = await openPage(browser, `${mock.url}status`, desktop);
await page.locator('canvas').waitFor();
await page.waitForTimeout(500);
await page.screenshot({path: join(folder, 'status.png'), fullPage: true});
await browser.close();
await mock.close();
