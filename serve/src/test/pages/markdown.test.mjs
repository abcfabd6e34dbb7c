import assert from 'node:assert/strict';
import {test} from 'node:test';
import {pageModule} from './pages.mjs';

const {Growing, parse, safeLink, TAGS} = await pageModule('markdown.js');

/** The tree as HTML, for reading only. */
function html(node) {
    if (typeof node === 'string') {
        return node.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    }
    assert.ok(TAGS.has(node.tag), node.tag);
    if (node.tag === 'pre') {
        return `<pre ${node.lang}>${html(node.text)}</pre>`;
    }
    const attributes = ['href', 'cls', 'start', 'align'].filter(name => node[name] !== undefined && node[name] !== 1)
        .map(name => ` ${node[name]}`).join('');
    return `<${node.tag}${attributes}>${node.children.map(html).join('')}</${node.tag}>`;
}

const read = text => parse(text).map(html).join('');

const CASES = {
    emphasis: [
        ['a *b* **c** ***d*** _e_ __f__ ~~g~~ ~h~',
            '<p>a <em>b</em> <strong>c</strong> <em><strong>d</strong></em> <em>e</em> <strong>f</strong> <del>g</del> ~h~</p>'],
        ['snake_case_name 2*3*4 * a', '<p>snake_case_name 2<em>3</em>4 * a</p>'],
        ['**bold *both* bold**', '<p><strong>bold <em>both</em> bold</strong></p>'],
        ['**not closed', '<p>**not closed</p>'],
        ['**重要：**请 **粗**体', '<p><strong>重要：</strong>请 <strong>粗</strong>体</p>'],
        ['\\*plain\\* \\a', '<p>*plain* \\a</p>']
    ],
    code: [
        ['`a*b*` `` c`d `` `open', '<p><code>a*b*</code> <code>c`d</code> `open</p>'],
        ['```js x\nlet a;\n\n- b\n```\nc', '<pre js>let a;\n\n- b</pre><p>c</p>'],
        ['~~~\n```\n~~~~', '<pre >```</pre>'],
        ['````\n```\nx\n```\n````', '<pre >```\nx\n```</pre>'],
        ['```\nnever closed', '<pre >never closed</pre>'],
        ['text\n```c\nx\n```', '<p>text</p><pre c>x</pre>'],
        ['- a\n  ```py\n  if x:\n      y\n  ```\n- b', '<ul><li>a<pre py>if x:\n    y</pre></li><li>b</li></ul>'],
        ['    four spaces', '<p>four spaces</p>']
    ],
    lists: [
        ['- a\n- b', '<ul><li>a</li><li>b</li></ul>'],
        ['- a\n  - b\n    - c\n- d', '<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ul>'],
        ['1. a\n  - b\n2. c', '<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>'],
        ['3) a\n4) b', '<ol 3><li>a</li><li>b</li></ol>'],
        ['- a\n\n- b', '<ul><li><p>a</p></li><li><p>b</p></li></ul>'],
        ['1. a\n\n   more\n2. b', '<ol><li><p>a</p><p>more</p></li><li><p>b</p></li></ol>'],
        ['text\n- a\nlazy\n\nafter', '<p>text</p><ul><li>a\nlazy</li></ul><p>after</p>'],
        ['In the year\n1984. it was', '<p>In the year\n1984. it was</p>'],
        ['- [ ] a\n- [x] b', '<ul><li>☐ a</li><li>☑ b</li></ul>'],
        ['* * *\n- - -', '<hr></hr><hr></hr>'],
        ['-', '<ul><li></li></ul>']
    ],
    blocks: [
        ['# A #\n###### B\n####### C\n#d', '<h1>A</h1><h6>B</h6><p>####### C\n#d</p>'],
        ['# C#', '<h1>C#</h1>'],
        ['a\n---\nb', '<p>a</p><hr></hr><p>b</p>'],
        ['> a\nb\n> - c\n\nd', '<blockquote><p>a\nb</p><ul><li>c</li></ul></blockquote><p>d</p>'],
        ['>> a\n> b', '<blockquote><blockquote><p>a\nb</p></blockquote></blockquote>'],
        ['a\r\nb\r\n\r\nc', '<p>a\nb</p><p>c</p>'],
        ['', ''],
        ['\n \n', '']
    ],
    tables: [
        ['| a | b | c |\n|:--|:-:|--:|\n| 1 | `x|y` | \\| |\n| 2 |',
            '<div table><table><thead><tr><th left>a</th><th center>b</th><th right>c</th></tr></thead><tbody>'
            + '<tr><td left>1</td><td center><code>x|y</code></td><td right>|</td></tr>'
            + '<tr><td left>2</td><td center></td><td right></td></tr></tbody></table></div>'],
        ['here:\na|b\n-|-\nend',
            '<p>here:</p><div table><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>'
            + '<tr><td>end</td><td></td></tr></tbody></table></div>'],
        ['a | b\n---', '<p>a | b</p><hr></hr>']
    ],
    links: [
        ['[a](https://b.c/d_(e)?f=g "title")', '<p><a https://b.c/d_(e)?f=g>a</a></p>'],
        ['[**a** `b`](<https://c.d/e>)', '<p><a https://c.d/e><strong>a</strong> <code>b</code></a></p>'],
        ['![image](https://a.b/c.png)', '<p><a https://a.b/c.png>image</a></p>'],
        ['<https://a.b> <mailto:a@b.c> https://a.b/c_d. (https://e.f/g)',
            '<p><a https://a.b>https://a.b</a> <a mailto:a@b.c>mailto:a@b.c</a> <a https://a.b/c_d>https://a.b/c_d</a>. '
            + '(<a https://e.f/g>https://e.f/g</a>)</p>'],
        ['**https://a.b**，请看https://c.d，', '<p><strong><a https://a.b>https://a.b</a></strong>，请看https://c.d，</p>'],
        ['[a [b](https://c.d) e](https://f.g)',
            '<p>[a <a https://c.d>b</a> e](<a https://f.g>https://f.g</a>)</p>'],
        ['[x] [y][z] [](', '<p>[x] [y][z] [](</p>'],
        ['xhttps://a.b', '<p>xhttps://a.b</p>']
    ],
    'LaTeX stays': [
        ['\\(a_b*c*\\) and \\[x_1\\]', '<p><span math>\\(a_b*c*\\)</span> and <span math>\\[x_1\\]</span></p>'],
        ['$a_1$ $$b_2$$ costs $5 and $6', '<p><span math>$a_1$</span> <span math>$$b_2$$</span> costs $5 and $6</p>'],
        ['\\[\na*b*\n- c\n\\]\nd', '<div math>\\[\na*b*\n- c\n\\]</div><p>d</p>'],
        ['$$\nx\n$$', '<div math>$$\nx\n$$</div>']
    ],
    'signs of HTML': [
        ['a<br>b<br />c', '<p>a<br></br>b<br></br>c</p>'],
        ['&lt;b&gt; &amp;amp; &copy; &constructor;', '<p>&lt;b> &amp;amp; &amp;copy; &amp;constructor;</p>'],
        ['<b>x</b> <script>', '<p>&lt;b>x&lt;/b> &lt;script></p>']
    ]
};

