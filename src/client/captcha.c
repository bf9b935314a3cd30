/* SPDX-License-Identifier: Apache-2.0 */
/* Verifies a captcha response with the service that the page used, through the common siteverify call. */
#include <stdatomic.h>
#include <string.h>

#include <apr_strings.h>

#include "fetch.h"

#define CONNECT_TIMEOUT apr_time_from_sec(3)
#define TIMEOUT         apr_time_from_sec(5)
/* Each occupies a server thread while it lasts. */
#define AT_ONCE         8

static atomic_int under_way;

const char *identity_captcha_fault(apr_pool_t *pool, const char *url)
{
    bool plain = strncasecmp(url, "http:", 5) == 0 && client_url_loopback(pool, url);

    /* Not quoted: it may contain a key. */
    return client_url_valid(url, plain)
               ? NULL
               : "the URL of the service must be https, without user and fragment, such as "
                 "https://captcha.example.org/siteverify (http only for loopback)";
}

static const char *parameter(apr_pool_t *pool, const char *name, const char *value)
{
    char *escaped = (char *)identity_query_escape(pool, value);

    identity_wipe_with_pool(pool, escaped);
    return apr_pstrcat(pool, name, escaped, NULL);
}

static char *form_of(apr_pool_t *pool, const identity_captcha_t *captcha, const char *response,
                     const char *client_address)
{
    char *secret =
        (char *)parameter(pool, "secret=", __atomic_load_n(&captcha->secret, __ATOMIC_ACQUIRE));
    char *token = (char *)parameter(pool, "&response=", response);
    char *form = apr_pstrcat(
        pool, secret, token,
        client_address && *client_address ? parameter(pool, "&remoteip=", client_address) : "",
        NULL);

    identity_wipe_with_pool(pool, secret);
    identity_wipe_with_pool(pool, token);
    identity_wipe_with_pool(pool, form);
    return form;
}

/* Errors on our side or theirs, rather than the person's; the texts of the leading services. */
static const char *fault_in(const json_t *codes)
{
    static const char *const faults[] = {
        "missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "bad-request",
        "internal-error",       "invalid-keys",         "not-using-dummy-secret"};
    const json_t *code;
    size_t i;

    json_array_foreach (codes, i, code)
        for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
            if (json_is_string(code) && strcmp(json_string_value(code), faults[f]) == 0)
                return faults[f];
    return NULL;
}

static identity_captcha_status_t judge(apr_pool_t *pool, const fetch_response_t *response,
                                       const char **error)
{
    if (response->status != 200) {
        *error = apr_psprintf(pool, "it answered with status %ld", response->status);
        return IDENTITY_CAPTCHA_UNAVAILABLE;
    }
    static const identity_json_member_t members[] = {
        {"success", NULL}, {"error-codes", NULL}, {NULL, NULL}};
    const json_t *answer = identity_json_pick(pool, response->body, response->length, members);
    const json_t *success = json_object_get(answer, "success");
    if (!json_is_boolean(success)) {
        *error = "its answer is neither {\"success\": true} nor {\"success\": false}";
        return IDENTITY_CAPTCHA_UNAVAILABLE;
    }
    if (json_is_true(success))
        return IDENTITY_CAPTCHA_PASSED;
    const char *fault = fault_in(json_object_get(answer, "error-codes"));
    if (fault)
        *error = apr_psprintf(pool, "it rejected the request: %s", fault);
    return fault ? IDENTITY_CAPTCHA_UNAVAILABLE : IDENTITY_CAPTCHA_REFUSED;
}

identity_captcha_status_t identity_captcha_verify(apr_pool_t *pool,
                                                  const identity_captcha_t *captcha,
                                                  const char *response, const char *client_address,
                                                  const char **error)
{
    fetch_request_t request = {
        .url = captcha->url,
        .form = form_of(pool, captcha, response, client_address),
        .reach = {.loopback = client_url_loopback(pool, captcha->url),
                  .private_network = captcha->private_network},
        .connect_timeout = captcha->connect_timeout ? captcha->connect_timeout : CONNECT_TIMEOUT,
        .deadline = apr_time_now() + (captcha->timeout ? captcha->timeout : TIMEOUT)};
    fetch_response_t answer;
    bool answered = false;

    *error = NULL;
    if (atomic_fetch_add(&under_way, 1) < AT_ONCE)
        answered = client_fetch(pool, &request, &answer, error);
    else
        *error = "too many requests are already waiting for it";
    atomic_fetch_sub(&under_way, 1);
    return answered ? judge(pool, &answer, error) : IDENTITY_CAPTCHA_UNAVAILABLE;
}
