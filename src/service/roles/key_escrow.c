/* SPDX-License-Identifier: Apache-2.0 */
/* Escrow of API keys: if the site names a sealing key (IdentityKeyEscrow), the text of a new key is stored sealed
 * beside its digest, bound to its id, and can be shown again to callers who have all of the key's rights. */
#include "roles/roles.h"

bool identity_key_seal(identity_call_t *call, identity_key_row_t *row, const char *key)
{
    const unsigned char *escrow = call->env->settings->key_escrow;

    if (!escrow)
        return true;
    row->sealed = identity_seal(call->pool, escrow, key, row->id, &call->env->random);
    return row->sealed || identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
}

/* ---- GET /api-keys/{id}/decrypt --------------------------------------------------------------------------------- */

typedef struct decryption {
    identity_key_view_t view;
    char *text;
} decryption_t;

static bool unseal(identity_call_t *call, decryption_t *decryption)
{
    const unsigned char *escrow = call->env->settings->key_escrow;
    const identity_key_row_t *row = decryption->view.row;

    if (!escrow || !row->sealed)
        return identity_deny(
            call, IDENTITY_PROBLEM_STATE, NULL,
            escrow ? "This key was created before the server kept keys: only its digest is stored."
                   : "This server does not keep keys: a key is shown once, when it is created.");
    decryption->text = identity_unseal(call->pool, escrow, row->sealed, row->id);
    if (decryption->text) {
        identity_wipe_with_pool(call->pool, decryption->text);
        return true;
    }
    identity_log(call, IDENTITY_LOG_WARNING,
                 "ID0306: %s cannot be unsealed with the key of IdentityKeyEscrow", row->id);
    return identity_deny(call, IDENTITY_PROBLEM_STATE, NULL,
                         "This key was sealed with a key that the server no longer has.");
}

/* Whoever sees a key can use it: they must have all of its rights, and every disclosure is audited. */
static bool write_decryption(identity_call_t *call, void *data)
{
    decryption_t *decryption = data;
    identity_audit_t audit = {.action = "DECRYPT",
                              .type = "API_KEY",
                              .id = call->id,
                              .message = "An API key was shown in clear."};
    bool covers;

    if (!identity_key_load(call, &decryption->view) ||
        !identity_key_covered(call, decryption->view.row, decryption->view.names, &covers))
        return false;
    if (!covers)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "This key holds more than the caller does.");
    return unseal(call, decryption) && identity_audit(call, &audit);
}

bool identity_op_decrypt_api_key(identity_call_t *call)
{
    decryption_t decryption = {.view = {.id = call->id}};

    /* A key would outlast the guest session. */
    if (call->principal->guest)
        return identity_deny(call, IDENTITY_PROBLEM_NOT_ALLOWED, NULL,
                             "Guests cannot see secrets.");
    if (!identity_write(call, write_decryption, &decryption))
        return false;
    return identity_answer(call, 200,
                           identity_key_view_json(call, &decryption.view, decryption.text));
}
