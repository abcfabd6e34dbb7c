// The chat page: what is shown, and what keys and buttons do.

import {Failure, modelNames} from './ask.js';
import {button, copy, download, h, newId} from './dom.js';
import {Run} from './run.js';
import {Settings} from './settings.js';
import {add, asMarkdown, dropLeaf, message, newChat, pathTo, show, Store, turns, versions} from './store.js';
import {AnswerView, questionEditor, questionView} from './view.js';

const MODEL_KEY = 'wok.model';
const DRAFT_KEY = 'wok.draft';

const $ = id => document.getElementById(id);
const [input, log, scroll, models] = ['input', 'log', 'scroll', 'model'].map($);
const narrow = matchMedia('(max-width: 760px)');
const touch = matchMedia('(pointer: coarse)');

const storage = usableStorage();
const store = new Store(storage, trouble);
const settings = new Settings($('settings-form'), now => $('settings-button').classList.toggle('changed', now.changed > 0));

/** What is being answered, by conversation. */
const runs = new Map();

/** Views of the answers that are shown, by message. */
const views = new Map();

let chat = newChat(newId(), null);
let following = true;

function usableStorage() {
    try {
        localStorage.setItem('wok.probe', '1');
        localStorage.removeItem('wok.probe');
        return localStorage;
    } catch (e) {
        if (e.name === 'QuotaExceededError') {
            return localStorage;
        }
        return null;
    }
}

function remember(key, value) {
    try {
        storage?.setItem(key, value);
    } catch {
        // It is for comfort only.
    }
}

// ---- answering

function requestFor(chat, answer) {
    const system = settings.system ? [{role: 'system', content: settings.system}] : [];
    return {
        ...(answer.model ? {model: answer.model} : {}),
        ...settings.request,
        messages: [...system, ...turns(pathTo(chat, answer.parent))]
    };
}

function answerTo(question) {
    const answer = add(chat, {
        id: newId(), parent: question.id, role: 'assistant', text: '', thoughts: '', calls: [],
        model: models.value, at: Date.now(), finish: null, error: null, figures: null
    });
    chat.model = models.value;
    const run = runOf(chat, answer);
    runs.set(chat.id, run);
    store.save(chat);
    following = true;
    showLog();
    showChats();
    showControls();
    run.begin();
}

/** The answer goes on while another conversation is shown. */
function runOf(itsChat, answer) {
    const show = run => {
        views.get(answer.id)?.update(run, versions(itsChat, answer));
        follow();
    };
    const run = new Run(answer, requestFor(itsChat, answer), {
        show: () => show(run),
        save: () => store.save(itsChat),
        speak,
        end() {
            runs.delete(itsChat.id);
            if (store.get(itsChat.id)) {
                itsChat.updated = Date.now();
                store.save(itsChat);
            }
            show(null);
            showControls();
            showChats();
        }
    });
    return run;
}

function askFrom(parent, text) {
    if (runs.has(chat.id) || models.disabled) {
        return false;
    }
    answerTo(add(chat, {id: newId(), parent, role: 'user', text: text.trim(), at: Date.now()}));
    return true;
}

function retry(answer) {
    if (runs.has(chat.id) || models.disabled) {
        return;
    }
    if (!answer.text && !answer.thoughts && answer.calls.length === 0) {
        dropLeaf(chat, answer.id);
    }
    answerTo(message(chat, answer.parent));
}

// ---- showing

const does = {
    retry,
    edit(question) {
        if (!runs.has(chat.id)) {
            const editor = questionEditor(question, does);
            log.querySelector(`[data-id="${question.id}"]`).replaceWith(editor);
            const area = editor.querySelector('textarea');
            grow(area);
            area.addEventListener('input', () => grow(area));
            area.focus();
            area.setSelectionRange(area.value.length, area.value.length);
        }
    },
    leave(question) {
        showLog();
        log.querySelector(`[data-id="${question.id}"] button`)?.focus();
    },
    ask(question, text) {
        if (askFrom(question.parent, text)) {
            input.focus();
        }
    },
    show(version) {
        if (!runs.has(chat.id)) {
            show(chat, version.id);
            store.save(chat);
            showLog();
        }
    },
    async copy(text, from) {
        const done = await copy(text);
        from.textContent = done ? 'Copied' : 'Not copied';
        setTimeout(() => {
            from.textContent = 'Copy';
        }, 1500);
    }
};

