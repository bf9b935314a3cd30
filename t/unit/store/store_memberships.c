/* SPDX-License-Identifier: Apache-2.0 */
/* Memberships, teams, roles with their children, and what a user holds by all of them. */
#include "store_fixture.h"

static identity_db_t *db;
static const char *accounts[40], *users[40], *team, *invitation;

static void begin(void)
{
    must(identity_db_begin(db, true), "begin");
}

static void commit(void)
{
    must(identity_db_commit(db), "commit");
}

static identity_membership_row_t *membership(apr_array_header_t *rows, int i)
{
    return APR_ARRAY_IDX(rows, i, identity_membership_row_t *);
}

static apr_array_header_t *held(identity_owner_t owner, const char *owner_id)
{
    apr_array_header_t *rows;

    must(identity_memberships_of(db, owner, ids_of(1, owner_id), &rows), "memberships");
    return rows;
}

/* ---- memberships ------------------------------------------------------------------------------------------------ */

static void test_memberships(void)
{
    const char *first = identity_builtin_role(0)->id, *second = identity_builtin_role(2)->id;
    apr_array_header_t *rows, *roles;

    begin();
    is_int(give(db, IDENTITY_OWNER_USER, 2, users[0], accounts[0], IDENTITY_MEMBER_PARTNER, ids_of(2, second, first)),
           IDENTITY_DB_OK, "a membership with two roles");
    is_int(give(db, IDENTITY_OWNER_USER, 1, users[0], accounts[1], IDENTITY_MEMBER_ADMIN, NULL), IDENTITY_DB_OK,
           "an older one in another account");
    is_int(give(db, IDENTITY_OWNER_USER, 3, users[0], accounts[0], IDENTITY_MEMBER_USER, ids_of(1, first)),
           IDENTITY_DB_CONFLICT, "a second in the account is a conflict");
    is_int(give(db, IDENTITY_OWNER_TEAM, 4, team, accounts[0], IDENTITY_MEMBER_USER, NULL), IDENTITY_DB_OK,
           "the same account for a team");
    is_int(give(db, IDENTITY_OWNER_INVITATION, 5, invitation, accounts[0], IDENTITY_MEMBER_USER, NULL), IDENTITY_DB_OK,
           "and for an invitation");
    is_int(give(db, IDENTITY_OWNER_USER, 6, users[1], accounts[2], IDENTITY_MEMBER_USER, ids_of(0)), IDENTITY_DB_OK,
           "and no roles at all");
    commit();
    is_str(sql_value(db, "SELECT COUNT(*) FROM membership_roles"), "2", "a conflict leaves no roles behind");

    must(identity_memberships_of(db, IDENTITY_OWNER_USER, ids_of(3, users[1], users[0], "user_x"), &rows), "of");
    is_int(rows->nelts, 3, "memberships of several users at once");
    identity_membership_row_t *row = membership(rows, 1);
    is_str(membership(rows, 0)->id, id("memb", 1), "by owner, the oldest first");
    is_str(membership(rows, 2)->owner_id, users[1], "the other owner's behind them");
    is_str(row->id, id("memb", 2), "id");
    is_str(row->entity_id, ENTITY, "entity");
    is_str(row->owner_id, users[0], "owner");
    is_int(row->type, IDENTITY_MEMBER_PARTNER, "type");
    ok(row->created_at == NOW + 2, "time");
    is_str(row->account.id, accounts[0], "its account: id");
    is_str(row->account.reference, "account-1", "reference");
    is_str(row->account.environment, "LIVE", "environment");
    is_str(row->account.account_type_code, "STANDARD", "type code");
    is_str(row->account.parent_id, NULL, "parent");
    is_int(held(IDENTITY_OWNER_TEAM, team)->nelts, 1, "a team's");
    is_int(held(IDENTITY_OWNER_INVITATION, invitation)->nelts, 1, "an invitation's");
    is_int(held(IDENTITY_OWNER_TEAM, users[0])->nelts, 0, "owners of another kind have none");
    must(identity_memberships_of(db, IDENTITY_OWNER_USER, ids_of(0), &rows), "of nobody");
    is_int(rows->nelts, 0, "of nobody: an empty list");

    must(identity_membership_roles(db, ids_of(2, id("memb", 1), id("memb", 2)), &roles), "roles");
    is_int(roles->nelts, 2, "roles of memberships");
    identity_membership_role_row_t *role = APR_ARRAY_IDX(roles, 0, identity_membership_role_row_t *);
    is_str(role->role_id, second, "in the order in which they were given");
    is_str(role->membership_id, id("memb", 2), "with their membership");
    is_str(APR_ARRAY_IDX(roles, 1, identity_membership_role_row_t *)->role_id, first, "to the last");

    begin();
    is_int(give(db, IDENTITY_OWNER_USER, 7, users[2], accounts[0], IDENTITY_MEMBER_USER, ids_of(1, "role_x")),
           IDENTITY_DB_FAILED, "a role that is not there fails");
    identity_db_rollback(db);
    is_int(held(IDENTITY_OWNER_USER, users[2])->nelts, 0, "and leaves no membership");
}

