/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the command line only. */
#ifndef IDENTITY_SERVICE_SITE_H
#define IDENTITY_SERVICE_SITE_H

#include "users/users.h"

/* Can a hash from another program be imported for a user? The reason never repeats it. */
bool identity_hash_importable(apr_pool_t *pool, const char *hash,
                              const identity_hash_parameters_t *parameters,
                              identity_problem_t *problem);
bool identity_reference_valid(const char *reference);
/* Validate what the command line writes into entities and accounts: false with the problem. */
bool identity_local_reference(identity_call_t *call, const char *reference);
bool identity_local_label(identity_call_t *call, const char *field, const char *text);
bool identity_local_environment(identity_call_t *call, const char *environment);
bool identity_local_type(identity_call_t *call, const char *code);

#endif
