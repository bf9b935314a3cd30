/* SPDX-License-Identifier: Apache-2.0 */
// Signing on at a provider, which sends people back to HERE, a page of this host.

const OAUTH = '/v1/oauth/';

function authorization(provider) {
    return OAUTH + 'authorize?' + new URLSearchParams({ provider: provider.id, redirect_uri: HERE });
}

// Would the server send the browser to the provider, and have it come back here?
async function isOpen(provider) {
    const response = await fetch(authorization(provider), { redirect: 'manual', credentials: 'same-origin', cache: 'no-store' }).catch(() => null);
    return Boolean(response) && response.type === 'opaqueredirect';
}

// What a provider sent the browser back with is exchanged for a session.
function exchange(query) {
    return post(OAUTH + 'callback', {
        code: query.get('code'),
        state: query.get('state'),
        iss: query.get('iss') || undefined,
        redirect_uri: HERE,
    });
}

// What was kept as KEPT, the page's own name, when the browser went to the provider; once.
function takeKept() {
    try {
        const kept = JSON.parse(sessionStorage.getItem(KEPT));
        sessionStorage.removeItem(KEPT);
        return kept;
    } catch (unreadable) {
        return null;
    }
}
