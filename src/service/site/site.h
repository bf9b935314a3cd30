/* What only the command line does. */
#ifndef IDENTITY_SERVICE_SITE_H
#define IDENTITY_SERVICE_SITE_H

#include "users/users.h"

/* May a hash that another program made be a user's? The reason never repeats it. */
bool identity_hash_importable(apr_pool_t *pool, const char *hash, const identity_hash_parameters_t *parameters,
                              identity_problem_t *problem);
bool identity_reference_valid(const char *reference);
/* What the command line may write into entities and accounts: each false with the problem. */
bool identity_local_reference(identity_call_t *call, const char *reference);
bool identity_local_label(identity_call_t *call, const char *field, const char *text);
bool identity_local_environment(identity_call_t *call, const char *environment);
bool identity_local_type(identity_call_t *call, const char *code);

#endif
