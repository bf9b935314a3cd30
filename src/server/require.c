/* SPDX-License-Identifier: Apache-2.0 */
/* Require identity-permission, identity-role, identity-member, identity-fresh. All they need was loaded with the
 * credential: nothing here can fail except by denying (security 65). httpd may not call them at all (RequireAny), or
 * twice.
 *
 * mod_authz_core inverts the result of a line below a negation (Require not, RequireNone) without telling its
 * provider. Uncertainty must deny access in either case, so below a negation the question is a different one: could
 * it be true in any account, whichever the caller selected, or is it unknown? The position of a line is determined
 * when it is read. */
#include <string.h>

#include <mod_auth.h>

#include "rctx.h"

typedef enum { IN_ACCOUNT, IN_TEAM, IN_ENTITY } belonging_t;

/* A word of a line: a permission, a role, or a membership. */
typedef struct word {
    const char *text;
    belonging_t in;
} word_t;

typedef struct identity_line line_t;
typedef bool holds_t(const line_t *line, const identity_principal_t *principal,
                     const char *account_id, const word_t *word);
static holds_t may, has_role, belongs;

typedef struct identity_line {
    const char *text; /* as written in the configuration */
    holds_t *holds;   /* NULL: identity-fresh */
    bool negated;     /* is below a negation */
    apr_array_header_t *words;
    const char *scope; /* permissions separated by blanks (RFC 6750) */
    unsigned seconds;
} identity_line_t;

static const authz_provider permission_provider, role_provider, member_provider, fresh_provider;

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static const char *read_permission(cmd_parms *cmd, word_t *word)
{
    if (identity_permission_valid(word->text))
        return NULL;
    return apr_psprintf(
        cmd->pool,
        "identity-permission needs names such as REPORT.VIEW: words of capital letters, digits and _, "
        "joined by dots, not %s.",
        word->text);
}

/* For a built-in role its slug, otherwise the one that the name would get. */
static const char *slug_for(apr_pool_t *pool, const char *name)
{
    const char *active = identity_name_canonical(pool, name);

    for (int i = 0; active && i < identity_builtin_role_count(); i++)
        if (strcmp(identity_name_canonical(pool, identity_builtin_role(i)->name), active) == 0)
            return identity_builtin_role(i)->slug;
    return identity_slug_of_name(pool, name);
}

static const char *read_role(cmd_parms *cmd, word_t *word)
{
    if (identity_slug_valid(word->text) || identity_id_valid(word->text, "role")) {
        identity_named_note(cmd, IDENTITY_NAMED_ROLE, word->text);
        return NULL;
    }
    return apr_psprintf(
        cmd->pool,
        "identity-role needs the slugs or ids of roles, not their names, which anyone who may create "
        "roles can choose: write %s for \"%s\" (GET /v1/roles shows the slug).",
        slug_for(cmd->pool, word->text), word->text);
}

static identity_named_t named_kind(belonging_t in)
{
    return in == IN_ACCOUNT ? IDENTITY_NAMED_ACCOUNT
           : in == IN_TEAM  ? IDENTITY_NAMED_TEAM
                            : IDENTITY_NAMED_ENTITY;
}

static const char *read_member(cmd_parms *cmd, word_t *word)
{
    static const char *const kinds[] = {
        [IN_ACCOUNT] = "account=", [IN_TEAM] = "team=", [IN_ENTITY] = "entity="};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i]);
        if (strncmp(word->text, kinds[i], length) == 0 && word->text[length]) {
            word->in = (belonging_t)i;
            word->text += length;
            identity_named_note(cmd, named_kind(word->in), word->text);
            return NULL;
        }
    }
    return apr_psprintf(
        cmd->pool,
        "identity-member needs account=REFERENCE|ID, team=ID or entity=REFERENCE|ID, not %s.",
        word->text);
}

/* A word may be quoted as a whole, or after its =, as in team="Night shift". */
static const char *next_word(apr_pool_t *pool, const char **text)
{
    size_t kind = strcspn(*text, " \t\"'=");

    if ((*text)[kind] != '=' || !strchr("\"'", (*text)[kind + 1]))
        return ap_getword_conf(pool, text);
    const char *name = apr_pstrmemdup(pool, *text, kind + 1);
    *text += kind + 1;
    return apr_pstrcat(pool, name, ap_getword_conf(pool, text), NULL);
}

