/* Require identity-permission, identity-role, identity-member, identity-fresh. All that they look at was loaded with
 * the credential: nothing here can fail but by saying no (security 65). httpd may not call them at all (RequireAny), or
 * twice. */
#include <string.h>

#include <mod_auth.h>

#include "server_int.h"

typedef enum { IN_ACCOUNT, IN_TEAM, IN_ENTITY } belonging_t;

/* A word of a line: a permission, a role's name, or what somebody is to be a member of. */
typedef struct word {
    const char *text, *name; /* name: of a role, in its canonical form */
    belonging_t in;
} word_t;

typedef bool holds_t(const identity_principal_t *who, const char *account_id, const word_t *word);
static holds_t may, has_role, belongs;

typedef struct identity_line {
    holds_t *holds;
    bool negated; /* Require not ... */
    apr_array_header_t *words;
    const char *scope; /* permissions with a blank between (RFC 6750) */
    unsigned seconds;
} line_t;

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static const char *read_permission(cmd_parms *cmd, word_t *word)
{
    if (identity_permission_valid(word->text))
        return NULL;
    return apr_psprintf(cmd->pool,
                        "identity-permission needs names such as REPORT.VIEW: words of capital letters, digits and _, "
                        "joined by dots, not %s.",
                        word->text);
}

static const char *read_role(cmd_parms *cmd, word_t *word)
{
    word->name = identity_name_canonical(cmd->pool, word->text);
    return word->name && *word->text ? NULL : "identity-role needs names or slugs of roles, in UTF-8.";
}

static const char *read_member(cmd_parms *cmd, word_t *word)
{
    static const char *const kinds[] = {[IN_ACCOUNT] = "account=", [IN_TEAM] = "team=", [IN_ENTITY] = "entity="};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i]);
        if (strncmp(word->text, kinds[i], length) == 0 && word->text[length]) {
            word->in = (belonging_t)i;
            word->text += length;
            return NULL;
        }
    }
    return apr_psprintf(cmd->pool,
                        "identity-member needs account=REFERENCE|ID, team=NAME|ID or entity=REFERENCE|ID, not %s.",
                        word->text);
}

/* Quotes may stand around a word, or behind its =, as in team="Night shift". */
static const char *next_word(apr_pool_t *pool, const char **text)
{
    size_t kind = strcspn(*text, " \t\"'=");

    if ((*text)[kind] != '=' || !strchr("\"'", (*text)[kind + 1]))
        return ap_getword_conf(pool, text);
    const char *name = apr_pstrmemdup(pool, *text, kind + 1);
    *text += kind + 1;
    return apr_pstrcat(pool, name, ap_getword_conf(pool, text), NULL);
}

static line_t *new_line(cmd_parms *cmd)
{
    const char *arguments = cmd->directive && cmd->directive->args ? cmd->directive->args : "";
    line_t *line = apr_pcalloc(cmd->pool, sizeof *line);

    line->negated = strcasecmp(ap_getword_conf(cmd->temp_pool, &arguments), "not") == 0;
    return line;
}

static const char *read_words(cmd_parms *cmd, const char *text, const void **parsed,
                              const char *(*read)(cmd_parms *cmd, word_t *word), holds_t *holds, const char *what)
{
    line_t *line = new_line(cmd);
    const char *fault = NULL;

    line->holds = holds;
    line->words = apr_array_make(cmd->pool, 2, sizeof(word_t));
    while (*text && !fault) {
        word_t *word = apr_array_push(line->words);
        *word = (word_t){.text = next_word(cmd->pool, &text)};
        fault = read(cmd, word);
        line->scope = line->scope ? apr_pstrcat(cmd->pool, line->scope, " ", word->text, NULL) : word->text;
    }
    *parsed = line;
    return fault || line->words->nelts ? fault : apr_psprintf(cmd->pool, "%s is needed.", what);
}

static const char *parse_permission(cmd_parms *cmd, const char *text, const void **parsed)
{
    return read_words(cmd, text, parsed, read_permission, may, "Require identity-permission: a permission");
}

static const char *parse_role(cmd_parms *cmd, const char *text, const void **parsed)
{
    return read_words(cmd, text, parsed, read_role, has_role, "Require identity-role: the name or slug of a role");
}

static const char *parse_member(cmd_parms *cmd, const char *text, const void **parsed)
{
    return read_words(cmd, text, parsed, read_member, belongs, "Require identity-member: account=, team= or entity=");
}

