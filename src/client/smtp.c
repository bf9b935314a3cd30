/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery by SMTP with libcurl. What matters here is the outcome: accepted, to be retried, or permanently refused. */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <curl/curl.h>

#include "client_int.h"

#define CONNECT_TIMEOUT 15
#define REPLY_MAX       200
#define STOP_PATIENCE   apr_time_from_sec(3) /* for the answer to a text that was already sent */

/* The stage that the server has reached, according to its replies. */
typedef enum {
    GREETING,
    HELLO, /* EHLO or HELO, repeated after STARTTLS */
    READY, /* STARTTLS, AUTH, then MAIL */
    RECIPIENT,
    DATA,
    TEXT
} stage_t;

typedef struct smtp_session {
    CURL *curl;
    struct curl_slist *recipients;
    const char *left; /* of the message */
    size_t left_length;
    stage_t stage;
    bool needs_utf8, offers_utf8;
    char reply[REPLY_MAX + 1]; /* the server's last refusal, including its code */
    apr_time_t deadline;
    const identity_stop_t *stop;
    bool stopped;
    char fault[CURL_ERROR_SIZE];
} smtp_session_t;

static apr_status_t end_session(void *data)
{
    smtp_session_t *session = data;

    /* Do not wait for an unresponsive name server either. */
    if (session->stopped)
        curl_easy_setopt(session->curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_cleanup(session->curl);
    curl_slist_free_all(session->recipients);
    return APR_SUCCESS;
}

static size_t give(char *buffer, size_t size, size_t count, void *data)
{
    smtp_session_t *session = data;
    size_t length = size * count < session->left_length ? size * count : session->left_length;

    memcpy(buffer, session->left, length);
    session->left += length;
    session->left_length -= length;
    return length;
}

/* libcurl's own time-out does not cover its last QUIT: a silent server would delay us for two more minutes. */
static int is_over(void *data, curl_off_t unused1, curl_off_t unused2, curl_off_t unused3,
                   curl_off_t unused4)
{
    smtp_session_t *session = data;
    apr_time_t now = apr_time_now();

    (void)unused1, (void)unused2, (void)unused3, (void)unused4;
    if (!session->stopped && session->stop && session->stop->asked(session->stop->context)) {
        session->stopped = true;
        /* A mail that may already be accepted would be sent a second time. */
        apr_time_t last =
            session->stage == TEXT && session->left_length == 0 ? now + STOP_PATIENCE : now;
        if (last < session->deadline)
            session->deadline = last;
    }
    return now >= session->deadline;
}

/* The server's reply, made safe for logs and screens. */
static void keep_reply(smtp_session_t *session, const char *line, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length && used < REPLY_MAX; i++) {
        if (line[i] >= ' ' && line[i] <= '~')
            session->reply[used++] = line[i];
        else if (line[i] != '\r' && line[i] != '\n')
            session->reply[used++] = '?';
    }
    session->reply[used] = '\0';
}

/* The next stage after the last line of a positive reply. */
static stage_t next_stage(stage_t stage, const char *code)
{
    if (!strncmp(code, "220", 3))
        return HELLO;
    if (!strncmp(code, "354", 3))
        return TEXT;
    /* 334 and 235 belong to AUTH */
    if (strncmp(code, "25", 2))
        return stage;
    return stage == HELLO ? READY : stage == READY ? RECIPIENT : stage == RECIPIENT ? DATA : stage;
}

static size_t hear(char *line, size_t size, size_t count, void *data)
{
    smtp_session_t *session = data;
    size_t length = size * count;

    if (length < 4)
        return length;
    /* A refusal is followed by the 221 of our QUIT. */
    if (*line == '4' || *line == '5') {
        keep_reply(session, line, length);
        return length;
    }
    if (session->stage == HELLO && length >= 12 && !strncasecmp(line + 4, "SMTPUTF8", 8))
        session->offers_utf8 = true;
    if (line[3] == '-')
        return length;
    session->stage = next_stage(session->stage, line);
    if (session->stage == HELLO)
        session->offers_utf8 = false;
    /* libcurl would go on and send the address as it is (RFC 6531, 3.1 forbids it). */
    return session->stage == RECIPIENT && session->needs_utf8 && !session->offers_utf8 ? 0 : length;
}

