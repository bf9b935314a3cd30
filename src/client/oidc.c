/* SPDX-License-Identifier: Apache-2.0 */
/* OpenID providers: their metadata and keys (OpenID Connect Discovery 1.0).
 *
 * Two documents are cached for an hour each, separately in every process: discovery and keys. They are kept as text,
 * since the reference counts of jansson and cjose are not thread-safe. Failures are cached too, for a few seconds,
 * so that a provider that is down is not contacted by every thread in turn, each until its time-out. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "oidc_int.h"

#define REMEMBERED    apr_time_from_sec(3600)
#define FAULT         apr_time_from_sec(5)
#define KEYS_THROTTLE apr_time_from_sec(30) /* between two fetches for an unknown key */
#define CONNECT       apr_time_from_sec(3)
#define TIMEOUT       apr_time_from_sec(10)
#define DISORDER                                                                                   \
    apr_time_from_sec(10) /* clock difference tolerated between waiting and fetching threads */

typedef struct document {
    char *text; /* malloc'd; NULL: none */
    apr_time_t fetched;
    apr_time_t fault_until; /* of a failed fetch */
    char fault[256];
    bool busy; /* a thread is fetching it */
} document_t;

struct identity_oidc {
    identity_oidc_options_t options;
    const char *discovery_url;
    client_reach_t reach;
    bool plain; /* the issuer itself is http on loopback */
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *fetched;
    document_t discovery, keys;
};

static apr_status_t forget(void *data)
{
    identity_oidc_t *oidc = data;

    free(oidc->discovery.text);
    free(oidc->keys.text);
    return APR_SUCCESS;
}

