/* SPDX-License-Identifier: Apache-2.0 */
/* How SQLite would run every statement of sql.def and every text that page.c composes: by key or by a range of an
 * index, never by reading a whole table, and pages and searches without sorting. */
#include "store_fixture.h"

static identity_db_t *db;
static int texts, checked;

typedef struct allowed {
    const char *name, *detail, *reason;
} allowed_t;

/* What looks like reading all and is none. */
static const allowed_t small[] = {
    {NULL, "VIRTUAL TABLE", "json_each: the list that was given"},
    {NULL, "SCAN n", "the rows counted, capped by a LIMIT"},
    {NULL, "SCAN w", "one row"},
    {NULL, "SCAN c", "roles of a closure, while it is made"},
    {"ROLE_ANCESTORS", "SCAN a", "roles above one, while they are found"},
    {"ROLES_GRANTING", "SCAN g", "roles that grant it, while those above are found"},
    {"HOLDERS_PAGE", "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY", "the accounts of one holder"},
    {"GRANTS_OF_USER", "SCAN m", "memberships of one user"},
    {"GRANTS_OF_USER", "SCAN r", "roles of these memberships"},
    {"STATISTICS_USERS", "SCAN u USING COVERING INDEX", "capped by a LIMIT"},
    {"STATISTICS_KEYS", "SCAN k USING COVERING INDEX", "capped by a LIMIT"},
    {"STANDING_OF_USER", "SCAN m", "memberships of one user"},
    {"STANDING_OF_USER", "SCAN r", "roles of these memberships"},
    {"ENTITIES_LIST", "SCAN e USING INDEX entities_created", "the 500 oldest, in the order of the index"},
    {"TEAM_NAMES_MET", "SCAN t", "the operator's check of all teams"},
    {"SETTINGS_LIST", "SCAN s", "twenty rows"},
    {"SETTINGS_CLEAR", "SCAN settings", "the same"},
    {"STATISTICS_WAITING", "SCAN w", "capped by a LIMIT"},
    {"SCHEMA_TABLE", "SCAN sqlite_master", "the schema itself"},
    {"SCHEMA_STRANGERS", "SCAN sqlite_master", "the schema itself"},
    {"SCHEMA_STRANGERS", "SCAN s", "the same"},
};
/* Lists whose order costs a sort of what belongs to the ids that were given: no pages. */
static const char *const sorted[] = {
    "MEMBERSHIPS_OF_USERS", "MEMBERSHIPS_OF_TEAMS",  "MEMBERSHIPS_OF_INVITATIONS",
    "MEMBERSHIP_ROLES",     "TEAM_MEMBERS_OF_USERS", "TEAM_MEMBERS_OF_INVITATIONS",

    "ROLES_FIND",           "GRANTS_OF_USER",        "STANDING_OF_USER",
};

static bool is_allowed(const char *name, const char *detail)
{
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        if ((!small[i].name || strcmp(small[i].name, name) == 0) && strstr(detail, small[i].detail))
            return true;
    return false;
}

static bool may_sort(const char *name)
{
    for (size_t i = 0; i < sizeof sorted / sizeof sorted[0]; i++)
        if (strcmp(sorted[i], name) == 0)
            return true;
    return false;
}

static void *read_detail(const db_row_t *row, int from)
{
    return (void *)db_text(row, from + 3);
}

/* What names a row by its key must find it by that, not walk an index to it. */
static bool needs_key(const char *statement)
{
    return strstr(statement, ".id = %s") || strstr(statement, " id = %s") || strstr(statement, "id IN (SELECT value") ||
           strstr(statement, "digest = %s");
}

static bool by_key(const apr_array_header_t *details)
{
    for (int i = 0; i < details->nelts; i++)
        if (strstr(APR_ARRAY_IDX(details, i, const char *), "PRIMARY KEY (id=?") ||
            strstr(APR_ARRAY_IDX(details, i, const char *), "(digest=?)") ||
            strstr(APR_ARRAY_IDX(details, i, const char *), "PRIMARY KEY (credential_id=? AND idempotency_key=?)"))
            return true;
    return false;
}