static identity_admins_t admins_of(const char *account)
{
    identity_admins_t admins = IDENTITY_ADMINS_NONE;
    must(identity_account_admins(db, account, apr_time_from_sec(1), &admins), "admins");
    return admins;
}

static void test_admins(void)
{
    identity_user_row_t *row;

    is_int(admins_of(accounts[1]), IDENTITY_ADMINS_LASTING, "an account's active administrators");
    is_int(admins_of(accounts[0]), IDENTITY_ADMINS_NONE, "other types are none");
    must(identity_user_get(db, ENTITY, users[0], &row), "get");
    row->status = IDENTITY_USER_INACTIVE;
    must(written(identity_user_update(db, row)), "update");
    is_int(admins_of(accounts[1]), IDENTITY_ADMINS_NONE, "nor are inactive users");
    begin();
    must(give(db, IDENTITY_OWNER_TEAM, 20, team, accounts[1], IDENTITY_MEMBER_ADMIN, NULL), "give");
    commit();
    is_int(admins_of(accounts[1]), IDENTITY_ADMINS_NONE, "nor are teams without members");
    must(identity_user_get(db, ENTITY, users[0], &row), "get");
    row->status = IDENTITY_USER_ACTIVE;
    must(written(identity_user_update(db, row)), "update");
}

static void test_adoption(void)
{
    begin();
    must(give(db, IDENTITY_OWNER_INVITATION, 30, invitation, accounts[3], IDENTITY_MEMBER_USER,
              ids_of(1, identity_builtin_role(1)->id)),
         "give");
    is_int(identity_memberships_adopt(db, invitation, users[0]), IDENTITY_DB_OK, "an invitation is accepted");
    commit();
    is_int(held(IDENTITY_OWNER_INVITATION, invitation)->nelts, 0, "it holds nothing any more");
    apr_array_header_t *rows = held(IDENTITY_OWNER_USER, users[0]);
    is_int(rows->nelts, 3, "the user holds one more");
    is_str(membership(rows, 2)->id, id("memb", 30), "that of the account that was new");
    is_int(membership(rows, 1)->type, IDENTITY_MEMBER_PARTNER, "what was there stays as it was");
    must(identity_membership_roles(db, ids_of(1, id("memb", 30)), &rows), "roles");
    is_int(rows->nelts, 1, "its roles come with it");

    must(written(identity_memberships_delete(db, IDENTITY_OWNER_USER, users[0])), "delete");
    is_int(held(IDENTITY_OWNER_USER, users[0])->nelts, 0, "all of an owner's can be taken away");
    is_int(held(IDENTITY_OWNER_USER, users[1])->nelts, 1, "without another's");
    is_int(held(IDENTITY_OWNER_TEAM, team)->nelts, 2, "or a team's");
    is_str(sql_value(db, "SELECT COUNT(*) FROM membership_roles"), "0", "their roles go with them");
}