function showLog() {
    const path = pathTo(chat, chat.leaf);
    const known = new Map(views);
    views.clear();
    log.replaceChildren(...path.map(m => {
        if (m.role === 'user') {
            return questionView(m, versions(chat, m), does);
        }
        const view = known.get(m.id)?.isOf(m) ? known.get(m.id) : new AnswerView(m, does);
        const run = runs.get(chat.id);
        views.set(m.id, view);
        view.update(run?.answer === m ? run : null, versions(chat, m));
        return view.element;
    }));
    $('empty').hidden = path.length > 0;
    document.title = chat.title ? `${chat.title} · Wok` : 'Wok';
    follow();
}

function showChats() {
    $('chats').replaceChildren(...store.list().map(one => h('li', {class: runs.has(one.id) ? 'growing' : ''},
        button(one.title || 'Untitled', 'chat', () => open(one), {
            'aria-current': one.id === chat.id ? 'true' : null,
            title: one.title
        }),
        button('×', 'icon remove', () => remove(one), {'aria-label': `Delete ${one.title}`, title: 'Delete'}))));
}

function showControls() {
    const running = runs.has(chat.id);
    $('send').hidden = running;
    $('stop').hidden = !running;
    $('send').disabled = models.disabled || input.value.trim() === '';
    $('export').hidden = chat.messages.length === 0;
}

function open(one) {
    chat = one;
    following = true;
    closeSide();
    chooseModel(chat.model);
    showLog();
    showChats();
    showControls();
    if (!touch.matches) {
        input.focus();
    }
}

function startNew() {
    open(newChat(newId(), models.disabled ? null : models.value));
}

function remove(one) {
    runs.get(one.id)?.stop();
    store.remove(one.id);
    if (one.id === chat.id) {
        startNew();
    }
    showChats();
    toast(h('span', {}, 'Deleted. '), button('Undo', 'plain', () => {
        toast();
        store.save(one);
        open(one);
    }));
}

let toastTimer;

function toast(...parts) {
    clearTimeout(toastTimer);
    $('toast').replaceChildren(...parts);
    if (parts.length > 0) {
        toastTimer = setTimeout(() => toast(), 8000);
    }
}

function trouble(text, ...more) {
    $('trouble').replaceChildren(text, ...more);
}

function speak(text) {
    $('spoken').textContent = text;
}

function follow() {
    if (following) {
        scroll.scrollTop = scroll.scrollHeight;
    }
    showDown();
}

function atEnd() {
    return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 8;
}

function showDown() {
    $('down').hidden = atEnd() || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
}

let scrolledTo = 0;
scroll.addEventListener('scroll', () => {
    if (atEnd()) {
        following = true;
    } else if (scroll.scrollTop < scrolledTo) {
        following = false;
    }
    scrolledTo = scroll.scrollTop;
    showDown();
}, {passive: true});

$('down').addEventListener('click', () => {
    following = true;
    follow();
});

new ResizeObserver(follow).observe(scroll);

// ---- models

function chooseModel(name) {
    if (name && [...models.options].some(option => option.value === name)) {
        models.value = name;
    }
}

async function loadModels() {
    try {
        const names = await modelNames();
        if (names.length === 0) {
            throw new Failure('broken', 'The server has no models.');
        }
        models.replaceChildren(...names.map(name => h('option', {}, name)));
        models.disabled = false;
        chooseModel(chat.model ?? storage?.getItem(MODEL_KEY));
        trouble('');
    } catch (e) {
        trouble(e.kind === 'key' ? `${e.message} Load the page again to enter one. ` : `${e.message} `,
            e.kind === 'key'
                ? button('Load again', 'plain', () => location.reload())
                : button('Try again', 'plain', loadModels));
    }
    showControls();
}

models.addEventListener('change', () => remember(MODEL_KEY, models.value));

// ---- input