identity_oidc_t *identity_oidc_make(apr_pool_t *pool, const identity_oidc_options_t *options,
                                    const char **error)
{
    identity_oidc_t *oidc = apr_pcalloc(pool, sizeof *oidc);
    size_t length = strlen(options->issuer);

    *error = NULL;
    if (!identity_issuer_valid(pool, options->issuer) || !client_url_valid(options->issuer, true)) {
        *error =
            "An OpenID issuer must be an https URL without user, query and fragment (http only "
            "for loopback).";
        return NULL;
    }
    oidc->options = *options;
    if (!oidc->options.connect_timeout)
        oidc->options.connect_timeout = CONNECT;
    if (!oidc->options.timeout)
        oidc->options.timeout = TIMEOUT;
    if (options->issuer[length - 1] == '/')
        length--;
    oidc->discovery_url = apr_pstrcat(pool, apr_pstrmemdup(pool, options->issuer, length),
                                      "/.well-known/openid-configuration", NULL);
    oidc->plain = strncmp(options->issuer, "http:", 5) == 0;
    oidc->reach.loopback = client_url_loopback(pool, options->issuer);
    oidc->reach.private_network = options->private_network;
    if (apr_thread_mutex_create(&oidc->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS ||
        apr_thread_cond_create(&oidc->fetched, pool) != APR_SUCCESS) {
        *error = "The mutex of an OpenID provider cannot be created.";
        return NULL;
    }
    apr_pool_cleanup_register(pool, oidc, forget, apr_pool_cleanup_null);
    return oidc;
}

void identity_oidc_secret(identity_oidc_t *oidc, const char *secret)
{
    __atomic_store_n(&oidc->options.client_secret, secret, __ATOMIC_RELEASE);
}

const identity_oidc_options_t *oidc_options(const identity_oidc_t *oidc)
{
    return &oidc->options;
}

void oidc_request(identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on, const char *url,
                  fetch_request_t *request)
{
    if (!sign_on->deadline)
        sign_on->deadline = apr_time_now() + oidc->options.timeout;
    *request = (fetch_request_t){.url = url,
                                 .reach = oidc->reach,
                                 .connect_timeout = oidc->options.connect_timeout,
                                 .deadline = sign_on->deadline};
}

/* ---- documents -------------------------------------------------------------------------------------------------- */

typedef struct wanted {
    document_t *document;
    const char *name, *url;
    bool (*sound)(apr_pool_t *pool, const identity_oidc_t *oidc, const char *text,
                  const char **error);
    bool again; /* the cached document was not sufficient */
} wanted_t;

/* If the clock was set back, cached documents count as old. */
static bool younger(apr_time_t since, apr_time_t now, apr_interval_time_t age)
{
    return since <= now + DISORDER && now - since < age;
}

static bool cached(const wanted_t *wanted, apr_time_t now)
{
    const document_t *document = wanted->document;
    return document->text &&
           younger(document->fetched, now, wanted->again ? KEYS_THROTTLE : REMEMBERED);
}

static char *fetch_document(apr_pool_t *pool, identity_oidc_t *oidc,
                            identity_oidc_sign_on_t *sign_on, const wanted_t *wanted,
                            const char **error)
{
    fetch_request_t request;
    fetch_response_t response;

    oidc_request(oidc, sign_on, wanted->url, &request);
    if (!client_fetch(pool, &request, &response, error))
        return NULL;
    if (response.status != 200) {
        *error = apr_psprintf(pool, "it answered with status %ld", response.status);
        return NULL;
    }
    if (strlen(response.body) != response.length ||
        !wanted->sound(pool, oidc, response.body, error))
        return NULL;
    return response.body;
}

/* Called with the mutex held. */
static void store(document_t *document, const char *text, const char *error, apr_time_t now)
{
    char *copy = text ? strdup(text) : NULL;

    document->busy = false;
    if (copy) {
        free(document->text);
        document->text = copy;
        document->fetched = now;
        document->fault_until = 0;
    } else {
        document->fault_until = now + FAULT;
        apr_cpystrn(document->fault, error ? error : "there is not enough memory for its answer",
                    sizeof document->fault);
    }
}

/* Called with the mutex held; releases it during the fetch. */
static void renew(apr_pool_t *pool, identity_oidc_t *oidc, identity_oidc_sign_on_t *sign_on,
                  const wanted_t *wanted)
{
    const char *error = "its answer is not the requested document";

    wanted->document->busy = true;
    apr_thread_mutex_unlock(oidc->mutex);
    const char *text = fetch_document(pool, oidc, sign_on, wanted, &error);
    apr_thread_mutex_lock(oidc->mutex);
    store(wanted->document, text, error, sign_on->now);
    apr_thread_cond_broadcast(oidc->fetched);
}

/* Called with the mutex held. False past the deadline. */
static bool wait_for_others(identity_oidc_t *oidc, const identity_oidc_sign_on_t *sign_on)
{
    apr_interval_time_t left = sign_on->deadline - apr_time_now();
    return left > 0 && apr_thread_cond_timedwait(oidc->fetched, oidc->mutex, left) == APR_SUCCESS;
}

static identity_oidc_status_t document(apr_pool_t *pool, identity_oidc_t *oidc,
                                       identity_oidc_sign_on_t *sign_on, const wanted_t *wanted,
                                       const char **text, const char **error)
{
    document_t *known = wanted->document;
    fetch_request_t bounds;

    oidc_request(oidc, sign_on, wanted->url, &bounds);
    *text = *error = NULL;
    apr_thread_mutex_lock(oidc->mutex);
    while (!cached(wanted, sign_on->now) && !*error) {
        if (known->fault_until > sign_on->now &&
            known->fault_until <= sign_on->now + FAULT + DISORDER)
            *error = apr_psprintf(pool, "%s of %s: %s", wanted->name, oidc->options.issuer,
                                  known->fault);
        else if (!known->busy)
            renew(pool, oidc, sign_on, wanted);
        else if (!wait_for_others(oidc, sign_on))
            *error = apr_psprintf(pool, "%s of %s: it did not answer in time", wanted->name,
                                  oidc->options.issuer);
    }
    if (!*error)
        *text = apr_pstrdup(pool, known->text);
    apr_thread_mutex_unlock(oidc->mutex);
    return *text ? IDENTITY_OIDC_DONE : IDENTITY_OIDC_UNAVAILABLE;
}

/* ---- discovery -------------------------------------------------------------------------------------------------- */

static const char *endpoint(apr_pool_t *pool, const identity_oidc_t *oidc, const json_t *root,
                            const char *name)
{
    const char *url = identity_json_string(root, name);
    bool valid = url && client_url_valid(url, oidc->plain) &&
                 (strncasecmp(url, "https:", 6) == 0 || client_url_loopback(pool, url));

    return valid ? apr_pstrdup(pool, url) : NULL;
}

static bool lists(const json_t *root, const char *name, const char *wanted)
{
    const json_t *list = json_object_get(root, name), *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), wanted) == 0)
            return true;
    return false;
}

/* Detected here, rather than when the first person returns with a token that cannot be verified. */
static bool verifiable(apr_pool_t *pool, const json_t *root, const char **error)
{
    static const char ways[] = "id_token_signing_alg_values_supported";
    const char *names = "";

    if (!json_is_array(json_object_get(root, ways)))
        return true;
    for (const char *const *name = identity_id_token_algorithms(); *name; name++) {
        if (lists(root, ways, *name))
            return true;
        names = apr_pstrcat(pool, names, *names ? ", " : "", *name, NULL);
    }
    *error = apr_psprintf(
        pool, "it signs ID tokens with unsupported algorithms: %s lists none of %s", ways, names);
    return false;
}

