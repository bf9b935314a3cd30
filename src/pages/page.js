/* SPDX-License-Identifier: Apache-2.0 */
// What all pages are built on: texts, sections, requests, forms.

// Longer than the server ever thinks about one request.
const PATIENCE = 30000;
// What would only flash is not shown.
const FLASH = 300;

const id = (name) => document.getElementById(name);

// ---- texts ----------------------------------------------------------------------------------------------------------

// Where the server has filled the page in, that is what it has chosen.
const language = document.documentElement.dataset.language || (navigator.languages || [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => TEXTS[tag]) || 'en';

// What the pages have in common says `page.` where the words are the page's own.
const PAGE = document.querySelector('main').dataset.page;

function raw(key) {
    key = key.replace(/^page\./, PAGE + '.');
    return TEXTS[language][key] || TEXTS.en[key] || '';
}

function words(key, values) {
    return raw(key).replace(/\{(\w+)\}/g, (all, name) => (values && name in values ? values[name] : all));
}

// Puts a text into an element; who is meant stands out. Whatever a value holds, it is text.
function fill(element, key, values) {
    const parts = raw(key).split(/\{(\w+)\}/).map(function (part, i) {
        if (i % 2 === 0) {
            return part;
        }
        if (part !== 'username' && part !== 'other') {
            return String(values[part]);
        }
        const name = document.createElement('strong');
        name.textContent = values[part];
        return name;
    });
    element.replaceChildren(...parts);
}

function translate() {
    document.documentElement.lang = language;
    for (const element of document.querySelectorAll('[data-text]')) {
        element.textContent = words(element.dataset.text);
    }
    for (const element of document.querySelectorAll('[data-label]')) {
        element.setAttribute('aria-label', words(element.dataset.label));
    }
}

function inWords(seconds) {
    const [unit, size] = seconds <= 90 ? ['seconds', 1] : seconds <= 5400 ? ['minutes', 60] : ['hours', 3600];
    const count = Math.ceil(seconds / size);
    return words(unit + (count === 1 ? '.one' : '.other'), { count: count });
}

// What a screen reader is told beside what has the focus.
function tell(text) {
    id('told').textContent = text;
}

// ---- sections -------------------------------------------------------------------------------------------------------

let appearing = null;

// Shows one section alone. What has changed is read out, and the next Tab goes on from there.
function show(name, focus) {
    clearTimeout(appearing);
    for (const section of document.querySelectorAll('main > section')) {
        section.hidden = section.id !== name;
    }
    const title = id(name + '-title');
    if (title) {
        document.title = title.textContent;
        (focus || title).focus();
    }
}

// While something is under way: `key` says what.
function showBusy(key) {
    show('');
    fill(id('busy-text'), key);
    appearing = setTimeout(function () {
        id('busy').hidden = false;
        tell(words(key));
    }, FLASH);
}

// A last word: KIND.NAME.title, .text and, where there is one, .more.
function conclude(kind, name, values) {
    const key = kind + '.' + name;
    const section = id('message');
    section.className = kind;
    section.querySelector('.mark path').setAttribute('d', MARKS[name.replace(/^.*-/, '')] || MARKS[kind]);
    fill(id('message-title'), key + '.title', values);
    fill(id('message-text'), key + '.text', values);
    fill(id('message-more'), key + '.more', values);
    id('home').hidden = true;
    show('message');
    tell('');
    if (!raw(key + '.more')) {
        leadOn();
    }
}

const MARKS = {
    done: 'M7 12.5l3.4 3.4L17 9',
    sent: 'M6.5 8.5h11v7.5h-11zM6.5 9l5.5 4.2L17.5 9',
    bad: 'M12 7v6M12 16.6v.1',
    expired: 'M12 7v5.2l3.2 2',
};

// To the site's own front page, where it has one.
async function leadOn() {
    const response = await fetch('/', { method: 'HEAD', credentials: 'omit', redirect: 'manual', cache: 'no-store' }).catch(() => null);
    if (response && (response.ok || response.type === 'opaqueredirect' || response.status === 401)) {
        id('home').href = '/';
        fill(id('home'), 'done.home', { host: location.host });
        id('home').hidden = false;
    } else {
        fill(id('message-more'), 'done.close');
    }
}

// ---- requests -------------------------------------------------------------------------------------------------------

// Retry-After is a number of seconds or a date (RFC 9110, 10.2.3).
function secondsToWait(response) {
    const text = response.headers.get('Retry-After') || '';
    const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - Date.now()) / 1000);
    return seconds >= 1 ? Math.min(seconds, 86400) : 1;
}

// status is 0 where nobody answered.
async function call(method, path, body, bearer) {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE);
    const headers = { Accept: 'application/json' };
    if (body) {
        headers['Content-Type'] = 'application/json';
    }
    if (bearer) {
        headers.Authorization = 'Bearer ' + bearer;
    }
    try {
        const response = await fetch(path, {
            method: method,
            headers: headers,
            body: body && JSON.stringify(body),
            credentials: 'same-origin',
            cache: 'no-store',
            redirect: 'error',
            referrerPolicy: 'no-referrer',
            signal: patience.signal,
        });
        const answer = (await response.json().catch(() => null)) || {};
        return { ok: response.ok, status: response.status, answer: answer, field: answer.field, message: String(answer.message || ''), wait: secondsToWait(response) };
    } catch (unreachable) {
        return { ok: false, status: 0, answer: {}, message: '', wait: 0 };
    } finally {
        clearTimeout(timer);
    }
}