/* The first option that libcurl rejects aborts the set-up. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode code_ = curl_easy_setopt(session->curl, option, value);                           \
        if (code_ != CURLE_OK)                                                                     \
            return code_;                                                                          \
    } while (0)

/* libcurl takes the name for EHLO from the path. */
static const char *url_with_helo(smtp_session_t *session, apr_pool_t *pool,
                                 const identity_mail_target_t *target)
{
    char *name = target->helo ? curl_easy_escape(session->curl, target->helo, 0) : NULL;
    const char *url = name ? apr_pstrcat(pool, target->url, "/", name, NULL) : target->url;

    curl_free(name);
    return url;
}

static CURLcode set_connection(smtp_session_t *session, apr_pool_t *pool,
                               const identity_mail_target_t *target)
{
    bool loopback = mail_url_is_loopback(target->url);
    bool plain_allowed = loopback && !strncmp(target->url, "smtp://", 7);
    long timeout = target->timeout;

    SET(CURLOPT_URL, url_with_helo(session, pool, target));
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_PROXY, ""); /* ignore the environment */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT, timeout);
    SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, timeout);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, is_over);
    SET(CURLOPT_XFERINFODATA, session);
    SET(CURLOPT_CONNECTTIMEOUT, timeout < CONNECT_TIMEOUT ? timeout : CONNECT_TIMEOUT);
    SET(CURLOPT_USE_SSL, (long)(plain_allowed ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* A local mail server that offers STARTTLS usually has a self-signed certificate. Where plain text is allowed,
     * that is no reason to refuse it; anywhere else the certificate must be valid. */
    SET(CURLOPT_SSL_VERIFYPEER, plain_allowed ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, plain_allowed ? 0L : 2L);
    if (target->authorities)
        SET(CURLOPT_CAINFO, target->authorities);
    if (target->user) {
        SET(CURLOPT_USERNAME, target->user);
        SET(CURLOPT_PASSWORD, __atomic_load_n(&target->password, __ATOMIC_ACQUIRE));
    }
    return CURLE_OK;
}

static bool is_ascii(const char *text)
{
    while (*text && !(*text & 0x80))
        text++;
    return !*text;
}

static CURLcode set_mail(smtp_session_t *session, apr_pool_t *pool, const identity_mail_t *mail)
{
    const char *name;
    const char *from = mail_address_read(pool, mail->from, &name);
    const char *to = mail_address_read(pool, mail->to, &name);

    session->needs_utf8 = !is_ascii(from) || !is_ascii(to);
    session->recipients = curl_slist_append(NULL, apr_pstrcat(pool, "<", to, ">", NULL));
    if (!session->recipients)
        return CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_MAIL_FROM, apr_pstrcat(pool, "<", from, ">", NULL));
    SET(CURLOPT_MAIL_RCPT, session->recipients);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)session->left_length);
    SET(CURLOPT_READFUNCTION, give);
    SET(CURLOPT_READDATA, session);
    SET(CURLOPT_HEADERFUNCTION, hear);
    SET(CURLOPT_HEADERDATA, session);
    SET(CURLOPT_ERRORBUFFER, session->fault);
    return CURLE_OK;
}

#undef SET

/* Does a reply concern the mail, or the server and our part in it? Refusals of the connection, its encryption, our
 * user and our sender are matters of configuration: once that is fixed the same mail is accepted, so it must not be
 * given up. */