static bool read_metadata(apr_pool_t *pool, const identity_oidc_t *oidc, const char *text,
                          oidc_metadata_t *metadata, const char **error)
{
    static const identity_json_member_t members[] = {
        {"issuer", NULL},
        {"authorization_endpoint", NULL},
        {"token_endpoint", NULL},
        {"jwks_uri", NULL},
        {"userinfo_endpoint", NULL},
        {"authorization_response_iss_parameter_supported", NULL},
        {"token_endpoint_auth_methods_supported", NULL},
        {"id_token_signing_alg_values_supported", NULL},
        {NULL, NULL}};
    const json_t *root = identity_json_pick(pool, text, strlen(text), members);
    const char *issuer = identity_json_string(root, "issuer"),
               *ways = "token_endpoint_auth_methods_supported";

    /* Exactly (security 68): otherwise one provider could speak for another. */
    *error =
        !issuer ? "it is not a discovery document" : "its issuer is not exactly the configured one";
    if (!issuer || strcmp(issuer, oidc->options.issuer) != 0)
        return false;
    metadata->authorization_endpoint = endpoint(pool, oidc, root, "authorization_endpoint");
    metadata->token_endpoint = endpoint(pool, oidc, root, "token_endpoint");
    metadata->jwks_uri = endpoint(pool, oidc, root, "jwks_uri");
    metadata->userinfo_endpoint = endpoint(pool, oidc, root, "userinfo_endpoint");
    *error = "an endpoint is missing or is not an https URL";
    if (!metadata->authorization_endpoint || !metadata->token_endpoint || !metadata->jwks_uri)
        return false;
    metadata->names_issuer =
        json_is_true(json_object_get(root, "authorization_response_iss_parameter_supported"));
    bool basic = !json_object_get(root, ways) || lists(root, ways, "client_secret_basic");
    metadata->secret_in_form = !basic && lists(root, ways, "client_secret_post");
    *error = basic || metadata->secret_in_form
                 ? NULL
                 : "it supports neither client_secret_basic nor client_secret_post";
    return !*error && verifiable(pool, root, error);
}

static bool metadata_sound(apr_pool_t *pool, const identity_oidc_t *oidc, const char *text,
                           const char **error)
{
    oidc_metadata_t metadata;
    return read_metadata(pool, oidc, text, &metadata, error);
}

identity_oidc_status_t oidc_metadata(apr_pool_t *pool, identity_oidc_t *oidc,
                                     identity_oidc_sign_on_t *sign_on, oidc_metadata_t *metadata,
                                     const char **error)
{
    const wanted_t wanted = {&oidc->discovery, "the discovery document", oidc->discovery_url,
                             metadata_sound, false};
    const char *text;
    identity_oidc_status_t status = document(pool, oidc, sign_on, &wanted, &text, error);

    if (status != IDENTITY_OIDC_DONE)
        return status;
    return read_metadata(pool, oidc, text, metadata, error) ? IDENTITY_OIDC_DONE
                                                            : IDENTITY_OIDC_UNAVAILABLE;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static bool keys_sound(apr_pool_t *pool, const identity_oidc_t *oidc, const char *text,
                       const char **error)
{
    (void)oidc;
    *error = "it is not a key set";
    return identity_key_set_read(pool, text, strlen(text)) != NULL;
}

identity_oidc_status_t oidc_keys(apr_pool_t *pool, identity_oidc_t *oidc,
                                 identity_oidc_sign_on_t *sign_on, const oidc_metadata_t *metadata,
                                 bool again, const char **jwks, const char **error)
{
    const wanted_t wanted = {&oidc->keys, "the key set", metadata->jwks_uri, keys_sound, again};
    return document(pool, oidc, sign_on, &wanted, jwks, error);
}

/* ---- where the browser goes ------------------------------------------------------------------------------------- */

identity_oidc_status_t identity_oidc_authorization(apr_pool_t *pool, identity_oidc_t *oidc,
                                                   identity_oidc_sign_on_t *sign_on,
                                                   const char **url, const char **error)
{
    oidc_metadata_t metadata;
    identity_oidc_status_t status = oidc_metadata(pool, oidc, sign_on, &metadata, error);

    if (status != IDENTITY_OIDC_DONE)
        return status;
    *url = apr_pstrcat(pool, metadata.authorization_endpoint,
                       strchr(metadata.authorization_endpoint, '?') ? "&" : "?",
                       "response_type=code&scope=openid%20email&client_id=",
                       identity_query_escape(pool, oidc->options.client_id),
                       "&redirect_uri=", identity_query_escape(pool, sign_on->redirect_uri),
                       "&state=", identity_query_escape(pool, sign_on->state),
                       "&nonce=", identity_query_escape(pool, sign_on->nonce),
                       "&code_challenge_method=S256&code_challenge=",
                       identity_sha256_base64url(pool, sign_on->verifier), NULL);
    return IDENTITY_OIDC_DONE;
}