/* How a read must go in, where another index would do worse without a scan or a sort. */
static const struct {
    const char *name, *detail;
} ways[] = {
    {"USERS_DOMAIN", "(entity_id=? AND domain=?)"},
    {"USERS_PREFIX", "(entity_id=? AND canonical>? AND canonical<?)"},
    {"INVITATION_OPEN", "(user_id=? AND state=?)"},
    {"OUTBOX_DUE", "(state=? AND next_attempt_at<?)"},
    {"OUTBOX_IN_STATE", "outbox_due (state=?)"},
    {"OUTBOX_NEWEST", "outbox_invitation (invitation_id=?)"},
    {"OUTBOX_HASTEN", "(state=? AND next_attempt_at>?)"},
    {"OUTBOX_CANCEL", "(user_id=? AND kind=? AND state=?)"},
    {"ACCOUNT_ADMINS", "(account_id=? AND type=? AND user_id>?)"},
    {"ROLE_DELETE", "(entity_id=? AND role_id=?)"},
    {"ROLE_UPDATE", "(entity_id=? AND canonical=?)"},
    {"ERASURE_DUE", "users_deleted (deleted_at>?"},
    {"ERASURE_ACTOR", "audit_records_user (entity_id=? AND user_id=?)"},
    {"ERASURE_TARGET", "audit_records_target (entity_id=? AND target_id=?)"},
    {"ERASURE_SESSIONS", "audit_records_target (entity_id=? AND target_id=?)"},
    {"ERASURE_SESSIONS_NAMED", "audit_records_type (entity_id=? AND target_resource_type=?)"},
    {"ERASURE_INVITED_BY", "(entity_id=?)"},
    {"TEAM_INSERT", "teams_name (entity_id=? AND canonical=?)"},
    {"TEAM_RENAME", "teams_name (entity_id=? AND canonical=?)"},
    {"TEAM_NAMES_MET", "teams_name (entity_id=? AND canonical=?)"},
    {"SESSIONS_END", "(user_id=? AND ended_at=?)"},
    {"SESSIONS_LIVE", "(user_id=? AND ended_at=?)"},
    {"SESSIONS_COUNT", "(user_id=? AND ended_at=?)"},
    {"SESSIONS_EXPIRE", "(user_id=? AND ended_at=?)"},
    {"SESSIONS_TRIM", "(user_id=? AND ended_at=?)"},
    {"IDEMPOTENCY_GET", "PRIMARY KEY (credential_id=? AND idempotency_key=?)"},
    {"IDEMPOTENCY_TAKE", "PRIMARY KEY (credential_id=? AND idempotency_key=?)"},
    {"IDEMPOTENCY_STORE", "PRIMARY KEY (credential_id=? AND idempotency_key=?)"},
    {"IDEMPOTENCY_FREE", "PRIMARY KEY (credential_id=? AND idempotency_key=?)"},
    {"IDEMPOTENCY_OLD", "COVERING INDEX idempotency_age (created_at<?)"},
    {"IDEMPOTENCY_PURGE", "idempotency_age (created_at<?)"},
    {"SECRETS_END", "(user_id=? AND kind=? AND ended_at=?)"},
    {"ACCOUNTS_NAMED", "accounts_named (reference=?)"},
    {"AUDIT_INSERT", "(entity_id=?)"},
    {"INVITATION_INSERT", "(entity_id=?)"},
    {"GUESTS_OVER", "sessions_user (user_id=?)"},
    {"GUESTS_PURGE", "sessions_user (user_id=?)"},
    {"SANDBOXES_COUNT", "entities_expiry (expires_at>?)"},
    {"SANDBOX_OVER", "entities_expiry (expires_at>? AND expires_at<?)"},
    {"SANDBOX_USERS", "users_created (entity_id=?)"},
    {"SANDBOX_KEYS", "api_keys_created (entity_id=?)"},
    {"SANDBOX_TEAMS", "teams_created (entity_id=?)"},
    {"SANDBOX_ROLES", "roles_created (entity_id=?)"},
    {"SANDBOX_CHILDREN", "roles_created (entity_id=?)"},
    {"SANDBOX_AUDIT", "audit_records_created (entity_id=?)"},
    {"SANDBOX_ANSWERS_USERS", "PRIMARY KEY (credential_id=?)"},
    {"SANDBOX_ANSWERS_KEYS", "PRIMARY KEY (credential_id=?)"},
    {"USER_GIVE_WAY", "(held_name=?)"},
    {"USER_BY_NAME", "users_old (old_name=?)"},
    {"USER_BY_NAME", "users_held (held_name=?)"},
    {"USER_IN_ENTITY", "users_name (entity_id=? AND canonical=?)"},
    {"USERS_OF_NAME", "users_canonical (canonical=?)"},
    {"USER_HOLDER", "users_held (held_name=?)"},
    {"USER_UPDATE", "users_held (held_name=?)"},
    {"ROLES_GRANTING", "role_permissions_name (permission=?)"},
    {"ROLES_GRANTING", "role_children_child (child_id=?)"},
    {"HOLDERS_PAGE", "memberships_user (user_id=?)"},
    {"HOLDERS_PAGE", "team_members_user (user_id=?)"},
    {"HOLDERS_PAGE", "memberships_team (team_id=?)"},
    {"NAMES_ALL", "PRIMARY KEY (id>?)"},
    {"NAMES_OLD", "users_old (old_name>?)"},
};

