(function () {
    'use strict';

    // Longer than the server ever thinks about one request.
    const PATIENCE = 30000;
    const RULES = {
        length: { words: 'at least 8 characters', met: (text) => Array.from(text).length >= minimum },
        digit: { words: 'a digit', met: (text) => /\p{Nd}/u.test(text) },
        capital: { words: 'a capital letter', met: (text) => /\p{Lu}/u.test(text) },
    };
    const PANELS = ['ask', 'done', 'expired', 'dead', 'missing'];

    const id = (name) => document.getElementById(name);
    const password = id('password');
    const send = id('send');
    const problem = id('problem');
    const told = id('told');
    const sendWords = send.textContent;

    let minimum = 8;
    let token = null;
    let sending = false;
    let waiting = null; // timer of a countdown
    let telling = null; // timer of what is told to a screen reader while one types

    function show(panel) {
        for (const name of PANELS) {
            id(name).hidden = name !== panel;
        }
        const title = id(panel + '-title');
        document.title = title.textContent;
        // What has changed is read out, and the next Tab goes on from there.
        (panel === 'ask' ? password : title).focus();
    }

    // The token leaves the address bar, and this entry of the history, before anything else happens: no bookmark, screenshot or way back holds it.
    function takeToken() {
        const found = /^#(?:.*&)?token=([^&]+)/.exec(location.hash);
        if (location.hash) {
            history.replaceState(null, '', location.pathname + location.search);
        }
        try {
            return found ? decodeURIComponent(found[1]) : null;
        } catch (malformed) {
            return null;
        }
    }

    function begin() {
        token = takeToken();
        clearProblem();
        if (!waiting) {
            ready();
        }
        show(token ? 'ask' : 'missing');
    }

    function clearProblem() {
        problem.textContent = '';
        password.removeAttribute('aria-invalid');
    }

    function complain(text, ofPassword) {
        problem.textContent = text;
        if (ofPassword) {
            password.setAttribute('aria-invalid', 'true');
            password.focus();
        }
    }

    function reveal(visible) {
        password.type = visible ? 'text' : 'password';
        id('show-word').textContent = visible ? 'Hide' : 'Show';
    }

    // Ticks the rules off; returns those still missing, in words.
    function checkRules() {
        const missing = [];
        for (const [name, rule] of Object.entries(RULES)) {
            const item = document.querySelector('[data-rule="' + name + '"]');
            const met = rule.met(password.value);
            item.classList.toggle('met', met);
            item.querySelector('.unseen').textContent = met ? 'Done: ' : 'Missing: ';
            if (!met) {
                missing.push(rule.words);
            }
        }
        return missing;
    }

    // Not at every key: a screen reader would never come to an end.
    function tellRules(missing) {
        clearTimeout(telling);
        telling = setTimeout(function () {
            told.textContent = missing.length ? 'Still missing: ' + missing.join(', ') + '.' : 'The password meets the rules.';
        }, 900);
    }

    function hold(words) {
        send.setAttribute('aria-disabled', 'true');
        send.textContent = words;
    }

    function ready() {
        send.removeAttribute('aria-disabled');
        send.textContent = sendWords;
    }

    function inWords(seconds) {
        const minutes = Math.ceil(seconds / 60);
        if (seconds <= 90) {
            return seconds + (seconds === 1 ? ' second' : ' seconds');
        }
        return minutes <= 90 ? minutes + ' minutes' : Math.ceil(minutes / 60) + ' hours';
    }

    // Retry-After is a number of seconds or a date (RFC 9110, 10.2.3).
    function secondsToWait(response) {
        const text = response.headers.get('Retry-After') || '';
        const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - Date.now()) / 1000);
        return seconds >= 1 ? Math.min(seconds, 86400) : 1;
    }

    function wait(why, seconds) {
        const until = Date.now() + seconds * 1000;
        complain(why + ' Please try again in ' + inWords(seconds) + '.', false);
        function tick() {
            const left = Math.ceil((until - Date.now()) / 1000);
            if (left > 0) {
                hold('Try again in ' + inWords(left));
                return;
            }
            clearInterval(waiting);
            waiting = null;
            ready();
            complain('You can try again now.', false);
        }
        clearInterval(waiting);
        waiting = setInterval(tick, 1000);
        tick();
    }

    function succeed(answer) {
        token = null;
        password.value = '';
        const name = answer && typeof answer.username === 'string' ? answer.username : '';
        if (id('named')) {
            id('username').textContent = name;
            id('named').hidden = !name;
            id('unnamed').hidden = Boolean(name);
        }
        show('done');
    }

    // A site may ask for longer passwords than this page knows.
    function learn(message) {
        const asked = /at least (\d+)/.exec(message);
        if (asked && Number(asked[1]) > minimum) {
            minimum = Number(asked[1]);
            RULES.length.words = 'at least ' + minimum + ' characters';
            document.querySelector('[data-rule="length"]').lastChild.textContent = 'At least ' + minimum + ' characters';
            checkRules();
        }
    }

    function refuse(response, answer) {
        const field = answer && answer.field;
        const message = answer && typeof answer.message === 'string' ? answer.message : '';
        if (field === 'token') {
            token = null;
            password.value = '';
            show(/expired/i.test(message) ? 'expired' : 'dead');
        } else if (field === 'new_password') {
            learn(message);
            complain(message.replace(/^new_password\b/, 'The password') || 'This password was refused. Please choose another one.', true);
        } else if (response.status === 429) {
            wait('There were too many attempts.', secondsToWait(response));
        } else if (response.status === 503) {
            wait('The service is busy at the moment.', secondsToWait(response));
        } else {
            complain('Something went wrong on our side (' + response.status + '). Please try again later.', false);
        }
    }

    async function post() {
        const patience = new AbortController();
        const timer = setTimeout(() => patience.abort(), PATIENCE);
        try {
            const response = await fetch(location.pathname, {
                method: 'POST',
                headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
                body: JSON.stringify({ token: token, new_password: password.value }),
                credentials: 'same-origin',
                cache: 'no-store',
                redirect: 'error',
                referrerPolicy: 'no-referrer',
                signal: patience.signal,
            });
            const answer = await response.json().catch(() => null);
            return { response, answer };
        } catch (unreachable) {
            return null;
        } finally {
            clearTimeout(timer);
        }
    }

    async function submit(event) {
        event.preventDefault();
        if (sending || waiting) {
            return;
        }
        clearProblem();
        const missing = checkRules();
        if (missing.length) {
            complain(password.value ? 'The password still needs ' + missing.join(', ') + '.' : 'Please choose a password.', true);
            return;
        }
        clearTimeout(telling);
        sending = true;
        reveal(false);
        hold(send.dataset.busy);
        told.textContent = send.dataset.busy;
        const sent = token;
        const result = await post();
        sending = false;
        told.textContent = '';
        ready();
        if (sent !== token) {
            return; // another link was opened in this tab meanwhile
        }
        if (!result) {
            complain('There is no connection to the server. Check your network and try again.', false);
        } else if (result.response.ok) {
            succeed(result.answer);
        } else {
            refuse(result.response, result.answer);
        }
    }

    id('site').textContent = location.host;
    id('site').hidden = false;
    id('form').addEventListener('submit', submit);
    password.addEventListener('input', function () {
        if (!waiting) {
            clearProblem();
        }
        tellRules(checkRules());
    });
    id('show').addEventListener('click', function () {
        reveal(password.type === 'password');
        told.textContent = password.type === 'text' ? 'Your password is shown.' : 'Your password is hidden.';
    });
    // A second link opened in the same tab changes nothing but the fragment, so the page is not loaded again.
    window.addEventListener('hashchange', function () {
        if (location.hash) {
            begin();
        }
    });
    begin();
})();
