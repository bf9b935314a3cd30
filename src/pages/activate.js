/* SPDX-License-Identifier: Apache-2.0 */
// The page behind a mailed invitation. Somebody new chooses a password, or comes by a provider; who has an account already signs in and accepts. A provider sends
// people back to this page, which is therefore one of IdentityRedirectURI where it shall offer any.

const HERE = location.origin + PATH;
const KEPT = 'identity-invitation'; // in sessionStorage, between going to a provider and coming back

const refuse = (why) => conclude('bad', why);

const passwordForm = makePasswordForm((answer) => conclude('done', 'activated', { username: answer.username || link.username }), refuse);

// ---- who has an account already -------------------------------------------------------------------------------------

// Who an access token is of: its id and name, or nothing where that cannot be told.
async function ownerOf(bearer) {
    try {
        const claims = JSON.parse(atob(bearer.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
        return (await call('GET', '/v1/users/' + claims.sub, null, bearer)).answer.username || '';
    } catch (unreadable) {
        return '';
    }
}

const isInvited = (name) => name.toLowerCase() === link.username.toLowerCase();

// A session that was opened for this alone ends with it: the page is no place to be signed in at.
function leave(bearer) {
    return post(OAUTH + 'logout', null, bearer);
}

async function accept(form, bearer, opened) {
    const invited = link;
    const result = await post(OAUTH + 'activate-user', { token: invited.token }, bearer);
    const other = result.status === 403 ? await ownerOf(bearer) : '';
    if (opened) {
        await leave(bearer);
    }
    if (invited !== link) {
        return;
    }
    if (result.ok) {
        conclude('done', 'added', invited);
    } else if (result.field === 'token') {
        refuse(whyRefused(result));
    } else if (other && opened) {
        conclude('bad', 'other', { username: invited.username, other: other });
    } else if (result.status === 401 || result.status === 403) {
        showSignIn();
        signInForm.complain(words('signin.ended'));
    } else {
        form.explain(result);
    }
}

// The session that the browser has already, by its cookie.
let present = null;

const joinForm = new Form('join-form', async function (form) {
    form.busy();
    await accept(form, present, false);
});

const signInForm = new Form('signin-form', async function (form) {
    const field = id('present');
    if (!field.value) {
        form.complain(words('password.none'), field);
        return;
    }
    reveal(field, false);
    form.busy();
    const invited = link;
    const result = await post(OAUTH + 'token', { username: link.username, password: field.value });
    if (invited !== link) {
        return;
    }
    if (result.ok) {
        field.value = '';
        await accept(form, result.answer.access_token, true);
    } else if (result.status === 401) {
        field.select();
        form.complain(words('signin.wrong'), field);
    } else {
        form.explain(result);
    }
});

function showSignIn(other) {
    signInForm.reset();
    id('present').value = '';
    reveal(id('present'), false);
    id('signin-username').value = link.username;
    id('forgot').href = OAUTH + 'reset-password#email=' + encodeURIComponent(link.username);
    fill(id('signin-lead'), other ? 'signin.others' : 'signin.lead', { username: link.username, other: other });
    id('signin-form').hidden = !link.byPassword;
    show('signin', link.byPassword && id('present'));
    showWays();
}

async function offerToJoin() {
    const invited = link;
    const renewed = await post(OAUTH + 'refresh-token');
    present = renewed.ok ? renewed.answer.access_token : null;
    const name = present ? await ownerOf(present) : '';
    if (invited !== link) {
        return;
    }
    if (name && isInvited(name)) {
        joinForm.reset();
        fill(id('join-lead'), 'join.lead', link);
        show('join');
    } else if (link.byPassword || waysOpen()) {
        showSignIn(name);
    } else {
        conclude('bad', 'closed', link);
    }
}

// ---- providers ------------------------------------------------------------------------------------------------------

const waysOpen = () => id('ways-list').childElementCount > 0;

function showWays() {
    id('ways').hidden = !waysOpen() || (id('ask').hidden && id('signin').hidden);
    id('ways-or').hidden = !id('signin').hidden && !link.byPassword;
}

async function goTo(provider, button) {
    const problem = id('ways-problem');
    problem.textContent = '';
    button.setAttribute('aria-disabled', 'true');
    const open = await isOpen(provider);
    button.removeAttribute('aria-disabled');
    if (open) {
        sessionStorage.setItem(KEPT, JSON.stringify({ ...link, name: provider.name }));
        location.assign(authorization(provider));
    } else {
        problem.textContent = words('ways.closed', provider);
    }
}

function buttonOf(provider) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'way';
    button.textContent = words('ways.with', provider);
    button.addEventListener('click', () => button.hasAttribute('aria-disabled') || goTo(provider, button));
    item.append(button);
    return item;
}

// Only those that would work get a button.
async function findWays() {
    const invited = link;
    const result = await post('/v1/authentication-providers/enabled', { token: link.token, email: link.username });
    const providers = ((result.ok && result.answer.data) || []).filter((provider) => provider.type === 'SSO');
    const open = await Promise.all(providers.map(isOpen));
    if (invited === link) {
        id('ways-list').replaceChildren(...providers.filter((provider, i) => open[i]).map(buttonOf));
        showWays();
    }
}

async function openAgain(kept, problem) {
    await begin(kept.token);
    if (link && !id('ways').hidden) {
        id('ways-problem').textContent = words(problem, kept);
        id('ways-problem').focus();
    }
}

// Back from a provider, with its answer.
async function comeBack(query) {
    const kept = takeKept();
    if (!kept) {
        conclude('bad', 'lost');
        return;
    }
    if (!query.get('code')) {
        await openAgain(kept, 'ways.declined');
        return;
    }
    showBusy('signing-in');
    const result = await exchange(query);
    if (!result.ok) {
        await openAgain(kept, result.status === 403 ? 'ways.refused' : 'ways.failed');
        return;
    }
    link = kept;
    const bearer = result.answer.access_token;
    if (kept.adds) {
        await accept({ explain: () => openAgain(kept, 'ways.failed') }, bearer, true);
        return;
    }
    const name = await ownerOf(bearer);
    await leave(bearer);
    if (isInvited(name)) {
        conclude('done', 'joined', kept);
    } else {
        conclude('bad', 'other', { username: kept.username, other: name });
    }
}

// ---- the link -------------------------------------------------------------------------------------------------------

async function begin(token) {
    id('ways-list').replaceChildren();
    id('ways-problem').textContent = '';
    if (!token) {
        refuse('missing');
        return;
    }
    await openLink(token, 'INVITE', async function () {
        const found = findWays();
        if (!link.adds) {
            showPasswordForm(passwordForm, 'activate.lead');
            return found;
        }
        if (!link.byPassword) {
            await found;
        }
        await offerToJoin();
        return found;
    }, refuse);
}

// Who comes back by the browser's own button has not come from the provider.
window.addEventListener('pageshow', (event) => event.persisted && takeKept());

const query = new URLSearchParams(location.search);
const fragment = takeFragment();
if (query.has('state') && !fragment.token) {
    comeBack(query);
} else {
    begin(fragment.token);
}