/* ---- teams ------------------------------------------------------------------------------------------------------ */

static void test_teams(void)
{
    const char *second = add_team(db, ENTITY, 2);
    identity_team_row_t *row;
    identity_team_member_row_t member = {id("tmem", 1), ENTITY, team, users[0], NOW + 1, NOW + 2, NOW + 3}, more, *read;
    apr_array_header_t *rows;

    must(identity_team_get(db, ENTITY, team, &row), "team");
    is_str(row->id, team, "a team: id");
    is_str(row->entity_id, ENTITY, "entity");
    is_str(row->name, "team 1", "name");
    is_int(row->created_at, 1, "time");
    is_int(identity_team_get(db, OTHER, team, &row), IDENTITY_DB_NONE, "another entity does not see it");

    begin();
    is_int(identity_team_member_insert(db, IDENTITY_OWNER_USER, &member), IDENTITY_DB_OK, "a member");
    more = member;
    more.id = id("tmem", 2);
    is_int(identity_team_member_insert(db, IDENTITY_OWNER_USER, &more), IDENTITY_DB_CONFLICT, "is one only once");
    more.owner_id = invitation;
    is_int(identity_team_member_insert(db, IDENTITY_OWNER_INVITATION, &more), IDENTITY_DB_OK, "an invitation too");
    more.id = id("tmem", 3);
    more.team_id = second;
    is_int(identity_team_member_insert(db, IDENTITY_OWNER_INVITATION, &more), IDENTITY_DB_OK, "to two teams");
    commit();
    must(identity_team_members_of(db, IDENTITY_OWNER_USER, ids_of(2, users[0], users[1]), &rows), "members");
    is_int(rows->nelts, 1, "memberships in teams");
    read = APR_ARRAY_IDX(rows, 0, identity_team_member_row_t *);
    is_str(read->id, member.id, "id");
    is_str(read->entity_id, ENTITY, "entity");
    is_str(read->team_id, team, "team");
    is_str(read->owner_id, users[0], "owner");
    ok(read->start_at == NOW + 1 && read->end_at == NOW + 2 && read->created_at == NOW + 3, "times");
    must(identity_team_members_of(db, IDENTITY_OWNER_INVITATION, ids_of(1, invitation), &rows), "members");
    is_int(rows->nelts, 2, "an invitation's");

    begin();
    is_int(identity_team_members_adopt(db, invitation, users[0], NOW), IDENTITY_DB_OK, "it is accepted");
    commit();
    must(identity_team_members_of(db, IDENTITY_OWNER_USER, ids_of(1, users[0]), &rows), "members");
    is_int(rows->nelts, 2, "the new one is the user's now, the old one still is");
    must(identity_team_members_of(db, IDENTITY_OWNER_INVITATION, ids_of(1, invitation), &rows), "members");
    is_int(rows->nelts, 0, "the invitation has none");
    must(written(identity_team_members_delete(db, IDENTITY_OWNER_USER, users[0])), "delete");
    must(identity_team_members_of(db, IDENTITY_OWNER_USER, ids_of(1, users[0]), &rows), "members");
    is_int(rows->nelts, 0, "all of them can be taken away");
}

/* ---- roles ------------------------------------------------------------------------------------------------------ */

static identity_db_status_t try_role(const char *entity, int number, const char *name, const char *slug)
{
    identity_role_row_t row = {.id = id("role", number),
                               .entity_id = entity,
                               .name = name,
                               .canonical = identity_name_canonical(pool, name),
                               .slug = slug,
                               .description = "",
                               .version = 1};

    begin();
    identity_db_status_t status = identity_role_insert(db, &row, NULL, NULL);
    commit();
    return status;
}