static const char *parse_fresh(cmd_parms *cmd, const char *text, const void **parsed)
{
    line_t *line = new_line(cmd);

    *parsed = line;
    const char *number = ap_getword_conf(cmd->pool, &text);
    return *text ? "identity-fresh takes one number of seconds."
                 : identity_read_number(cmd->pool, "Require identity-fresh (seconds since the sign-in)", number, 1,
                                        365 * 86400, &line->seconds);
}

/* ---- deciding --------------------------------------------------------------------------------------------------- */

static void note_lacking(const request_rec *r, const line_t *line, bool permissions)
{
    identity_place_t *place = identity_place(r);

    if (!place || line->negated)
        return;
    place->lacking = true;
    if (permissions)
        place->scope = line->scope;
}

static bool holds_any(const line_t *line, const identity_principal_t *who, const char *account_id)
{
    for (int i = 0; i < line->words->nelts; i++)
        if (line->holds(who, account_id, &APR_ARRAY_IDX(line->words, i, word_t)))
            return true;
    return false;
}

/* Of whom another provider has let in nothing is known: `not` must not take that for a no. */
static authz_status nobody_of_ours(const line_t *line)
{
    return line->negated ? AUTHZ_GENERAL_ERROR : AUTHZ_DENIED;
}

/* For stream.c. httpd may ask twice. */
static void note_answer(request_rec *r, const line_t *line, bool held)
{
    const identity_directory_conf_t *conf = ap_get_module_config(r->per_dir_config, &identity_module);
    identity_place_t *place = conf->stream_recheck ? identity_place(r) : NULL;

    if (!place)
        return;
    if (!place->answers)
        place->answers = apr_array_make(r->pool, 4, sizeof(identity_answered_t));
    APR_ARRAY_PUSH(place->answers, identity_answered_t) = (identity_answered_t){line, held};
}

bool identity_answers_same(const identity_answered_t *answered, const identity_principal_t *who, const char *account_id)
{
    return holds_any(answered->line, who, account_id) == answered->held;
}

/* Any of the words. */
static authz_status decide(request_rec *r, const void *parsed)
{
    const line_t *line = parsed;
    const char *account_id;

    if (!r->user)
        return AUTHZ_DENIED_NO_USER;
    const identity_principal_t *who = identity_caller(r, &account_id);
    if (!who)
        return nobody_of_ours(line);
    bool held = holds_any(line, who, account_id);
    note_answer(r, line, held);
    if (held)
        return AUTHZ_GRANTED;
    note_lacking(r, line, false);
    return AUTHZ_DENIED;
}

static bool may(const identity_principal_t *who, const char *account_id, const word_t *word)
{
    return identity_may(who, account_id, word->text);
}

static bool has_role(const identity_principal_t *who, const char *account_id, const word_t *word)
{
    return identity_has_role(who, account_id, word->name, word->text);
}

static bool belongs(const identity_principal_t *who, const char *account_id, const word_t *word)
{
    (void)account_id;
    return word->in == IN_ACCOUNT ? identity_in_account(who, word->text)
           : word->in == IN_TEAM  ? identity_in_team(who, word->text)
                                  : identity_in_entity(who, word->text);
}

static authz_status check_permission(request_rec *r, const char *text, const void *parsed)
{
    authz_status status = decide(r, parsed);

    (void)text;
    if (status == AUTHZ_DENIED)
        note_lacking(r, parsed, true);
    return status;
}

static authz_status check_words(request_rec *r, const char *text, const void *parsed)
{
    (void)text;
    return decide(r, parsed);
}

static authz_status check_fresh(request_rec *r, const char *text, const void *parsed)
{
    const line_t *line = parsed;
    const char *account_id;

    (void)text;
    if (!r->user)
        return AUTHZ_DENIED_NO_USER;
    const identity_principal_t *who = identity_caller(r, &account_id);
    identity_place_t *place = identity_place(r);
    if (!who)
        return nobody_of_ours(line);
    if (who->authenticated_at && apr_time_now() - who->authenticated_at <= apr_time_from_sec(line->seconds))
        return AUTHZ_GRANTED;
    if (place && !line->negated)
        place->fresh = line->seconds;
    return AUTHZ_DENIED;
}

void identity_register_require(apr_pool_t *pool)
{
    static const authz_provider permission = {check_permission, parse_permission}, role = {check_words, parse_role},
                                member = {check_words, parse_member}, fresh = {check_fresh, parse_fresh};
    const struct {
        const char *name;
        const authz_provider *provider;
    } providers[] = {{"identity-permission", &permission},
                     {"identity-role", &role},
                     {"identity-member", &member},
                     {"identity-fresh", &fresh}};

    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++)
        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, providers[i].name, AUTHZ_PROVIDER_VERSION,
                                  providers[i].provider, AP_AUTH_INTERNAL_PER_CONF);
}
