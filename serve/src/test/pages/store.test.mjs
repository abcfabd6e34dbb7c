import assert from 'node:assert/strict';
import {test} from 'node:test';
import {pageModule} from './pages.mjs';

const {add, asMarkdown, dropLeaf, newChat, pathTo, show, Store, titleOf, turns, versions} = await pageModule('store.js');

/** What a browser keeps, with an end. */
class Kept {
    getItem(key) {
        return Object.hasOwn(this, key) ? this[key] : null;
    }

    setItem(key, value) {
        if (value.length > 2000) {
            throw new DOMException('full', 'QuotaExceededError');
        }
        this[key] = value;
    }

    removeItem(key) {
        delete this[key];
    }
}

const question = (id, parent, text, at = 1) => ({id, parent, role: 'user', text, at});
const answer = (id, parent, text, at = 2) =>
    ({id, parent, role: 'assistant', text, thoughts: '', calls: [], model: 'm', at, finish: 'stop'});

function branched() {
    const chat = newChat('c', 'm', 0);
    add(chat, question('q1', null, 'One?'));
    add(chat, answer('a1', 'q1', '1'));
    add(chat, question('q2', 'a1', 'Two?'));
    add(chat, answer('a2', 'q2', '2'));
    add(chat, answer('b1', 'q1', 'I'));
    return chat;
}

const ids = path => path.map(m => m.id).join(' ');

test('branches', () => {
    const chat = branched();
    assert.equal(chat.title, 'One?');
    assert.equal(ids(pathTo(chat, chat.leaf)), 'q1 b1');
    assert.equal(ids(versions(chat, chat.messages[1])), 'a1 b1');
    show(chat, 'a1');
    assert.equal(ids(pathTo(chat, chat.leaf)), 'q1 a1 q2 a2');
    dropLeaf(chat, 'a2');
    assert.equal(chat.leaf, 'q2');
    dropLeaf(chat, 'q1');
    assert.equal(chat.messages.length, 4, 'what something follows stays');
});

test('a circle among the messages ends', () => {
    const chat = branched();
    chat.messages[0].parent = 'a1';
    assert.equal(ids(pathTo(chat, 'a1')), 'q1 a1');
});

test('what a model is told', () => {
    const chat = newChat('c', 'm', 0);
    add(chat, question('q1', null, 'One?'));
    add(chat, answer('a1', 'q1', ''));
    add(chat, question('q2', 'a1', 'Two?'));
    add(chat, answer('a2', 'q2', '2'));
    add(chat, question('q3', 'a2', 'Three?'));
    assert.deepEqual(turns(pathTo(chat, 'q3')), [
        {role: 'user', content: 'One?\n\nTwo?'}, {role: 'assistant', content: '2'}, {role: 'user', content: 'Three?'}]);
});

test('kept, read again, removed', () => {
    const kept = new Kept();
    const store = new Store(kept);
    store.save(branched());
    store.save({...newChat('d', 'm', 5), title: 'later'});
    kept['wok.chat.broken'] = '{"v":1,';
    kept['wok.chat.other'] = JSON.stringify({...newChat('name', 'm'), title: 'not its own name'});
    kept['wok.chat.odd'] = JSON.stringify({...newChat('odd', 'm'), messages: [{id: 1, text: null, role: 'x'}]});
    kept['wok.settings'] = '{}';
    const again = new Store(kept);
    assert.equal(again.list().map(chat => chat.id).join(' '), 'd c');
    assert.deepEqual(again.get('c'), branched());
    again.remove('c');
    assert.equal(kept.getItem('wok.chat.c'), null);
    assert.equal(store.reread('wok.chat.c'), 'c');
    assert.equal(store.get('c'), null);
    assert.equal(store.reread('wok.settings'), null);
    assert.equal(store.reread(null), null);
});

test('no room', () => {
    const said = [];
    const store = new Store(new Kept(), text => said.push(text));
    const chat = branched();
    chat.messages[0].text = 'long'.repeat(1000);
    store.save(chat);
    assert.equal(store.get('c'), chat);
    assert.match(said.join(), /no room left.*Export it/);
});

test('titles', () => {
    assert.equal(titleOf('  a\tb  c\nsecond'), 'a b c');
    assert.equal(titleOf('🍜'.repeat(80)), '🍜'.repeat(59) + '…');
});

test('Markdown', () => {
    const chat = branched();
    chat.messages.at(-1).thoughts = 'Hm.';
    chat.messages.at(-1).calls = [{name: 'f', arguments: '{"x":1}'}];
    assert.equal(asMarkdown(chat), `# One?

## Question

One?

## Answer (m)

<details><summary>Thoughts</summary>

Hm.

</details>

I

Calls \`f\`:

\`\`\`json
{"x":1}
\`\`\`
`);
});
