/* SPDX-License-Identifier: Apache-2.0 */
/* A whole request through the entry point, on a database of its own: the first line is method and target, then headers
 * (one a line), an empty line, and the body. The values @key, @read and @bearer stand for an administrator's key, a
 * READ_ONLY one and a person's token. */
#include <strings.h>

#include "support/door.h"

bool fuzz_right;

static door_t *door;
static const char *bearer;

typedef struct body {
    const char *text;
    size_t length;
} body_t;

static identity_problem_kind_t read_body(void *context, apr_pool_t *pool, size_t limit, char **text, size_t *length)
{
    const body_t *body = context;

    if (body->length > limit)
        return IDENTITY_PROBLEM_TOO_LARGE;
    *text = apr_pstrmemdup(pool, body->text, body->length);
    *length = body->length;
    return IDENTITY_PROBLEM_NONE;
}

static void begin(void)
{
    door = fuzz_door();
    door_person(door, "ada@example.org", "Correct1Horse", NULL);
    bearer = apr_pstrdup(fuzz_root(), door_login(door, "ada@example.org", "Correct1Horse", NULL));
}

static void take_header(identity_headers_t *headers, const char *name, const char *value)
{
    const struct {
        const char *name, **place;
    } known[] = {{"authorization", &headers->authorization},
                 {"x-api-key", &headers->api_key},
                 {"cookie", &headers->cookie},
                 {"content-type", &headers->content_type},
                 {"platform-id", &headers->platform_id},
                 {"if-match", &headers->if_match},
                 {"if-none-match", &headers->if_none_match},
                 {"accept-language", &headers->accept_language},
                 {"idempotency-key", &headers->idempotency_key},
                 {"api-version", &headers->api_version},
                 {"origin", &headers->origin}};

    value = strcmp(value, "@key") == 0      ? door->key
            : strcmp(value, "@read") == 0   ? door->read_key
            : strcmp(value, "@bearer") == 0 ? bearer
                                            : value;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(known[i].name, name) == 0)
            *known[i].place = value;
}

/* Fills in; the body is what is left, NULL where there is no end of the headers. */
static char *take_head(char *text, identity_request_t *in)
{
    char *line = text, *target;

    for (int i = 0; line && *line; i++) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        if (i > 0 && !*line)
            return end;
        if (i == 0) {
            target = strchr(line, ' ');
            in->method = line;
            if (target)
                *target++ = '\0';
            in->path = target && *target == '/' ? target : "/";
            char *question = target ? strchr(target, '?') : NULL;
            if (question)
                *question++ = '\0';
            in->query = question;
        } else {
            char *colon = strstr(line, ": ");
            if (colon) {
                *colon = '\0';
                take_header(&in->headers, line, colon + 2);
            }
        }
        line = end;
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!door)
        begin();
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size), *rest;
    identity_request_t in = {.client_address = "192.0.2.7", .secure = true};
    const identity_accepts_t all = {.basic_keys = true, .cookie = true};
    identity_authentication_t principal;
    identity_response_t out;
    body_t body = {"", 0};

    rest = take_head(text, &in);
    if (rest && in.method) {
        body = (body_t){rest, size - (size_t)(rest - text)};
        in.has_body = body.length > 0;
        in.read_body = read_body;
        in.body_context = &body;
        in.request_id = identity_request_id(pool, &door->env);
        identity_identify(pool, &door->env, &in, &all, &principal);
        identity_request_match(pool, &in);
        identity_authenticate(pool, &door->env, &in, &principal);
        identity_serve(pool, &door->env, &in, &principal, &out);
        fuzz_right = out.status >= 200 && out.status < 400;
        if (out.status == 500 || door->borrowed || door->writers)
            abort();
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
