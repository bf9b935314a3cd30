/* SPDX-License-Identifier: Apache-2.0 */
// The form that sets a password, and the rules that it checks as one types. The server has the last word (src/core/password_policy.c).

const LONGEST = 1024; // bytes

const password = id('password');

const RULES = {
    // In characters, where the server counts bytes: never fewer, and what people can count.
    length: (text) => Array.from(text).length >= link.minimum,
    digit: (text) => /\p{Nd}/u.test(text),
    capital: (text) => /\p{Lu}/u.test(text),
    name: (text) => text !== '' && !isName(text) && !isMadeOfNames(text),
};

const folded = (text) => text.normalize('NFKC').toLowerCase();

function isName(text) {
    return folded(text) === folded(link.username);
}

// Hardly any letters beside the words of the person's address and the site's.
function isMadeOfNames(text) {
    let letters = folded(text).replace(/[^a-z\u{80}-\u{10ffff}]/gu, '');
    let found = false;
    for (const name of [link.username, location.origin]) {
        for (const word of folded(name).match(/[a-z\u{80}-\u{10ffff}]{3,}/gu) || []) {
            found = found || letters.includes(word);
            letters = letters.replaceAll(word, '');
        }
    }
    return found && letters.length < 4;
}

function nameOfRule(rule) {
    return words('rule.' + rule, { minimum: link.minimum });
}

// Ticks the rules off; returns the names of those not met.
function checkRules() {
    const missing = [];
    for (const [rule, met] of Object.entries(RULES)) {
        const item = document.querySelector('[data-rule="' + rule + '"]');
        const good = met(password.value);
        item.classList.toggle('met', good);
        item.querySelector('.state').textContent = words(good ? 'rule.met' : 'rule.missing');
        item.querySelector('.rule').textContent = nameOfRule(rule);
        if (!good) {
            missing.push(nameOfRule(rule));
        }
    }
    return missing.map((name) => name[0].toLowerCase() + name.slice(1)).join(', ');
}

// Not at every key: a screen reader would never come to an end.
let telling = null;
function tellRules(missing) {
    clearTimeout(telling);
    telling = setTimeout(() => tell(missing ? words('rules.missing', { rules: missing }) : words('rules.met')), 900);
}

// The server's sentences in the person's language; one that is not known here is shown as it is.
const REFUSALS = [
    [/at least (\d+)/, 'password.length'],
    [/at most/, 'password.long'],
    [/not be the user name/, 'password.name'],
    [/made up of the user name/, 'password.names'],
    [/common password/, 'password.common'],
];

function refusalOf(message) {
    const known = REFUSALS.find(([pattern]) => pattern.test(message));
    if (!known) {
        return message.replace(/^new_password\b/, 'The password') || words('password.refused');
    }
    return words(known[1], { minimum: (/\d+/.exec(message) || [])[0], maximum: LONGEST });
}

function complaintOf(text) {
    if (!text) {
        return words('password.none');
    }
    const missing = checkRules();
    if (missing) {
        return words('password.lacks', { rules: missing });
    }
    return new TextEncoder().encode(text).length > LONGEST ? words('password.long', { maximum: LONGEST }) : '';
}

// Sends the password to the page's own path: done(answer) goes on, refused(why) is for a link that does not work any more.
function makePasswordForm(done, refused) {
    password.addEventListener('input', () => tellRules(checkRules()));
    return new Form('ask-form', async function (form) {
        clearTimeout(telling);
        const complaint = complaintOf(password.value);
        if (complaint) {
            form.complain(complaint, password);
            return;
        }
        reveal(password, false);
        form.busy();
        const sent = link;
        const result = await post(PATH, { token: link.token, new_password: password.value });
        if (sent !== link) {
            return; // another link was opened in this tab meanwhile
        }
        if (result.ok) {
            password.value = '';
            done(result.answer);
        } else if (result.field === 'token') {
            password.value = '';
            refused(whyRefused(result));
        } else if (result.field === 'new_password') {
            form.complain(refusalOf(result.message), password);
        } else {
            form.explain(result);
        }
    });
}

function showPasswordForm(form, lead) {
    password.value = '';
    reveal(password, false);
    form.reset();
    fill(id('ask-lead'), lead, link);
    id('username').value = link.username; // for what keeps passwords
    password.setAttribute('passwordrules', 'minlength: ' + link.minimum + '; required: digit; required: upper;');
    checkRules();
    show('ask', password);
}
