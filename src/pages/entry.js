/* SPDX-License-Identifier: Apache-2.0 */
// The page that signs in, also where it stands in for what somebody may not see. All that it shows comes from the server and works without this script, but for
// providers, which send people back here; what goes wrong is told without another page.

const KEPT = 'identity-entry'; // in sessionStorage, between going to a provider and coming back
const FRONT = OAUTH + 'sign-in';
const HERE = location.origin + FRONT;

function begin() {} // there is no link here

// The server has looked at it, so that it is a path of this host.
function goOn(target) {
    location.replace(/^\/(?![/\\])/.test(target) ? target : '/');
}

const TARGET = document.querySelector('main').dataset.return;

if (id('signin-form')) {
    const name = id('name');
    const field = id('present');
    const form = new Form('signin-form', async function (form) {
        if (!name.value.trim() || !field.value) {
            form.complain(words('entry.none'), name.value.trim() ? field : name);
            return;
        }
        reveal(field, false);
        form.busy();
        const result = await post(OAUTH + 'token', { username: name.value.trim(), password: field.value });
        if (result.ok) {
            field.value = '';
            goOn(TARGET);
        } else if (result.status === 401) {
            field.select();
            form.complain(words('entry.wrong'), field);
        } else if (result.status === 403) {
            form.complain(words('entry.off'));
        } else {
            form.explain(result);
        }
    });
    form.element.noValidate = true;
    form.element.querySelector('.eye').hidden = false;
    id('forgot').addEventListener('click', function () {
        if (name.value.includes('@')) {
            id('forgot').href = OAUTH + 'reset-password#email=' + encodeURIComponent(name.value.trim());
        }
    });
    if (!id('message').hidden || !name.value) {
        name.focus();
    } else {
        field.focus();
    }
}

// ---- providers ------------------------------------------------------------------------------------------------------

function complainOf(key, kept) {
    id('ways-problem').textContent = words(key, kept);
    id('ways-problem').focus();
}

async function goTo(provider, button) {
    id('ways-problem').textContent = '';
    button.setAttribute('aria-disabled', 'true');
    const open = await isOpen(provider);
    button.removeAttribute('aria-disabled');
    if (open) {
        sessionStorage.setItem(KEPT, JSON.stringify({ target: TARGET, name: provider.name }));
        location.assign(authorization(provider));
    } else {
        complainOf('ways.closed', provider);
    }
}

// Back from a provider, with its answer. Whoever has not begun here is shown the page as it is.
async function comeBack(query) {
    const kept = takeKept();
    history.replaceState(null, '', FRONT + (kept ? '?' + new URLSearchParams({ return: kept.target }) : ''));
    if (!kept || !id('ways')) {
        return;
    }
    if (!query.get('code')) {
        complainOf('ways.declined', kept);
        return;
    }
    const result = await exchange(query);
    if (result.ok) {
        goOn(kept.target);
    } else {
        complainOf(result.status === 403 ? 'entry.unknown' : 'ways.failed', kept);
    }
}

if (id('ways')) {
    for (const button of document.querySelectorAll('[data-provider]')) {
        const provider = { id: button.dataset.provider, name: button.dataset.name };
        button.addEventListener('click', () => button.hasAttribute('aria-disabled') || goTo(provider, button));
    }
    id('ways').hidden = false;
}

const query = new URLSearchParams(location.search);
if (location.pathname === FRONT && query.has('state')) {
    comeBack(query);
}