static bool is_of_the_mail(const smtp_session_t *session, CURLcode code, long answer)
{
    switch (answer) {
    case 421: /* closing */
    case 502: /* command unknown */
    case 503: /* bad sequence */
    case 530: /* authentication or encryption wanted */
    case 534:
    case 535: /* credentials refused */
    case 538:
        return false;
    default:
        break;
    }
    /* libcurl's code for a refused MAIL, RCPT or DATA; a refused text has the same code as a refused greeting. */
    if (code == CURLE_SEND_ERROR && session->stage == READY)
        return answer < 500 || answer == 552 || answer == 555; /* of MAIL: size, SMTPUTF8 */
    return code == CURLE_SEND_ERROR || (code == CURLE_WEIRD_SERVER_REPLY && session->stage == TEXT);
}

static const char *fault_of(apr_pool_t *pool, const smtp_session_t *session, CURLcode code,
                            long answer)
{
    if (code == CURLE_LOGIN_DENIED || answer == 535)
        /* Without the server's text: it has just received a password. */
        return apr_psprintf(pool, "The mail server rejects the user name or the password (%ld).",
                            answer);
    if (answer >= 400 && answer < 600 && session->reply[0])
        return apr_psprintf(pool, "The mail server answered: %s", session->reply);
    if (code == CURLE_OPERATION_TIMEDOUT || code == CURLE_ABORTED_BY_CALLBACK)
        return "The mail server did not answer in time.";

    const char *fault = session->fault[0] ? session->fault : curl_easy_strerror(code);
    int length = (int)strlen(fault);
    while (length > 0 && fault[length - 1] == '.')
        length--;
    return apr_psprintf(pool, "The mail server cannot be reached or used: %.*s.", length, fault);
}

static identity_delivery_t judge(apr_pool_t *pool, const smtp_session_t *session, CURLcode code,
                                 const char **error)
{
    long answer = 0;

    if (code == CURLE_OK)
        return IDENTITY_DELIVERY_SENT;
    if (session->stopped)
        return IDENTITY_DELIVERY_STOPPED;
    if (code == CURLE_WRITE_ERROR && session->needs_utf8 && !session->offers_utf8) {
        *error =
            "The mail server does not support addresses with characters outside ASCII (SMTPUTF8).";
        return IDENTITY_DELIVERY_PERMANENT;
    }
    curl_easy_getinfo(session->curl, CURLINFO_RESPONSE_CODE, &answer);
    *error = fault_of(pool, session, code, answer);
    if (answer >= 400 && answer < 600 && is_of_the_mail(session, code, answer))
        return answer < 500 ? IDENTITY_DELIVERY_TEMPORARY : IDENTITY_DELIVERY_PERMANENT;
    bool refused = answer >= 400 && answer < 600 && answer != 421;
    return session->stage >= RECIPIENT && !refused ? IDENTITY_DELIVERY_INTERRUPTED
                                                   : IDENTITY_DELIVERY_UNAVAILABLE;
}

identity_delivery_t mail_send_smtp(apr_pool_t *pool, const identity_mail_target_t *target,
                                   const identity_mail_t *mail, const char *message, size_t length,
                                   const identity_stop_t *stop, const char **error)
{
    smtp_session_t *session = apr_pcalloc(pool, sizeof(*session));

    if (target->user && !target->password) {
        *error = "The mail URL names a user, but there is no password (IdentityMailSecret).";
        return IDENTITY_DELIVERY_UNAVAILABLE;
    }
    session->deadline = apr_time_now() + apr_time_from_sec(target->timeout);
    session->stop = stop;
    session->left = message;
    session->left_length = length;
    session->curl = curl_easy_init();
    if (!session->curl) {
        *error = "There is not enough memory to send mail.";
        return IDENTITY_DELIVERY_UNAVAILABLE;
    }
    /* QUIT is sent when the pool is destroyed. */
    apr_pool_cleanup_register(pool, session, end_session, apr_pool_cleanup_null);

    CURLcode code = set_connection(session, pool, target);
    if (code == CURLE_OK)
        code = set_mail(session, pool, mail);
    if (code == CURLE_OK)
        code = curl_easy_perform(session->curl);
    return judge(pool, session, code, error);
}