for (const [name, cases] of Object.entries(CASES)) {
    test(name, () => {
        for (const [text, expected] of cases) {
            assert.equal(read(text), expected, JSON.stringify(text));
        }
    });
}

test('links go to the web and to mail only', () => {
    for (const address of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\nscript:alert(1)', ' javascript:alert(1)',
        'data:text/html,<script>alert(1)</script>', 'vbscript:x', 'file:///etc/passwd', '//evil.example', '/relative',
        'blob:https://a.b/c', 'https:evil', 'https://a b', 'https://a\u0000b', 'javascript://https://x']) {
        assert.equal(safeLink(address), null, address);
        assert.doesNotMatch(read(`[a](${address}) [a](<${address}>)`), /<a (?!https?:\/\/|mailto:)/, address);
    }
    assert.equal(safeLink('HTTPS://a.b'), 'HTTPS://a.b');
});

/** Numbers in [0, bound), the same each time. */
function dice(seed) {
    let state = seed;
    return bound => {
        state = Math.imul(state, 1664525) + 1013904223 | 0;
        return (state >>> 8) % bound;
    };
}

const PIECES = ['# a\n', 'text', ' ', '\n', '\n\n', '- ', '  - ', '1. ', '> ', '```', '```js\n', '~~~\n', '|', '| a | b |\n',
    '|--|--|\n', '---', '***', '**b**', '*', '_', '`', '`c`', '[l](https://a.b)', '](', '$$', '$', '\\[', '\\]', '\\(',
    '<br>', '    ', '\t', '鍋', '🍜', 'https://a.b', '&lt;', '\\', '===', '\r\n', '- [x] '];

