import assert from 'node:assert/strict';
import {test} from 'node:test';
import {pageModule} from './pages.mjs';

const {EventReader} = await pageModule('sse.js');

function read(...pieces) {
    const found = [];
    const reader = new EventReader((data, name) => found.push([name, data]), () => found.push('comment'));
    pieces.forEach(piece => reader.push(piece));
    return found;
}

const STREAM = 'data: {"a":"é🍜"}\n\n: keep-alive\n\nevent: error\r\ndata:  two\r\ndata: lines\r\n\r\ndata\n\n'
    + 'id: 7\nretry: 1\n\ndata: [DONE]\r\rdata: not ended\n';
const EVENTS = [['message', '{"a":"é🍜"}'], 'comment', ['error', ' two\nlines'], ['message', ''], ['message', '[DONE]']];

test('events', () => assert.deepEqual(read(STREAM), EVENTS));

test('events cut anywhere', () => {
    for (let i = 0; i <= STREAM.length; i++) {
        for (let k = i; k <= STREAM.length; k++) {
            assert.deepEqual(read(STREAM.slice(0, i), STREAM.slice(i, k), STREAM.slice(k)), EVENTS, `at ${i} and ${k}`);
        }
    }
    assert.deepEqual(read(...STREAM), EVENTS);
});

test('an empty piece between a return and its line feed', () =>
    assert.deepEqual(read('data: a\r', '', '\n', '\r', '\n'), [['message', 'a']]));
