/* SPDX-License-Identifier: Apache-2.0 */
/* The request context: what this module knows of one request_rec, in its r->request_config. */
#ifndef IDENTITY_RCTX_H
#define IDENTITY_RCTX_H

#include "server_int.h"

typedef enum {
    IDENTITY_RCTX_NONE,      /* nothing of ours answers or guards it */
    IDENTITY_RCTX_API,       /* its path is one of the API's */
    IDENTITY_RCTX_PROTECTED, /* anything else, in a location that asks who it is */
} identity_rctx_kind_t;

/* Headers as the client sent them, where credential.c has cut a credential out of them. */
typedef struct identity_cut {
    const char *authorization, *api_key, *cookie;
    const apr_table_t *others; /* or NULL */
} identity_cut_t;

struct identity_rctx {
    identity_rctx_kind_t kind;
    identity_host_t *host;
    const char *request_id; /* one for all that follows from one request of a client */
    identity_authentication_t authentication;
    struct {
        identity_request_t *in; /* as the operations see it; NULL: translate_name has not taken the URL */
        bool open;              /* httpd's access rules let it in without asking who it is */
        bool authenticated;     /* the phase has run; authentication is what it found */
        bool ended;             /* the body was read to its end */
        bool answered;          /* httpd has answered by itself while the body was read */
        bool counted;           /* its answer stands in the figures */
        bool plain_error;       /* httpd answers by its own page of an error */
    } api;
    struct {
        bool nested;  /* the hooks behind ours are run by ours */
        bool foreign; /* a Require line of ours was asked about the user of another provider */
        /* What a Require line found lacking. */
        const char *scope;           /* permissions, any of which would do */
        bool lacking;                /* these, a role or a membership */
        unsigned fresh;              /* a younger sign-in: seconds */
        apr_array_header_t *answers; /* of identity_answered_t: what Require lines answered; NULL: none was asked */
    } location;
    /* Of any kind: */
    identity_cut_t cut;
    const ap_conf_vector_t *kept_for; /* the configuration that credentials were cut by */
    signed char tls;                  /* behind IdentityTrustedProxy: 1 TLS, -1 not; 0: it is not behind one */
    bool transport_known;
    bool used_below; /* a subrequest was let in by a credential in a header */
};

/* NULL where there is none. */
identity_rctx_t *identity_rctx(const request_rec *r);
/* Made where there is none yet, of no kind. */
identity_rctx_t *identity_rctx_make(request_rec *r);
/* From here on it is of that kind; its id goes into the environment. */
identity_rctx_t *identity_rctx_begin(request_rec *r, identity_host_t *host, identity_rctx_kind_t kind);
/* It is of no kind after all. */
void identity_rctx_drop(request_rec *r);

/* Where it is of that kind, else NULL. */
identity_rctx_t *identity_rctx_api(const request_rec *r);
identity_rctx_t *identity_rctx_protected(const request_rec *r);
/* Of the API, and still ours to answer: not sent elsewhere by another module. */
identity_rctx_t *identity_rctx_claimed(const request_rec *r);

/* The request that this one came from, by an internal redirect or as a subrequest; NULL: the client's own. */
const request_rec *identity_request_before(const request_rec *r);
/* The same where it has the same configuration, so that httpd does not ask again who it is, and which of two it goes by
 * (ap_process_request_internal); or NULL. */
const request_rec *identity_request_inherits(const request_rec *r);
/* Of this request at a protected location, or of the one that it inherits from. */
identity_rctx_t *identity_rctx_inherited(const request_rec *r);
/* Of the nearest request that this one came from, at a protected location, with a credential; else NULL. */
identity_rctx_t *identity_rctx_shown(const request_rec *r);

/* The principal at a protected location or in the API, NULL where there is none. *account_id: see
 * identity_authentication_t. */
const identity_principal_t *identity_caller(const request_rec *r, const char **account_id);
/* Tells programs of the principal, who must be there. */
void identity_environment(request_rec *r, const identity_rctx_t *rctx);

#endif
