/* SPDX-License-Identifier: Apache-2.0 */
/* OAuth clients: programs that present an API key, its id as client_id and its text as client_secret (RFC 6749,
 * 2.3). */
#include <string.h>

#include "login/login.h"

typedef struct shown {
    const char *id, *secret; /* id: NULL if the secret came in a header without one */
    int ways;
} shown_t;

static bool wrong(identity_call_t *call)
{
    return identity_oauth_deny(call, "invalid_client", IDENTITY_PROBLEM_UNAUTHORISED,
                               "The client is unknown.");
}

static bool in_headers(identity_call_t *call, shown_t *shown)
{
    const identity_headers_t *headers = &call->in->headers;
    const char *authorization =
        headers->authorization && *headers->authorization ? headers->authorization : NULL;
    const char *key = headers->api_key && *headers->api_key ? headers->api_key : NULL, *basic;

    if (!key && !authorization)
        return true;
    shown->ways++;
    shown->secret = key ? key : identity_scheme(authorization, "ApiKey");
    if (shown->secret)
        return true;
    basic = identity_scheme(authorization, "Basic");
    return (basic && identity_basic_parse(call->pool, basic, &shown->id, &shown->secret)) ||
           wrong(call);
}

static bool look(identity_call_t *call, shown_t *shown)
{
    const char *id = identity_json_string(call->body, "client_id"),
               *secret = identity_json_string(call->body, "client_secret");

    if (!in_headers(call, shown))
        return false;
    if (secret) {
        shown->ways++;
        shown->id = id ? id : "";
        shown->secret = secret;
    }
    if (shown->ways > 1 || (shown->ways && id && shown->id && strcmp(id, shown->id) != 0))
        return identity_oauth_deny(call, "invalid_request", IDENTITY_PROBLEM_BAD_REQUEST,
                                   "The client must use only one authentication method.");
    if (shown->ways && !shown->id)
        shown->id = id;
    return true;
}

typedef struct search {
    const char *secret;
    identity_client_t *client;
} search_t;

static bool load(identity_call_t *call, void *data)
{
    const search_t *search = data;
    identity_client_t *client = search->client;

    if (!identity_apikey_verify(call, search->secret, &client->key))
        return false;
    /* A personal key does not authenticate a program of the entity. */
    if (client->key && client->key->user_id)
        client->key = NULL;
    return (!client->key || identity_principal_of_key(call, client->key, &client->principal));
}

bool identity_oauth_client(identity_call_t *call, identity_client_t *client)
{
    shown_t shown = {.id = NULL};
    search_t search = {.client = client};

    memset(client, 0, sizeof *client);
    if (!look(call, &shown))
        return false;
    if (!shown.ways)
        return true;
    const char *id = identity_key_id(call->pool, shown.secret);
    /* Made-up ones cost no database access. */
    if (!id || (shown.id && strcmp(shown.id, id) != 0))
        return wrong(call);
    search.secret = shown.secret;
    return identity_read(call, load, &search) && (client->key || wrong(call));
}
