/* SPDX-License-Identifier: Apache-2.0 */
/* Roles that are changed and deleted, and what stands above them. */
#include "store_fixture.h"

static identity_db_t *db;
static const char *a, *b, *c, *user, *account;

static void begin(void)
{
    must(identity_db_begin(db, true), "begin");
}

static void commit(void)
{
    must(identity_db_commit(db), "commit");
}

static identity_role_row_t row_of(const char *id_of_role)
{
    apr_array_header_t *rows;

    must(identity_roles_find(db, ENTITY, ids_of(1, id_of_role), NULL, NULL, &rows), "find");
    if (rows->nelts != 1)
        bail("no such role");
    return *APR_ARRAY_IDX(rows, 0, identity_role_row_t *);
}

static identity_db_status_t update(identity_role_row_t *row, const apr_array_header_t *children,
                                   const apr_array_header_t *permissions)
{
    begin();
    identity_db_status_t status = identity_role_update(db, row, children, permissions);
    commit();
    return status;
}

static const char *content(const char *id_of_role)
{
    return sql_value(db, text("SELECT (SELECT COALESCE(GROUP_CONCAT(child_id), '') FROM (SELECT child_id FROM "
                              "role_children WHERE role_id = '%s' ORDER BY position)) || '|' || (SELECT "
                              "COALESCE(GROUP_CONCAT(permission), '') FROM (SELECT permission FROM role_permissions "
                              "WHERE role_id = '%s' ORDER BY permission))",
                              id_of_role, id_of_role));
}

static void test_update(void)
{
    identity_role_row_t row = row_of(a), late = row, read;

    row.name = "NEXT";
    row.canonical = "next";
    row.description = "";
    is_int(identity_role_update(db, &row, NULL, NULL), IDENTITY_DB_FAILED,
           "outside of a write transaction no role is changed");
    is_int(update(&row, NULL, NULL), IDENTITY_DB_OK, "change");
    is_int(row.version, 2, "its version moves on");
    read = row_of(a);
    is_str(text("%s %s %s [%s] %d", read.name, read.canonical, read.slug, read.description, (int)read.version),
           "NEXT next first [] 2", "name, canonical name, description; the slug stays");
    is_str(content(a), "|A.VIEW,B.VIEW", "what is in it stays, where no list is given");
    is_int(update(&row, ids_of(2, c, b), ids_of(1, "C.VIEW")), IDENTITY_DB_OK, "children and permissions");
    is_str(content(a), text("%s,%s|C.VIEW", c, b), "are replaced");
    is_int(update(&late, ids_of(0), ids_of(0)), IDENTITY_DB_NONE, "who has read an older version changes nothing");
    is_str(content(a), text("%s,%s|C.VIEW", c, b), "... not even what is in it");
    identity_role_row_t taken = row_of(a);
    taken.canonical = "second";
    is_int(update(&taken, ids_of(0), NULL), IDENTITY_DB_CONFLICT, "a name is taken");
    taken.canonical = identity_name_canonical(pool, identity_builtin_role(0)->name);
    is_int(update(&taken, ids_of(0), NULL), IDENTITY_DB_CONFLICT, "so is that of a built-in role");
    taken.canonical = "theirs";
    is_int(update(&taken, ids_of(0), ids_of(0)), IDENTITY_DB_OK, "in another entity it is free");
    is_str(content(a), "|", "empty lists clear");
}

static const char *above(const char *id_of_role)
{
    apr_array_header_t *rows;
    const char *all = "";

    must(identity_role_ancestors(db, id_of_role, &rows), "ancestors");
    for (int height = 1; height <= 3; height++)
        for (int i = 0; i < rows->nelts; i++) {
            const identity_role_ancestor_row_t *row = APR_ARRAY_IDX(rows, i, identity_role_ancestor_row_t *);
            if (row->height == height)
                all = text("%s%s%d:%s", all, *all ? " " : "", height, row->id);
        }
    return all;
}

/* a > b > c, a > c */
static void test_ancestors(void)
{
    identity_role_row_t top = row_of(a), middle = row_of(b);

    must(update(&top, ids_of(2, b, c), NULL), "children");
    must(update(&middle, ids_of(1, c), NULL), "children");
    is_str(above(a), "", "nothing is above the top");
    is_str(above(b), text("1:%s", a), "a parent");
    const char *both = above(c);
    ok(strstr(both, text("1:%s", a)) && strstr(both, text("1:%s", b)) && strstr(both, text("2:%s", a)),
       "parents and theirs, one of them at both heights: %s", both);
    is_str(above(id("role", 1)), "", "of an unknown role none");
}

static identity_db_status_t drop(const char *entity, const char *id_of_role)
{
    begin();
    identity_db_status_t status = identity_role_delete(db, entity, id_of_role);
    commit();
    return status;
}

static void test_delete(void)
{
    identity_role_row_t top = row_of(a), middle = row_of(b);

    is_int(identity_role_delete(db, ENTITY, a), IDENTITY_DB_FAILED, "outside of a write transaction none is deleted");
    is_int(drop(ENTITY, c), IDENTITY_DB_CONFLICT, "a child stays");
    must(update(&middle, ids_of(0), NULL), "no children");
    must(update(&top, ids_of(0), ids_of(1, "A.VIEW")), "no children");
    begin();
    must(give(db, IDENTITY_OWNER_USER, 1, user, account, IDENTITY_MEMBER_USER, ids_of(1, c)), "membership");
    commit();
    is_int(drop(ENTITY, c), IDENTITY_DB_CONFLICT, "what a membership has stays");
    identity_invitation_row_t *invitation = add_invitation(db, 1, user, NOW);
    sql(db, text("UPDATE invitations SET role_id = '%s' WHERE id = '%s'", b, invitation->id));
    is_int(drop(ENTITY, b), IDENTITY_DB_CONFLICT, "what an open invitation names stays");
    must(identity_invitation_close(db, invitation->id, IDENTITY_INVITATION_REVOKED, NOW), "close");
    is_int(drop(ENTITY, b), IDENTITY_DB_OK, "what a closed one names goes");
    is_int(drop(OTHER, a), IDENTITY_DB_CONFLICT, "another entity deletes nothing");
    is_int(drop(ENTITY, identity_builtin_role(0)->id), IDENTITY_DB_CONFLICT, "nor anybody a built-in role");
    is_int(drop(ENTITY, a), IDENTITY_DB_OK, "what nothing uses goes");
    is_str(content(a), "|", "with all that is in it");
    is_int(drop(ENTITY, a), IDENTITY_DB_CONFLICT, "once");
    must(written(identity_memberships_delete(db, IDENTITY_OWNER_USER, user)), "no membership");
    is_int(drop(ENTITY, c), IDENTITY_DB_OK, "and the child when nobody has it any more");
}

int main(void)
{
    db = fixture_begin();
    begin();
    account = add_account(db, ENTITY, 1);
    user = add_user(db, ENTITY, 1, "ada@example.org", IDENTITY_USER_ACTIVE)->id;
    a = add_role(db, ENTITY, 1, "First", NULL, ids_of(2, "B.VIEW", "A.VIEW"));
    b = add_role(db, ENTITY, 2, "Second", NULL, NULL);
    c = add_role(db, ENTITY, 3, "Third", NULL, NULL);
    add_role(db, OTHER, 4, "Theirs", NULL, NULL);
    commit();
    test_update();
    test_ancestors();
    test_delete();
    return fixture_end();
}
