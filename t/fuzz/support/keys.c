/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

static const char pem[] = ""
                          "-----BEGIN PRIVATE KEY-----\n"
                          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHILa+7zzQknRk+SN\n"
                          "tjVs4B07nxaYL1dqunlcZSDlezihRANCAATQi3NPTeIuMzdomhWhWJxMJbhY3qi4\n"
                          "hhSY1Ctuf8CGW9wcNRICCK8usPSYeoDdFXIC1FAIO1DhLrW611tEjo+X\n"
                          "-----END PRIVATE KEY-----\n";

identity_keyset_t *fuzz_keys(void)
{
    static identity_keyset_t *keys;
    const char *texts[] = {pem}, *error;

    if (keys == NULL) {
        keys = identity_keyset_load(fuzz_root(), texts, 1, &error);
    }
    return keys;
}