static void test_roles(void)
{
    const identity_builtin_role_t *builtin = identity_builtin_role(1);
    apr_array_header_t *rows;

    begin();
    const char *leaf = add_role(db, ENTITY, 1, "Leaf", NULL, ids_of(2, "REPORT.VIEW", "REPORT.ADD"));
    commit();
    is_int(try_role(ENTITY, 800, "LEAF", "other"), IDENTITY_DB_CONFLICT, "a name is taken in any case");
    is_int(try_role(ENTITY, 800, "Other", "leaf"), IDENTITY_DB_CONFLICT, "so is a slug");
    is_int(try_role(ENTITY, 800, builtin->name, "other"), IDENTITY_DB_CONFLICT, "so is the name of a built-in role");
    is_int(try_role(ENTITY, 800, "Other", builtin->slug), IDENTITY_DB_CONFLICT, "and its slug");
    is_int(try_role(OTHER, 800, "Leaf", "leaf"), IDENTITY_DB_OK, "in another entity both are free");

    must(identity_roles_find(db, ENTITY, ids_of(1, leaf), NULL, NULL, &rows), "find");
    identity_role_row_t *row = APR_ARRAY_IDX(rows, 0, identity_role_row_t *);
    is_str(row->id, leaf, "a role: id");
    is_str(row->entity_id, ENTITY, "entity");
    is_str(row->name, "Leaf", "name");
    is_str(row->canonical, "leaf", "canonical name");
    is_str(row->slug, "leaf", "slug");
    is_str(row->description, "what Leaf may", "description");
    ok(row->created_at == NOW + 1 && row->version == 1, "time and version");
    must(identity_roles_find(db, ENTITY, ids_of(2, leaf, "role_x"),
                             ids_of(2, "leaf", identity_name_canonical(pool, builtin->name)),
                             ids_of(2, builtin->slug, identity_builtin_role(0)->slug), &rows),
         "find");
    is_int(rows->nelts, 3, "by ids, names and slugs, each once");
    must(identity_roles_find(db, ENTITY, ids_of(1, id("role", 800)), NULL, NULL, &rows), "find");
    is_int(rows->nelts, 0, "not one of another entity");
    must(identity_roles_find(db, ENTITY, NULL, NULL, NULL, &rows), "find");
    is_int(rows->nelts, 0, "nothing by nothing");
    must(identity_roles_find(db, OTHER, NULL, ids_of(1, "leaf"), NULL, &rows), "find");
    is_int(rows->nelts, 1, "each entity its own of a name");
    is_str(APR_ARRAY_IDX(rows, 0, identity_role_row_t *)->id, id("role", 800), "not the other's");
}

static const char *joined(apr_array_header_t *rows, const char *(*of)(const void *row))
{
    const char *all = "";

    for (int i = 0; i < rows->nelts; i++)
        all = text("%s%s%s", all, i ? " " : "", of(APR_ARRAY_IDX(rows, i, const void *)));
    return all;
}

/* The number at the end of an id. */
static int tail(const char *text_id)
{
    return (int)apr_atoi64(text_id + strlen(text_id) - 3);
}

static const char *edge_text(const void *row)
{
    const identity_role_edge_row_t *edge = row;
    return text("%d>%d", tail(edge->role_id), tail(edge->child_id));
}

static const char *permission_text(const void *row)
{
    const identity_role_permission_row_t *permission = row;
    return text("%d:%s", tail(permission->role_id), permission->permission);
}

/* 904 > 902, 903; 902, 903 > 901; 901 > 905 > 906: from 904 on, 905 and 906 are too deep. */
static void add_family(void)
{
    begin();
    add_role(db, ENTITY, 6, "Bottom", NULL, NULL);
    add_role(db, ENTITY, 5, "Below", ids_of(1, id("role", 906)), ids_of(1, "DEEP.VIEW"));
    sql(db, text("INSERT INTO role_children (role_id, position, child_id) VALUES ('%s', 0, '%s')", id("role", 901),
                 id("role", 905)));
    add_role(db, ENTITY, 2, "Left", ids_of(1, id("role", 901)), ids_of(1, "LEFT.VIEW"));
    add_role(db, ENTITY, 3, "Right", ids_of(1, id("role", 901)), NULL);
    add_role(db, ENTITY, 4, "Top", ids_of(2, id("role", 903), id("role", 902)), ids_of(1, "TOP.VIEW"));
    commit();
}

