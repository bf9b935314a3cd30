/* SPDX-License-Identifier: Apache-2.0 */
/* The request context: this module's state for a request_rec, in its r->request_config. */
#ifndef IDENTITY_RCTX_H
#define IDENTITY_RCTX_H

#include "server_int.h"

typedef enum {
    IDENTITY_RCTX_NONE,      /* we neither answer nor protect it */
    IDENTITY_RCTX_API,       /* a path of the API */
    IDENTITY_RCTX_PROTECTED, /* anything else, in a location that requires identities */
} identity_rctx_kind_t;

/* Headers as the client sent them, if credential.c has removed a credential from them. */
typedef struct identity_cut {
    const char *authorization, *api_key, *cookie;
    const apr_table_t *others; /* or NULL */
} identity_cut_t;

struct identity_rctx {
    identity_rctx_kind_t kind;
    identity_host_t *host;
    const char *request_id; /* the same for everything that results from one client request */
    identity_authentication_t authentication;
    struct {
        identity_request_t
            *in; /* in the form used by operations; NULL: translate_name has not claimed the URL */
        bool open;          /* httpd's access rules admit it without authentication */
        bool authenticated; /* the phase has run; authentication is its result */
        bool ended;         /* the body was read to its end */
        bool answered;      /* httpd itself has answered while the body was read */
        bool counted;       /* its answer has been counted in the metrics */
        bool plain_error;   /* httpd answers with its own error page */
    } api;
    struct {
        bool nested;  /* we are running the remaining hooks ourselves */
        bool foreign; /* a Require line of ours was evaluated for the user of another provider */
        /* What the Require lines found missing. */
        const char *scope; /* permissions, any of which would suffice */
        bool lacking;      /* a permission, role or membership */
        unsigned fresh;    /* a more recent sign-in: seconds */
        apr_array_header_t *
            answers; /* of identity_answered_t: results of Require lines; NULL: none was evaluated */
    } location;
    /* For any kind: */
    identity_cut_t cut;
    const ap_conf_vector_t *kept_for; /* the configuration under which credentials were removed */
    /* The header value last searched for credentials, and those found in it (credential.c). */
    const char *looked_through;
    apr_array_header_t *secrets;
    signed char tls; /* with IdentityTrustedProxy: 1 TLS, -1 not; 0: no trusted proxy */
    bool transport_known;
    bool used_below; /* a subrequest was admitted by a credential in a header */
};

/* NULL if there is none. */
identity_rctx_t *identity_rctx(const request_rec *r);
/* Creates one, without a kind, if there is none. */
identity_rctx_t *identity_rctx_make(request_rec *r);
/* Sets the kind; puts its request id into the environment. */
identity_rctx_t *identity_rctx_begin(request_rec *r, identity_host_t *host,
                                     identity_rctx_kind_t kind);
/* Resets the kind. */
void identity_rctx_drop(request_rec *r);

/* The context if it has that kind, else NULL. */
identity_rctx_t *identity_rctx_api(const request_rec *r);
identity_rctx_t *identity_rctx_protected(const request_rec *r);
/* Of the API, and not redirected by another module. */
identity_rctx_t *identity_rctx_claimed(const request_rec *r);

/* The request that led to this one, by an internal redirect or as a subrequest; NULL: it is the client's own. */
const request_rec *identity_request_before(const request_rec *r);
/* The same if it has the same configuration, so that httpd does not authenticate again, and which of two it uses
 * (ap_process_request_internal); or NULL. */
const request_rec *identity_request_inherits(const request_rec *r);
/* That of this request at a protected location, or of the one that it inherits from. */
identity_rctx_t *identity_rctx_inherited(const request_rec *r);
/* That of the nearest preceding request at a protected location with a credential; else NULL. */
identity_rctx_t *identity_rctx_shown(const request_rec *r);

/* The principal at a protected location or in the API, NULL if there is none. *account_id: see
 * identity_authentication_t. */
const identity_principal_t *identity_caller(const request_rec *r, const char **account_id);
/* Sets the environment variables for the principal, which must exist. */
void identity_environment(request_rec *r, const identity_rctx_t *rctx);

#endif
