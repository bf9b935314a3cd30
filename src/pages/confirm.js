/* SPDX-License-Identifier: Apache-2.0 */
// The page behind the link that is mailed to a new address. Opening it changes nothing: what looks into mails before people do may open it as well.

const refuse = (why) => conclude('bad', 'address-' + why);

const confirmForm = new Form('confirm-form', async function (form) {
    form.busy();
    const sent = link;
    const result = await post(PATH, { token: sent.token });
    if (sent !== link) {
        return; // another link was opened in this tab meanwhile
    }
    if (result.ok) {
        conclude('done', 'confirmed', { username: result.answer.username || sent.username });
    } else if (result.field === 'token') {
        refuse(whyRefused(result));
    } else if (result.status === 409) {
        conclude('bad', 'address-taken', sent);
    } else {
        form.explain(result);
    }
});

async function begin(token) {
    if (!token) {
        refuse('missing');
        return;
    }
    await openLink(token, 'CHANGE', function () {
        confirmForm.reset();
        fill(id('confirm-lead'), 'confirm.lead', link);
        show('confirm');
    }, refuse);
}

begin(takeFragment().token);
