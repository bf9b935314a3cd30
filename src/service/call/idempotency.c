/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key: a repeated POST is carried out once (conf/interface.md).
 *
 * begin inserts a row `running` with the mark of this request, in a transaction of its own; if a row exists, the
 * request is answered from it or refused. complete stores the sealed answer in the very transaction that makes the
 * change, guarded by the mark: a crash leaves both or neither. end releases the row of a request that was refused or
 * failed, guarded in the same way: if a COMMIT succeeded without anybody learning of it, the row already holds the
 * answer and stays.
 *
 * The row of a crashed process stays `running`. After ABANDONED it may be taken over; a request that is merely that
 * slow finds the mark changed and changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "call/call.h"

#define FIELD   "Idempotency-Key"
#define KEY_MAX 255
#define ABANDONED                                                                                  \
    apr_time_from_sec(60) /* waits for lock, connection and hash together take seconds */

struct identity_idempotency {
    identity_idempotency_row_t row;    /* to be written by this request */
    identity_idempotency_row_t *found; /* the existing row */
    enum { TRYING, FOUND, HELD, STORED } state;
    bool freed;
    int headers; /* in the answer before the handler adds its own */
};

/* ---- requests and answers as texts ------------------------------------------------------------------------------ */

/* The body may contain a password, which could be guessed from an unkeyed digest. */
static const char *digest_of(identity_call_t *call, const char *kid)
{
    const identity_request_t *in = call->in;
    const char *platform = in->headers.platform_id, *body = call->body_digest;
    const char *request =
        apr_pstrcat(call->pool, in->method, "\n", in->path, "\n", in->query ? in->query : "", "\n",
                    platform ? platform : "", "\n", body ? body : "", NULL);
    unsigned char key[32];

    if (!identity_sealing_key(call, kid, IDENTITY_SEAL_DIGEST, key))
        return NULL;
    const char *digest = identity_keyed_digest(call->pool, key, request, strlen(request));
    identity_wipe(key, sizeof key);
    return digest;
}

static const char *position_of(const identity_call_t *call, const identity_idempotency_row_t *row)
{
    return apr_pstrcat(call->pool, row->credential_id, " ", row->key, NULL);
}

/* Type, the handler's headers, an empty line, the body. */
static const char *seal_answer(identity_call_t *call, const identity_idempotency_t *idempotency)
{
    const apr_array_header_t *headers = apr_table_elts(call->out->headers);
    apr_array_header_t *parts = apr_array_make(call->pool, 16, sizeof(const char *));
    const char *type = call->out->content_type, *body = call->out->body, *sealed = NULL;
    unsigned char key[32];

    APR_ARRAY_PUSH(parts, const char *) = type ? type : "";
    for (int i = idempotency->headers; i < headers->nelts; i++) {
        const apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);
        APR_ARRAY_PUSH(parts, const char *) =
            apr_pstrcat(call->pool, "\n", header->key, ":", header->val, NULL);
    }
    APR_ARRAY_PUSH(parts, const char *) = "\n\n";
    APR_ARRAY_PUSH(parts, const char *) = body ? body : "";
    char *text = apr_array_pstrcat(call->pool, parts, 0);
    if (identity_sealing_key(call, idempotency->row.sealed_with, IDENTITY_SEAL_ANSWER, key))
        sealed = identity_seal(call->pool, key, text, position_of(call, &idempotency->row),
                               &call->env->random);
    identity_wipe(key, sizeof key);
    identity_wipe_string(text);
    return sealed;
}

static bool give_again(identity_call_t *call, const identity_idempotency_row_t *row)
{
    unsigned char key[32];
    char *text = NULL;

    if (identity_sealing_key(call, row->sealed_with, IDENTITY_SEAL_ANSWER, key))
        text = identity_unseal(call->pool, key, row->sealed, position_of(call, row));
    identity_wipe(key, sizeof key);
    char *body = text ? strstr(text, "\n\n") : NULL;
    if (!body)
        return identity_deny(call, IDENTITY_PROBLEM_KEY_REUSED, NULL,
                             "The stored response for this Idempotency-Key can no longer be read.");
    *body = '\0';
    body += 2;
    char *line = strchr(text, '\n');
    if (line)
        *line++ = '\0';
    call->out->status = row->status;
    call->out->content_type = *text ? text : NULL;
    call->out->body = *text ? body : NULL;
    call->out->length = *text ? strlen(body) : 0;
    while (line) {
        char *next = strchr(line, '\n'), *value = strchr(line, ':');
        if (next)
            *next++ = '\0';
        if (value) {
            *value++ = '\0';
            identity_header(call, line, value);
        }
        line = next;
    }
    identity_header(call, "Idempotent-Replayed", "true");
    return true;
}

/* ---- begin ------------------------------------------------------------------------------------------------------ */

/* Has it expired, or been abandoned? */
static bool free_to_take(const identity_call_t *call, const identity_idempotency_row_t *row)
{
    return row->created_at < call->now - (row->running ? ABANDONED : IDENTITY_IDEMPOTENCY_KEPT);
}

