/* SPDX-License-Identifier: Apache-2.0 */
// The page behind a mailed link for a new password; without one it is where such a link is asked for.

const passwordForm = makePasswordForm(() => conclude('done', 'reset'), askAgain);

const againForm = new Form('again-form', async function (form) {
    const email = id('email').value.trim();
    if (!/^\S+@\S+\.\S+$/.test(email)) {
        form.complain(words('email.wrong'), id('email'));
        return;
    }
    form.busy();
    const result = await post('/v1/oauth/request-password-reset', { email: email });
    if (result.ok) {
        conclude('done', 'sent', { username: email });
    } else if (result.field === 'email') {
        form.complain(words('email.wrong'), id('email'));
    } else {
        form.explain(result);
    }
});

function askAgain(why) {
    againForm.reset();
    fill(id('again-title'), 'again.' + why + '.title');
    fill(id('again-text'), 'again.' + why + '.text');
    show('again', why === 'forgot' && id('email'));
}

function begin(token) {
    if (token) {
        return openLink(token, 'RESET', () => showPasswordForm(passwordForm, 'reset.lead'), askAgain);
    }
    return askAgain('forgot');
}

const opened = takeFragment();
id('email').value = opened.email;
begin(opened.token);
