/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server on loopback in a thread of the test, with an answer for each path that the test sets: an OpenID
 * provider that is as good or as bad as a test wants it. What it answers is changed only while no request is under way.
 */
#ifndef IDENTITY_TEST_PROVIDER_H
#define IDENTITY_TEST_PROVIDER_H

#include "identity/core.h"

typedef struct provider_answer {
    int status;           /* 0: 200 */
    const char *body;     /* NULL: none */
    size_t length;        /* 0: that of body; more: padded with spaces */
    const char *type;     /* NULL: application/json */
    const char *location; /* or NULL */
    int wait;             /* milliseconds before it */
    int drip;             /* milliseconds between its bytes */
    bool hang_up;         /* no answer */
} provider_answer_t;

enum { PROVIDER_DISCOVERY, PROVIDER_KEYS, PROVIDER_TOKEN, PROVIDER_ADDRESS, PROVIDER_PATHS };

typedef struct provider {
    const char *issuer; /* http://127.0.0.1:PORT */
    int port;
    provider_answer_t answers[PROVIDER_PATHS];
    int asked[PROVIDER_PATHS];           /* how often */
    const char *request[PROVIDER_PATHS]; /* the whole last request */
    int asked_else;                      /* for any other path */
    const int *held[2];                  /* numbers of the test, or NULL; looked at with every request: */
    int most_held;                       /* the largest that any of them was */
} provider_t;

extern const char *const provider_paths[PROVIDER_PATHS];

provider_t *provider_open(apr_pool_t *pool);
/* The usual document of this provider, with members changed by a JSON object (null takes one away) or NULL. */
const char *provider_discovery(apr_pool_t *pool, const provider_t *provider, const char *changes);

#endif
