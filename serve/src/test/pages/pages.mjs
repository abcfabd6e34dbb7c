// Where the pages are, and their modules without a browser.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';

/** PagesTest runs these tests from a copy, and says where the pages are. */
export const folder = process.env.WOK_PAGES
    ?? join(import.meta.dirname, '../../main/resources/dev/wok/serve/pages');

/** @return {Promise<object>} */
export function pageModule(name) {
    return import(address(name));
}

function address(name) {
    const source = readFileSync(join(folder, name), 'utf8')
        .replace(/from '\.\/([\w.]+)'/g, (_, imported) => `from '${address(imported)}'`);
    return `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
}
