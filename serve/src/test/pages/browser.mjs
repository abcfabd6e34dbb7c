// Chromium without a window.

import {existsSync} from 'node:fs';
import {chromium} from 'playwright-core';

const PLACES = [process.env.WOK_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function startBrowser() {
    return chromium.launch({
        executablePath: PLACES.find(place => place && existsSync(place)),
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync']
    });
}

/** @return {Promise<import('playwright-core').Page>} a page of an empty profile, whose errors make the test fail */
export async function openPage(browser, url, options = {}) {
    const context = await browser.newContext({viewport: {width: 1180, height: 800}, ...options});
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.errors = [];
    page.on('pageerror', error => page.errors.push(error.stack ?? String(error)));
    page.on('console', said => {
        if (said.type() === 'error' && !/Failed to load resource/.test(said.text())) {
            page.errors.push(said.text());
        }
    });
    await page.goto(url);
    return page;
}
