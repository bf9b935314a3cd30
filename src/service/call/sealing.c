/* SPDX-License-Identifier: Apache-2.0 */
/* Keys to seal with, by the name of the signing key that they are derived from: what was sealed before keys were
 * changed stays readable as long as the old one is there. */
#include <string.h>

#include "call/call.h"

bool identity_sealing_key(const identity_call_t *call, const char *kid, const char *purpose, unsigned char key[32])
{
    const char *present;

    for (int i = 0; (present = identity_keyset_kid(call->env->keys, i)) != NULL; i++)
        if (strcmp(present, kid) == 0)
            return identity_keyset_derive(call->env->keys, i, purpose, key);
    return false;
}