const post = (path, body, bearer) => call('POST', path, body, bearer);

// ---- forms ----------------------------------------------------------------------------------------------------------

// A form with its one button and its place for a complaint. send(form) does the rest; while it is under way, or a time must be waited for, the button does nothing.
class Form {
    constructor(name, send) {
        this.element = id(name);
        this.button = this.element.querySelector('.main');
        this.problem = this.element.querySelector('.problem');
        this.label = this.button.textContent;
        this.sending = false;
        this.waiting = null; // timer of a countdown
        this.element.addEventListener('submit', (event) => this.submit(event, send));
        this.element.addEventListener('input', () => this.waiting || this.clear());
    }

    async submit(event, send) {
        event.preventDefault();
        if (this.sending || this.waiting) {
            return;
        }
        this.clear();
        this.sending = true;
        try {
            await send(this);
        } finally {
            this.sending = false;
            if (!this.waiting) {
                this.ready();
            }
        }
    }

    // Something is sent from now on.
    hold(text) {
        this.button.setAttribute('aria-disabled', 'true');
        this.button.textContent = text;
    }

    busy() {
        this.hold(words(this.button.dataset.busy));
        tell(words(this.button.dataset.busy));
    }

    ready() {
        this.button.removeAttribute('aria-disabled');
        this.button.textContent = this.label;
        tell('');
    }

    clear() {
        this.problem.textContent = '';
        for (const field of this.element.querySelectorAll('[aria-invalid]')) {
            field.removeAttribute('aria-invalid');
        }
    }

    complain(text, field) {
        this.problem.textContent = text;
        if (field) {
            field.setAttribute('aria-invalid', 'true');
            field.focus();
        }
    }

    // What has nothing to do with what was typed.
    explain(result) {
        if (result.status === 429 || result.status === 503) {
            this.wait(result.status === 429 ? 'often' : 'busy', result.wait);
        } else {
            this.complain(result.status ? words('broken', { status: result.status }) : words('offline'));
        }
    }

    wait(why, seconds) {
        const until = Date.now() + seconds * 1000;
        const tick = () => {
            const left = Math.ceil((until - Date.now()) / 1000);
            if (left > 0) {
                this.hold(words('again-in', { time: inWords(left) }));
                return;
            }
            this.reset();
            this.complain(words('again-now'));
        };
        this.complain(words(why, { time: inWords(seconds) }));
        this.waiting = setInterval(tick, 1000);
        tick();
    }

    // As it was at first.
    reset() {
        clearInterval(this.waiting);
        this.waiting = null;
        this.clear();
        this.ready();
    }
}

// ---- fields of passwords --------------------------------------------------------------------------------------------

function reveal(field, visible) {
    field.type = visible ? 'text' : 'password';
    document.querySelector('[aria-controls="' + field.id + '"]').setAttribute('aria-pressed', String(visible));
}

// ---- links ----------------------------------------------------------------------------------------------------------

// What the link that was opened is about: token, username, adds, minimum, byPassword.
let link = null;

// Some mail programs write %23 for the # of a link, and the fragment becomes a part of the path.
const HASH = /%(?:25)*23/;
const PATH = location.pathname.split(HASH)[0];

function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch (malformed) {
        return text;
    }
}

// token=... in any spelling that such a program may have given it.
function readFragment(text) {
    for (let times = 0; times < 3 && !text.includes('='); times++) {
        text = decoded(text);
    }
    const fields = new URLSearchParams(text);
    return { token: fields.get('token') || '', email: fields.get('email') || '' };
}

// The fragment leaves the address bar, and this entry of the history, before anything else happens: no bookmark, screenshot or way back holds it.
function takeFragment() {
    const path = location.pathname;
    const misplaced = readFragment(path.slice(path.search(HASH) < 0 ? path.length : path.search(HASH)).replace(HASH, ''));
    const fragment = readFragment(location.hash.slice(1));
    history.replaceState(null, '', PATH);
    return fragment.token || fragment.email ? fragment : misplaced;
}

// Asks what the token is good for: opened() goes on, refused(why) is for one that is not, `expired` or `dead`.
async function openLink(token, kind, opened, refused) {
    const mine = (link = { token: token });
    showBusy('checking');
    const result = await post('/v1/oauth/describe-link', { token: token });
    if (mine !== link) {
        return; // another link was opened in this tab meanwhile
    }
    if (result.ok && result.answer.kind === kind) {
        Object.assign(link, {
            username: result.answer.username,
            adds: result.answer.adds,
            minimum: result.answer.password_min_length,
            byPassword: result.answer.password_sign_in,
        });
        await opened();
    } else if (result.ok || result.field === 'token') {
        refused(whyRefused(result));
    } else {
        trouble.reset();
        show('trouble');
        trouble.explain(result);
    }
}

function whyRefused(result) {
    link = null;
    return /expired/i.test(result.message) ? 'expired' : 'dead';
}

translate();
id('site').textContent = location.host;

for (const button of document.querySelectorAll('.eye')) {
    const field = id(button.getAttribute('aria-controls'));
    button.addEventListener('click', () => reveal(field, field.type === 'password'));
}

const trouble = new Form('trouble-form', async function (form) {
    form.busy();
    await begin(link.token);
});

// A second link opened in the same tab changes nothing but the fragment, so the page is not loaded again.
window.addEventListener('hashchange', function () {
    if (location.hash) {
        begin(takeFragment().token);
    }
});