static void test_closure(void)
{
    apr_array_header_t *roles, *edges, *permissions;

    add_family();
    must(identity_roles_closure(db, ids_of(1, id("role", 904)), &roles, &edges, &permissions), "closure");
    is_int(roles->nelts, 4, "a role, its children and theirs");
    is_str(joined(permissions, permission_text), "904:TOP.VIEW 902:LEFT.VIEW 901:REPORT.ADD 901:REPORT.VIEW",
           "with their permissions");
    const char *among = joined(edges, edge_text);
    ok(strstr(among, "904>903 904>902"), "children in their order: %s", among);
    ok(strstr(among, "902>901") && strstr(among, "903>901"), "and theirs");
    must(identity_roles_closure(db, ids_of(2, identity_builtin_role(0)->id, id("role", 905)), &roles, &edges,
                                &permissions),
         "closure");
    is_int(roles->nelts, 3, "of several roles");
    must(identity_roles_closure(db, ids_of(0), &roles, &edges, &permissions), "closure");
    is_int(roles->nelts + edges->nelts + permissions->nelts, 0, "of none: three empty lists");
}

/* ---- grants ----------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "membership/role/permission" of each row, sorted, without repetition. */
static const char *grants(const char *user, apr_time_t now)
{
    const char *lines[64], *all = "";
    apr_array_header_t *rows;

    must(identity_grants_of_user(db, user, now, &rows), "grants");
    for (int i = 0; i < rows->nelts; i++) {
        const identity_grant_row_t *row = APR_ARRAY_IDX(rows, i, identity_grant_row_t *);
        lines[i] = text("%d%c%s/%s%d/%s", tail(row->membership_id), identity_member_type_name(row->type)[0],
                        text("%d", tail(row->account_id)), row->role_id[0] ? "" : "-",
                        row->role_id[0] ? tail(row->role_id) : 0, row->permission);
    }
    qsort(lines, (size_t)rows->nelts, sizeof lines[0], by_text);
    for (int i = 0; i < rows->nelts; i++)
        if (i == 0 || strcmp(lines[i], lines[i - 1]))
            all = text("%s%s%s", all, all[0] ? " " : "", lines[i]);
    return all;
}

static void test_grants(void)
{
    identity_team_member_row_t member = {id("tmem", 9), ENTITY, team, users[5], NOW, NOW + HOUR, NOW};

    is_str(grants(users[5], NOW), "", "who holds nothing has no grants");
    begin();
    must(give(db, IDENTITY_OWNER_USER, 101, users[5], accounts[4], IDENTITY_MEMBER_USER, ids_of(1, id("role", 902))),
         "give");
    must(give(db, IDENTITY_OWNER_USER, 102, users[5], accounts[5], IDENTITY_MEMBER_ADMIN, NULL), "give");
    must(give(db, IDENTITY_OWNER_USER, 103, users[6], accounts[5], IDENTITY_MEMBER_ADMIN, NULL), "give");
    must(identity_memberships_delete(db, IDENTITY_OWNER_TEAM, team), "delete");
    must(give(db, IDENTITY_OWNER_TEAM, 104, team, accounts[5], IDENTITY_MEMBER_PARTNER, ids_of(1, id("role", 905))),
         "give");
    commit();
    const char *direct = "101U5/901/REPORT.ADD 101U5/901/REPORT.VIEW 101U5/902/LEFT.VIEW 101U5/905/DEEP.VIEW "
                         "102A6/-0/";
    is_str(grants(users[5], NOW), direct, "direct memberships: roles with their children, their own permissions");
    must(written(identity_team_member_insert(db, IDENTITY_OWNER_USER, &member)), "member");
    const char *all = text("%s 104P6/905/DEEP.VIEW 104P6/906/", direct);
    is_str(grants(users[5], NOW), all, "and by a team, from its start");
    is_str(grants(users[5], NOW + HOUR - 1), all, "to its end");
    is_str(grants(users[5], NOW + HOUR), direct, "not then any more");
    is_str(grants(users[5], NOW - 1), direct, "nor before");
    sql(db, "UPDATE team_members SET end_at = 0");
    is_str(grants(users[5], NOW + 1000 * HOUR), all, "and for ever without an end");
}