function grow(area) {
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight + 2, innerHeight * 0.4)}px`;
}

function send() {
    if (input.value.trim() !== '' && askFrom(chat.leaf, input.value)) {
        input.value = '';
        remember(DRAFT_KEY, '');
        grow(input);
        showControls();
    }
}

input.addEventListener('input', () => {
    grow(input);
    showControls();
    remember(DRAFT_KEY, input.value);
});

input.addEventListener('keydown', event => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && !touch.matches) {
        event.preventDefault();
        send();
    } else if (event.key === 'ArrowUp' && input.value === '') {
        const last = pathTo(chat, chat.leaf).findLast(m => m.role === 'user');
        if (last) {
            event.preventDefault();
            does.edit(last);
        }
    }
});

$('composer').addEventListener('submit', event => {
    event.preventDefault();
    send();
});
$('stop').addEventListener('click', () => {
    runs.get(chat.id)?.stop();
    input.focus();
});
$('new').addEventListener('click', startNew);
for (const example of document.querySelectorAll('.examples button')) {
    example.addEventListener('click', () => askFrom(chat.leaf, example.textContent));
}

log.addEventListener('click', event => {
    const from = event.target.closest('.copy-code');
    if (from) {
        does.copy(from.closest('figure').querySelector('code').textContent, from);
    }
});

for (const choice of document.querySelectorAll('[data-export]')) {
    choice.addEventListener('click', () => {
        $('export').open = false;
        const name = (chat.title || 'conversation').replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 60);
        switch (choice.dataset.export) {
            case 'markdown':
                download(`${name}.md`, 'text/markdown', asMarkdown(chat));
                break;
            case 'json':
                download(`${name}.json`, 'application/json', JSON.stringify(chat, null, 2) + '\n');
                break;
            default:
                print();
        }
    });
}

// ---- the list at the side of a narrow page

function openSide() {
    document.body.classList.add('side-open');
    $('shade').hidden = false;
    document.querySelector('.open-side').setAttribute('aria-expanded', 'true');
    fitSide();
    $('new').focus();
}

function closeSide() {
    if (document.body.classList.contains('side-open')) {
        document.body.classList.remove('side-open');
        $('shade').hidden = true;
        document.querySelector('.open-side').setAttribute('aria-expanded', 'false');
        fitSide();
        document.querySelector('.open-side').focus();
    }
}

function fitSide() {
    const isOpen = document.body.classList.contains('side-open');
    $('side').inert = narrow.matches && !isOpen;
    document.querySelector('main').inert = narrow.matches && isOpen;
}

document.querySelector('.open-side').addEventListener('click', openSide);
document.querySelector('.close-side').addEventListener('click', closeSide);
$('shade').addEventListener('click', closeSide);
narrow.addEventListener('change', fitSide);

// ---- keys

for (const id of ['settings', 'keys']) {
    $(`${id}-button`).addEventListener('click', () => $(id).showModal());
    $(id).addEventListener('click', event => event.target === $(id) && $(id).close());
}

const SHORTCUTS = {
    n: startNew,
    j: () => step(1),
    k: () => step(-1),
    r: () => {
        const last = message(chat, chat.leaf);
        if (last?.role === 'assistant') {
            retry(last);
        }
    },
    async c() {
        const last = pathTo(chat, chat.leaf).findLast(m => m.role === 'assistant');
        if (last?.text) {
            toast(await copy(last.text) ? 'Copied the answer.' : 'Not copied.');
        }
    },
    s: () => $('settings').showModal(),
    '/': () => input.focus(),
    '?': () => $('keys').showModal()
};

function step(by) {
    const all = store.list();
    const at = all.findIndex(one => one.id === chat.id);
    const next = all[at < 0 ? 0 : at + by];
    if (next) {
        open(next);
        input.blur();
    }
}

document.addEventListener('keydown', event => {
    if (document.querySelector('dialog[open]') || event.isComposing) {
        return;
    }
    if (event.key === 'Escape') {
        if ($('export').open) {
            $('export').open = false;
            $('export').querySelector('summary').focus();
        } else if (document.body.classList.contains('side-open')) {
            closeSide();
        } else {
            runs.get(chat.id)?.stop();
        }
        return;
    }
    if (event.ctrlKey && event.shiftKey && event.key.toLowerCase() === 'o') {
        event.preventDefault();
        startNew();
        return;
    }
    const typing = event.target.closest?.('input, textarea, select') && !event.target.closest('dialog');
    if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && Object.hasOwn(SHORTCUTS, event.key)) {
        event.preventDefault();
        SHORTCUTS[event.key]();
    }
});

document.addEventListener('click', event => {
    if ($('export').open && !$('export').contains(event.target)) {
        $('export').open = false;
    }
});

// ---- other pages of the same browser, and leaving

addEventListener('storage', event => {
    if (event.key === 'wok.settings') {
        settings.reread();
    }
    const id = store.reread(event.key);
    if (id === null) {
        return;
    }
    if (id === chat.id && !runs.has(id) && store.get(id)) {
        chat = store.get(id);
        showLog();
    }
    showChats();
});

addEventListener('pagehide', () => {
    for (const kept of [...runs.keys()].map(id => store.get(id)).filter(one => one !== null)) {
        store.save(kept);
    }
});

input.value = storage?.getItem(DRAFT_KEY) ?? '';
if (!storage) {
    trouble('This browser keeps nothing for this page: conversations are lost when it is closed.');
}
grow(input);
fitSide();
showChats();
showLog();
showControls();
loadModels();
if (!touch.matches) {
    input.focus();
}