function randomText(roll, length) {
    return Array.from({length}, () => PIECES[roll(PIECES.length)]).join('');
}

test('text in pieces becomes what it becomes as a whole', () => {
    for (let seed = 1; seed <= 5000; seed++) {
        const roll = dice(seed);
        const text = randomText(roll, 1 + roll(40));
        const growing = new Growing();
        const settled = [];
        let open = [];
        for (let at = 0; at < text.length;) {
            const size = 1 + roll(7);
            const found = growing.append(text.slice(at, at + size));
            at += size;
            settled.push(...found.nodes.slice(0, found.settled));
            open = found.nodes.slice(found.settled);
        }
        assert.equal([...settled, ...open].map(html).join(''), read(text), `seed ${seed}: ${JSON.stringify(text)}`);
    }
});

test('what is settled is not read again', () => {
    const growing = new Growing();
    let nodes = 0;
    for (let i = 0; i < 2000; i++) {
        nodes += growing.append(`Paragraph ${i} with *words*.\n\n`).nodes.length;
    }
    assert.ok(nodes < 3 * 2000, `${nodes} blocks were read`);
});

test('no text is lost', () => {
    const text = node => typeof node === 'string' ? node : node.text ?? node.children.map(text).join('');
    for (let seed = 1; seed <= 300; seed++) {
        const roll = dice(seed);
        const words = Array.from({length: 30}, (_, i) => `w${i}w${PIECES[roll(PIECES.length)]}`).join('');
        const shown = parse(words).map(text).join(' ');
        for (let i = 0; i < 30; i++) {
            // A fence takes the rest of its line as the name of a language.
            if (!/```|~~~/.test(words)) {
                assert.ok(shown.includes(`w${i}w`), `seed ${seed}, w${i}w: ${JSON.stringify(words)}`);
            }
        }
    }
});

test('hostile text takes no long time and no deep stack', {timeout: 60_000}, () => {
    const many = 60_000;
    for (const text of ['*a ', '_a_ ', '**a *b ', '[', '](', '![', '[a](', '[a](<', '>', '> ', '`', '\\(', '$a ', '<', '~~a',
        '- ', '|', '#', ' ', '&', 'https://', '*', '**', 'a|b\n', '-|-\n', '\\[a\n', '$$a\n', '- a\n', '1. a\n  ', '\t- a\n',
        '<br', '&lt', '- - ', '\r', '\u0000', '🍜*']) {
        parse(text.repeat(many / text.length));
        parse(text.repeat(many / text.length) + 'x');
    }
    parse(Array.from({length: 400}, (_, i) => '`'.repeat(i + 1)).join(' '));
    parse(Array.from({length: 400}, (_, i) => ' '.repeat(2 * i) + '- a').join('\n'));
    parse('*a '.repeat(20_000) + 'a* '.repeat(20_000));
    parse('# ' + '#'.repeat(many) + 'x');
    parse('a|b\n' + '-'.repeat(many) + 'x');
});