static bool reserve(identity_call_t *call, void *data)
{
    identity_idempotency_t *idempotency = data;
    identity_idempotency_row_t *row = &idempotency->row;
    identity_db_status_t status = identity_idempotency_reserve(call->db, row);

    idempotency->found = NULL;

    if (status != IDENTITY_DB_CONFLICT)
        return identity_db_ok(call, status);
    if (!identity_db_ok(call, identity_idempotency_get(call->db, row->credential_id, row->key,
                                                       &idempotency->found)))
        return false;
    if (!free_to_take(call, idempotency->found))
        return true;
    status = identity_idempotency_take(call->db, idempotency->found, row);
    idempotency->found = NULL;
    return identity_db_ok(call, status);
}

static bool answer_from(identity_call_t *call, const identity_idempotency_row_t *row)
{
    const char *digest = digest_of(call, row->sealed_with);

    if (!digest || !identity_secret_equal(digest, row->digest))
        return identity_deny(call, IDENTITY_PROBLEM_KEY_REUSED, NULL, NULL);
    if (row->running)
        return identity_deny(call, IDENTITY_PROBLEM_KEY_RUNNING, NULL, NULL);
    return give_again(call, row);
}

static bool valid(const char *key)
{
    size_t length = 0;

    while (key[length] >= ' ' && key[length] <= '~')
        length++;
    return length > 0 && length <= KEY_MAX && !key[length];
}

bool identity_idempotency_begin(identity_call_t *call, bool *answered)
{
    const char *key = call->in->headers.idempotency_key;
    const identity_route_t *route = call->route;

    *answered = false;
    if (!key || strcmp(route->method, "POST") != 0 ||
        route->credential != IDENTITY_CREDENTIAL_REQUIRED)
        return true;
    if (!valid(key))
        return identity_deny(call, IDENTITY_PROBLEM_INVALID_FIELD, FIELD,
                             FIELD " must have 1 to 255 printable characters.");
    /* Requests that only read need no key, and new keys could fill the database. */
    if (route->rate == IDENTITY_RATE_READ)
        return true;
    identity_idempotency_t *idempotency = apr_pcalloc(call->pool, sizeof *idempotency);
    idempotency->headers = apr_table_elts(call->out->headers)->nelts;
    idempotency->row.credential_id = identity_credential_id(call->principal);
    idempotency->row.key = key;
    idempotency->row.owner = call->in->request_id;
    idempotency->row.sealed_with = identity_keyset_kid(call->env->keys, 0);
    idempotency->row.digest = digest_of(call, idempotency->row.sealed_with);
    idempotency->row.created_at = call->now;
    if (!idempotency->row.digest)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    call->idempotency = idempotency;
    if (!identity_write(call, reserve, idempotency))
        return false;
    idempotency->state = idempotency->found ? FOUND : HELD;
    *answered = idempotency->found != NULL;
    return !idempotency->found || answer_from(call, idempotency->found);
}

/* ---- store and end ---------------------------------------------------------------------------------------------- */

bool identity_idempotency_complete(identity_call_t *call)
{
    identity_idempotency_t *idempotency = call->idempotency;

    if (!idempotency || idempotency->state < HELD)
        return true;
    if (idempotency->state == STORED || !call->out->status) {
        identity_log(call, IDENTITY_LOG_ERROR, "ID0342: %s: a change was made without an answer",
                     call->route->operation);
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    }
    idempotency->row.status = call->out->status;
    idempotency->row.sealed = seal_answer(call, idempotency);
    if (!idempotency->row.sealed)
        return identity_deny(call, IDENTITY_PROBLEM_INTERNAL, NULL, NULL);
    if (!identity_db_ok(call, identity_idempotency_store(call->db, &idempotency->row)))
        return false;
    idempotency->state = STORED;
    return true;
}

void identity_idempotency_unstore(identity_call_t *call)
{
    if (call->idempotency && call->idempotency->state == STORED)
        call->idempotency->state = HELD;
}

/* identity_write stores the answer itself. */
static bool store_alone(identity_call_t *call, void *data)
{
    (void)call;
    (void)data;
    return true;
}

static bool give_free(identity_call_t *call, void *data)
{
    const identity_idempotency_t *idempotency = data;
    return identity_db_ok(call, identity_idempotency_free(call->db, &idempotency->row));
}

void identity_idempotency_end(identity_call_t *call, bool done)
{
    identity_idempotency_t *idempotency = call->idempotency;
    identity_problem_t problem = call->problem;

    if (!idempotency || idempotency->state < HELD)
        return;
    if (done && idempotency->state == HELD) {
        /* Nothing was changed: an answer that cannot be stored is sent all the same. */
        if (!identity_write(call, store_alone, NULL))
            identity_log(call, IDENTITY_LOG_WARNING,
                         "ID0343: the answer to an Idempotency-Key was not stored");
    } else if (!done) {
        call->idempotency = NULL; /* this write is not a change that needs an answer */
        idempotency->freed = identity_write(call, give_free, idempotency);
        call->idempotency = idempotency;
        if (!idempotency->freed)
            identity_log(call, IDENTITY_LOG_WARNING, "ID0344: an Idempotency-Key was not released");
    }
    call->problem = problem;
}

const char *identity_idempotency_key(const identity_call_t *call)
{
    return call->idempotency ? call->idempotency->row.key : NULL;
}

bool identity_idempotency_released(const identity_call_t *call)
{
    return !call->idempotency || call->idempotency->state < HELD || call->idempotency->freed;
}