static line_t *new_line(cmd_parms *cmd, const char *name, const char *text)
{
    line_t *line = apr_pcalloc(cmd->pool, sizeof *line);

    line->text = apr_pstrcat(cmd->pool, name, " ", text, NULL);
    line->negated = identity_negated(cmd);
    return line;
}

typedef struct kind {
    const char *name, *what; /* what must follow the name */
    const char *(*read)(cmd_parms *cmd, word_t *word);
    holds_t *holds;
} kind_t;

static const char *read_words(cmd_parms *cmd, const char *text, const void **parsed,
                              const kind_t *kind)
{
    line_t *line = new_line(cmd, kind->name, text);
    const char *err = NULL;

    line->holds = kind->holds;
    line->words = apr_array_make(cmd->pool, 2, sizeof(word_t));
    while (*text && !err) {
        word_t *word = apr_array_push(line->words);
        *word = (word_t){.text = next_word(cmd->pool, &text)};
        err = kind->read(cmd, word);
        line->scope =
            line->scope ? apr_pstrcat(cmd->pool, line->scope, " ", word->text, NULL) : word->text;
    }
    *parsed = line;
    return err || line->words->nelts
               ? err
               : apr_psprintf(cmd->pool, "Require %s: %s is needed.", kind->name, kind->what);
}

static const char *parse_permission(cmd_parms *cmd, const char *text, const void **parsed)
{
    static const kind_t kind = {"identity-permission", "a permission", read_permission, may};

    identity_alias_note(cmd, text, &permission_provider);
    return read_words(cmd, text, parsed, &kind);
}

static const char *parse_role(cmd_parms *cmd, const char *text, const void **parsed)
{
    static const kind_t kind = {"identity-role", "the slug or id of a role", read_role, has_role};

    identity_alias_note(cmd, text, &role_provider);
    return read_words(cmd, text, parsed, &kind);
}

static const char *parse_member(cmd_parms *cmd, const char *text, const void **parsed)
{
    static const kind_t kind = {"identity-member", "account=, team= or entity=", read_member,
                                belongs};

    identity_alias_note(cmd, text, &member_provider);
    return read_words(cmd, text, parsed, &kind);
}

static const char *parse_fresh(cmd_parms *cmd, const char *text, const void **parsed)
{
    line_t *line = new_line(cmd, "identity-fresh", text);

    identity_alias_note(cmd, text, &fresh_provider);
    *parsed = line;
    const char *number = ap_getword_conf(cmd->pool, &text);
    return *text ? "identity-fresh takes one number of seconds."
                 : identity_read_number(cmd->pool,
                                        "Require identity-fresh (seconds since the sign-in)",
                                        number, 1, 365 * 86400, &line->seconds);
}

/* ---- deciding --------------------------------------------------------------------------------------------------- */

static bool may(const line_t *line, const identity_principal_t *principal, const char *account_id,
                const word_t *word)
{
    return line->negated ? identity_may_anywhere(principal, word->text)
                         : identity_may(principal, account_id, word->text);
}

static bool has_role(const line_t *line, const identity_principal_t *principal,
                     const char *account_id, const word_t *word)
{
    return line->negated ? !identity_can_belong(principal) ||
                               identity_has_role_anywhere(principal, word->text)
                         : identity_has_role(principal, account_id, word->text);
}

static bool belongs(const line_t *line, const identity_principal_t *principal,
                    const char *account_id, const word_t *word)
{
    (void)account_id;
    if (word->in == IN_ENTITY)
        return identity_in_entity(principal, word->text);
    if (!identity_can_belong(principal))
        return line->negated;
    return word->in == IN_ACCOUNT ? identity_in_account(principal, word->text)
                                  : identity_in_team(principal, word->text);
}

static bool holds(const line_t *line, const identity_principal_t *principal, const char *account_id)
{
    if (!line->holds) /* callers who have never signed in cannot be asked to do so again */
        return principal->authenticated_at ? apr_time_now() - principal->authenticated_at <=
                                                 apr_time_from_sec(line->seconds)
                                           : line->negated;
    for (int i = 0; i < line->words->nelts; i++)
        if (line->holds(line, principal, account_id, &APR_ARRAY_IDX(line->words, i, word_t)))
            return true;
    return false;
}

