/* SPDX-License-Identifier: Apache-2.0 */
/* Mails: waiting and failed ones, and previews. */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "tool.h"

#define LIST_MAX     500
#define UNSENT_AFTER apr_time_from_sec(120)

static void print_mail(tool_t *tool, const identity_outbox_row_t *row)
{
    static const char *const columns[] = {
        "id",         "state",           "kind",       "recipient", "attempts",
        "created_at", "next_attempt_at", "last_error", NULL};
    apr_time_t next = row->state == IDENTITY_OUTBOX_QUEUED ? row->next_attempt_at : 0;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:s?, s:s, s:s, s:s?, s:o}", "id", row->id, "state",
        identity_outbox_state_name(row->state), "kind", row->kind, "recipient", row->recipient,
        "attempts", row->attempts, "created_at", identity_time_json(row->created_at),
        "next_attempt_at", identity_time_json(next), "last_error", row->last_error, "language",
        row->language, "user_id", row->user_id, "invitation_id", row->invitation_id,
        "link_expires_at", identity_time_json(row->link_expires_at));

    tool_line(tool, object, columns);
    json_decref(object);
}

/* A server with IdentityMailURL sends a mail within seconds, and retries; one that has not been tried for minutes
 * will never be (M20). */
static void warn_unsent(const apr_array_header_t *rows)
{
    int unsent = 0;

    for (int i = 0; i < rows->nelts; i++) {
        const identity_outbox_row_t *row = APR_ARRAY_IDX(rows, i, identity_outbox_row_t *);
        unsent += row->state == IDENTITY_OUTBOX_QUEUED && row->attempts == 0 &&
                  row->next_attempt_at < apr_time_now() - UNSENT_AFTER;
    }
    if (unsent)
        fprintf(
            stderr,
            "htidentity: %d of the queued mails %s been due for minutes, and nothing sends %s: is "
            "httpd running, with IdentityMailURL?\n",
            unsent, unsent == 1 ? "has" : "have", unsent == 1 ? "it" : "them");
}

int tool_mail_list(tool_t *tool)
{
    static const identity_outbox_state_t states[] = {IDENTITY_OUTBOX_QUEUED,
                                                     IDENTITY_OUTBOX_FAILED};
    apr_array_header_t *rows = NULL;
    int status = tool_open(tool);

    for (size_t s = 0; status == 0 && s < sizeof states / sizeof states[0]; s++) {
        if (identity_outbox_in_state(tool->db, states[s], LIST_MAX + 1, &rows) != IDENTITY_DB_OK)
            return tool_fail(TOOL_FAILED, "the database could not be read");
        for (int i = 0; i < rows->nelts && i < LIST_MAX && tool_wants_more(tool); i++)
            print_mail(tool, APR_ARRAY_IDX(rows, i, identity_outbox_row_t *));
        warn_unsent(rows);
        if (rows->nelts > LIST_MAX)
            fprintf(stderr, "htidentity: there are more than %d that are %s\n", LIST_MAX,
                    identity_outbox_state_name(states[s]));
    }
    return status;
}

int tool_mail_retry(tool_t *tool)
{
    int changed = 0, status = tool_open(tool);

    if (status)
        return status;
    if (identity_db_begin(tool->db, true) != IDENTITY_DB_OK ||
        identity_outbox_hasten(tool->db, apr_time_now(), &changed) != IDENTITY_DB_OK ||
        identity_db_commit(tool->db) != IDENTITY_DB_OK)
        return tool_fail(TOOL_FAILED, "the database could not be written");
    if (tool->json)
        printf("{\"due\":%d}\n", changed);
    else
        printf("%d queued %s due now\n", changed, changed == 1 ? "mail is" : "mails are");
    return 0;
}

/* ---- mail preview ----------------------------------------------------------------------------------------------- */

static void print_preview(const tool_t *tool, const identity_mail_t *mail)
{
    size_t length = 0;
    const char *message = identity_mail_compose(tool->pool, mail, &length);

    if (tool->json) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "language", mail->language, "subject",
                                   mail->subject, "text", mail->text, "html", mail->html);
        tool_print(tool, object, NULL);
        json_decref(object);
    } else if (tool_has(tool, TOOL_MESSAGE) && message) {
        fwrite(message, 1, length, stdout);
    } else if (tool_has(tool, TOOL_HTML)) {
        fputs(mail->html, stdout);
    } else {
        printf("Subject: %s\n\n%s", mail->subject, mail->text);
    }
}

/* Plausible values for a mail of that kind. */
static void preview_values(apr_pool_t *pool, identity_mail_kind_t kind, apr_time_t now,
                           identity_mail_values_t *values)
{
    const char *page = identity_mail_kind_page(kind);
    bool invite = kind == IDENTITY_MAIL_INVITE,
         moves = kind == IDENTITY_MAIL_CHANGE || kind == IDENTITY_MAIL_CHANGED;

    memset(values, 0, sizeof *values);
    values->link = page ? apr_pstrcat(pool, "https://id.example.org", page,
                                      "#token=idx_0123456789abcdefghijklmnopqrstuvwxyz", NULL)
                        : NULL;
    values->username = "ada@example.org";
    values->site = "id.example.org";
    values->expires_at = page || moves ? now + apr_time_from_sec(invite ? 7 * 86400 : 3600) : 0;
    values->inviter = invite ? "grace@example.org" : NULL;
    values->account = invite ? "default" : NULL;
    values->address = moves ? "ada.lovelace@example.org" : NULL;
}

int tool_mail_preview(tool_t *tool)
{
    identity_mail_kind_t kind;
    const char *error, *language = tool_text(tool, TOOL_LANGUAGE);
    apr_time_t now = apr_time_now();

    if (!identity_mail_kind_named(tool->argument, &kind))
        return tool_fail(TOOL_NOT_FOUND, "there is no mail %s: there are %s", tool->argument,
                         identity_mail_kinds_listed(tool->pool));
    int forms =
        tool_has(tool, TOOL_TEXT) + tool_has(tool, TOOL_HTML) + tool_has(tool, TOOL_MESSAGE);
    if (forms > 1)
        return tool_fail(TOOL_USAGE, "--text, --html and --message exclude each other");
    if (tool->json && forms)
        return tool_fail(
            TOOL_USAGE,
            "--json shows all forms: it cannot be combined with --text, --html and --message");
    if (language && !identity_language_valid(language))
        return tool_fail(TOOL_USAGE, "--language must be a language tag such as de or pt-BR");
    const identity_mail_templates_t *templates =
        identity_mail_templates_load(tool->pool, tool_text(tool, TOOL_TEMPLATES), &error);
    if (!templates)
        return tool_fail(TOOL_FAILED, "%s", error);
    identity_mail_values_t values;
    preview_values(tool->pool, kind, now, &values);
    identity_mail_t mail = {.id = "mail_preview",
                            .from = "noreply@id.example.org",
                            .to = kind == IDENTITY_MAIL_CHANGE ? values.address : values.username,
                            .date = now,
                            .host = values.site};
    identity_mail_render(tool->pool, templates, kind, language ? language : "", &values, &mail);
    print_preview(tool, &mail);
    return 0;
}