/* An index of one of the columns that are asked for, or else that of the entity, entered at every bound. */
static const char *missed_audit_way(const char *statement, const char *plan)
{
    static const char *const columns[] = {"user_id", "target_id", "target_resource_type", "target_platform_id"};
    static const struct {
        const char *text, *way;
    } bounds[] = {{".created_at >= %lld", "created_at>?"},
                  {".created_at < %lld", "created_at<?"},
                  {".id) < (%lld", "(created_at,id)<(?,?)"},
                  {".id) > (%lld", "(created_at,id)>(?,?)"}};
    bool asked = false, entered = false;

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        asked = asked || strstr(statement, text(".%s = %%s", columns[i]));
        entered = entered || strstr(plan, text("(entity_id=? AND %s=?", columns[i]));
    }
    if (asked != entered)
        return "one of the columns";
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        if (strstr(statement, bounds[i].text) && !strstr(plan, bounds[i].way))
            return bounds[i].way;
    return "";
}

/* By the address; else by what is open or has expired, at every bound; else by state or role, or all of the entity. */
static const char *missed_invitations_way(const char *statement, const char *plan)
{
    bool state = strstr(statement, "i.state = %s"), role = strstr(statement, "i.role_slug = %s"),
         bounds = strstr(statement, "i.expires_at >") || strstr(statement, "i.expires_at <"),
         name = strstr(statement, "i.canonical = %s"), expiry = strstr(statement, "(i.expires_at, i.id) < ("),
         created = strstr(statement, "(i.created_at, i.id) < (");

    if (name && !strstr(plan, "(entity_id=? AND canonical=?"))
        return "canonical=?";
    if (!name && bounds && !strstr(plan, "(entity_id=? AND state=? AND expires_at"))
        return "state=? AND expires_at";
    if (!name && strstr(statement, "i.expires_at >") && !strstr(plan, "expires_at>?"))
        return "expires_at>?";
    if (expiry && !strstr(plan, "(expires_at,id)<(?,?)"))
        return "(expires_at,id)";
    if (created && !strstr(plan, "(created_at,id)<(?,?)"))
        return "(created_at,id)";
    if (!name && (state || role) && !strstr(plan, "state=?") && !strstr(plan, "role_slug=?"))
        return "state=? or role_slug=?";
    return "";
}

/* What a page's text asks for must be what its index is entered with. */
static const char *missed_way(const char *name, const char *statement, const char *plan)
{
    bool key = strstr(statement, ".id = %s") || strstr(statement, ".canonical = %s");

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i].name, name) == 0 && !strstr(plan, ways[i].detail))
            return ways[i].detail;
    if (strcmp(name, "AUDIT_PAGE") == 0)
        return missed_audit_way(statement, plan);
    if (strcmp(name, "INVITATIONS_PAGE") == 0)
        return missed_invitations_way(statement, plan);
    if (strcmp(name, "HOLDERS_PAGE") == 0)
        return strstr(statement, " OR a.id ") && !key && !strstr(plan, "(created_at,id)") ? "(created_at,id)" : "";
    if (key || !strstr(name, "_PAGE"))
        return "";
    if (strstr(statement, ".active = %lld") && !strstr(plan, "active=?"))
        return "active=?";
    if (strstr(statement, ".created_at, ") && strstr(statement, " (%lld, %s)") && !strstr(plan, "(created_at,id)"))
        return "(created_at,id)";
    if (strstr(statement, " (%s, %s)") && !strstr(plan, "(canonical,id)"))
        return "(canonical,id)";
    return "";
}