/* For stream.c and for the log. httpd may evaluate a line twice. */
static void note_answer(request_rec *r, const line_t *line, bool held)
{
    identity_rctx_t *rctx = identity_rctx_protected(r);

    if (!rctx)
        return;
    if (!rctx->location.answers)
        rctx->location.answers = apr_array_make(r->pool, 4, sizeof(identity_answered_t));
    APR_ARRAY_PUSH(rctx->location.answers, identity_answered_t) = (identity_answered_t){line, held};
    if (held || line->negated)
        return;
    if (line->holds)
        rctx->location.lacking = true;
    else
        rctx->location.fresh = line->seconds;
    if (line->holds == may)
        rctx->location.scope = line->scope;
}

bool identity_answers_same(const identity_answered_t *answered,
                           const identity_principal_t *principal, const char *account_id)
{
    return !answered->line->holds || holds(answered->line, principal, account_id) == answered->held;
}

static const char *missing(apr_pool_t *pool, const identity_rctx_t *rctx, const line_t *line,
                           const word_t *word)
{
    identity_named_t kind = line->holds == has_role ? IDENTITY_NAMED_ROLE : named_kind(word->in);

    return line->holds == may ? NULL
                              : identity_named_missing(pool, &rctx->host->env,
                                                       rctx->authentication.principal->entity_id,
                                                       kind, word->text);
}

const char *identity_answer_lacks(apr_pool_t *pool, const identity_rctx_t *rctx,
                                  const identity_answered_t *answered)
{
    const line_t *line = answered->line;
    const char *text;

    if (answered->held != line->negated)
        return NULL;
    text = apr_psprintf(
        pool, line->negated ? "is refused by 'Require not %s'" : "lacks 'Require %s'", line->text);
    for (int i = 0; line->words && i < line->words->nelts; i++) {
        const char *phrase = missing(pool, rctx, line, &APR_ARRAY_IDX(line->words, i, word_t));
        if (phrase)
            text = apr_pstrcat(pool, text, " (", phrase, ")", NULL);
    }
    return text;
}

/* Was anybody authenticated? r->user does not tell: mod_ssl sets it from a certificate earlier (SSLUserName). */
static bool asked(const request_rec *r)
{
    const identity_rctx_t *rctx = identity_rctx_claimed(r);
    return rctx ? rctx->api.authenticated
                : identity_rctx_protected(r) || !ap_auth_type((request_rec *)(uintptr_t)r);
}

/* Admitted by another provider: nothing is known about that user here, so no line grants access, plain or negated
 * (security 65). */
static authz_status unknown_here(request_rec *r, const line_t *line)
{
    identity_rctx_t *rctx = identity_rctx_protected(r);

    if (rctx)
        rctx->location.foreign = true;
    ap_log_rerror(
        APLOG_MARK, line->negated ? APLOG_WARNING : APLOG_INFO, 0, r,
        "ID0561: %s: %s is not a user of the identity database, so 'Require %s%s' cannot be evaluated and "
        "denies access",
        r->uri, r->user, line->negated ? "not " : "", line->text);
    return line->negated ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static authz_status check(request_rec *r, const char *text, const void *parsed)
{
    const line_t *line = parsed;
    const char *account_id;
    const identity_principal_t *principal = identity_caller(r, &account_id);

    (void)text;
    if (!principal && (!r->user || !asked(r)))
        return AUTHZ_DENIED_NO_USER;
    if (!principal)
        return unknown_here(r, line);
    bool held = holds(line, principal, account_id);
    note_answer(r, line, held);
    return held ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

static const authz_provider permission_provider = {check, parse_permission},
                            role_provider = {check, parse_role},
                            member_provider = {check, parse_member},
                            fresh_provider = {check, parse_fresh};

void identity_register_require(apr_pool_t *pool)
{
    const struct {
        const char *name;
        const authz_provider *provider;
    } providers[] = {{"identity-permission", &permission_provider},
                     {"identity-role", &role_provider},
                     {"identity-member", &member_provider},
                     {"identity-fresh", &fresh_provider}};

    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, providers[i].name,
                                  AUTHZ_PROVIDER_VERSION, providers[i].provider,
                                  AP_AUTH_INTERNAL_PER_CONF);
}