/* How many statements a list takes does not hang on how long it is. */
static void test_counts(void)
{
    apr_array_header_t *rows, *edges, *permissions, *all = apr_array_make(pool, 40, sizeof(const char *)),
                                                    *role_ids = apr_array_make(pool, 40, sizeof(const char *));
    unsigned long before, few, many;

    begin();
    for (int i = 0; i < 30; i++) {
        const char *role =
            add_role(db, ENTITY, 30 + i, text("Many %d", i), ids_of(1, id("role", 904)), ids_of(2, "A.VIEW", "B.VIEW"));
        APR_ARRAY_PUSH(role_ids, const char *) = role;
        APR_ARRAY_PUSH(all, const char *) = users[10 + i];
        for (int j = 10; j < 14; j++)
            must(give(db, IDENTITY_OWNER_USER, 1000 + i * 10 + j, users[10 + i], accounts[j], IDENTITY_MEMBER_USER,
                      ids_of(1, role)),
                 "give");
    }
    commit();
    before = identity_db_statements(db);
    must(identity_memberships_of(db, IDENTITY_OWNER_USER, ids_of(1, users[10]), &rows), "few");
    few = identity_db_statements(db) - before;
    before = identity_db_statements(db);
    must(identity_memberships_of(db, IDENTITY_OWNER_USER, all, &rows), "many");
    is_int(rows->nelts, 120, "120 memberships");
    is_int(identity_db_statements(db) - before, few, "in as many statements as 4");
    is_int(few, 1, "one");
    before = identity_db_statements(db);
    must(identity_roles_closure(db, ids_of(1, id("role", 906)), &rows, &edges, &permissions), "few");
    few = identity_db_statements(db) - before;
    before = identity_db_statements(db);
    must(identity_roles_closure(db, role_ids, &rows, &edges, &permissions), "many");
    many = identity_db_statements(db) - before;
    is_int(rows->nelts, 33, "33 roles");
    is_int(many, few, "in as many statements as one role");
    before = identity_db_statements(db);
    must(identity_grants_of_user(db, users[10], NOW, &rows), "grants");
    is_int(identity_db_statements(db) - before, 1, "all that a user holds in one");
    ok(rows->nelts >= 4 * 5, "which is much");
}

/* Long lists of ids: one text. */
static void test_long_list(void)
{
    apr_array_header_t *ids = apr_array_make(pool, 5000, sizeof(const char *)), *rows;

    for (int i = 0; i < 5000; i++)
        APR_ARRAY_PUSH(ids, const char *) = i == 4999 ? users[10] : text("user_%d\"'\\[\xe2\x82\xac", i);
    is_int(identity_memberships_of(db, IDENTITY_OWNER_USER, ids, &rows), IDENTITY_DB_OK, "5,000 strange ids");
    is_int(rows->nelts, 4, "the one among them that is somebody is found");
}

int main(void)
{
    db = fixture_begin();
    must(identity_db_begin(db, true), "begin");
    for (int i = 0; i < 40; i++) {
        accounts[i] = add_account(db, ENTITY, i + 1);
        users[i] = add_user(db, ENTITY, i + 1, text("user-%d@a.b", i), IDENTITY_USER_ACTIVE)->id;
    }
    team = add_team(db, ENTITY, 1);
    invitation = add_invitation(db, 1, users[0], NOW)->id;
    must(identity_db_commit(db), "commit");
    test_memberships();
    test_admins();
    test_adoption();
    test_teams();
    test_roles();
    test_closure();
    test_grants();
    test_counts();
    test_long_list();
    return fixture_end();
}