/* "" for a good plan. */
static const char *fault_of(const char *name, const char *statement)
{
    db_argument_t arguments[32];
    apr_array_header_t *details;
    const char *plan = "";
    int count = 0;

    for (const char *at = strchr(statement, '%'); at; at = strchr(at + 1, '%'))
        arguments[count++] = at[1] == 's' ? S("x") : N(1);
    must(db_list_text(db, name, text("EXPLAIN QUERY PLAN %s", statement), arguments, count, read_detail, &details),
         statement);
    for (int i = 0; i < details->nelts; i++) {
        const char *detail = APR_ARRAY_IDX(details, i, const char *);
        checked++;
        plan = apr_pstrcat(pool, plan, detail, "; ", NULL);
        if (strstr(detail, "SCAN") && strcmp(detail, "SCAN CONSTANT ROW") != 0 && !is_allowed(name, detail))
            return detail;
        if (strstr(detail, "USE TEMP B-TREE") && !may_sort(name) && !is_allowed(name, detail))
            return detail;
        if (strstr(detail, "AUTOMATIC") && strcmp(name, "GRANTS_OF_USER") != 0 && strcmp(name, "STANDING_OF_USER") != 0)
            return detail;
    }
    /* Of a page with several filters any of the keys will do. */
    if (needs_key(statement) && !strstr(name, "_PAGE") && !by_key(details))
        return "not by its key";
    return missed_way(name, statement, plan);
}

static void see_page(void *context, const char *name, const char *statement)
{
    (void)context;
    texts++;
    const char *fault = fault_of(name, statement);
    if (fault[0])
        is_str(fault, "", "%s: %s", name, statement);
}

/* A row of an export by its key, and pages by a range of it. Accounts, whose parents come first, are walked as a tree.
 */
static void test_sites(void)
{
    apr_array_header_t *tables;

    must(identity_site_tables(db, &tables), "the tables of a site");
    for (int i = 0; i < tables->nelts; i++) {
        const identity_site_table_t *table = APR_ARRAY_IDX(tables, i, const identity_site_table_t *);
        is_str(fault_of("SITE_FIND", table->find), "", "a row of %s", table->name);
        if (strcmp(table->name, "accounts") != 0)
            is_str(fault_of("SITE_ROWS", table->page), "", "a page of %s", table->name);
    }
}

int main(void)
{
    db = fixture_begin();
    for (identity_sql_t i = 0; i < IDENTITY_SQL_COUNT; i++)
        is_str(fault_of(identity_sql_name(i), identity_sql_text(i)), "", "%s", identity_sql_name(i));
    db_page_texts(pool, see_page, NULL);
    test_sites();
    ok(texts > 1000, "%d composed texts were looked at", texts);
    ok(checked > texts, "%d lines of plans", checked);

    /* The test itself can fail. */
    ok(fault_of("x", "SELECT 1 FROM users u WHERE u.username = %s")[0], "a look-up without an index is seen");
    ok(fault_of("x", "SELECT 1 FROM users u WHERE u.entity_id = %s ORDER BY u.username")[0], "so is a sort");
    ok(fault_of("x", "SELECT 1 FROM users u JOIN sessions s ON s.method = u.username WHERE u.id = %s")[0],
       "and a join by chance");
    ok(fault_of("x",
                "UPDATE outbox SET attempts = 0 WHERE state = 'queued' AND id IN (SELECT value FROM json_each(%s))")[0],
       "and a walk to rows whose keys are known");
    ok(fault_of("AUDIT_PAGE",
                "SELECT 1 FROM audit_records d WHERE d.entity_id = %s AND +d.user_id = %s AND d.user_id = %s "
                "AND d.created_at < %lld AND (d.created_at, d.id) < (%lld, %s)")[0],
       "and a bound that an index cannot be entered at beside another");
    ok(fault_of("USERS_DOMAIN", "SELECT 1 FROM users u WHERE u.entity_id = %s")[0], "and a wrong way in");
    return fixture_end();
}
