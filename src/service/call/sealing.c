/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing keys, by the name of the signing key they are derived from: data sealed before a key rotation remains
 * readable as long as the old key exists. */
#include <string.h>

#include "call/call.h"

bool identity_sealing_key(const identity_call_t *call, const char *kid, const char *purpose,
                          unsigned char key[32])
{
    const char *present;

    for (int i = 0; (present = identity_keyset_kid(call->env->keys, i)) != NULL; i++)
        if (strcmp(present, kid) == 0)
            return identity_keyset_derive(call->env->keys, i, purpose, key);
    return false;
}
