/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench-seed DATABASE FOLDER USERS KEYS
 *
 * Fills a database that `htidentity migrate` has made: an entity `default` with 10 accounts, 100 teams and 20 roles, so
 * many active users with 1 to 3 memberships each (every third has a team as its last), and so many API keys. The first
 * 50 users alone have names that begin with `desk`, and the domain desk.example. FOLDER gets `users` (an id and a name
 * a line) and `keys` (a key a line; the first is the administrator's). All users have the password Correct1Horse.
 *
 * usage: bench-seed --optimized        says yes or no: has the compiler optimized what is measured? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <sodium.h>

#include "identity/store.h"

#define ACCOUNTS 10
#define TEAMS    100
#define ROLES    20
#define DESKS    50
#define PASSWORD "Correct1Horse"
#define BATCH    1000

#ifdef __OPTIMIZE__
static const bool optimized = true;
#else
static const bool optimized = false;
#endif

static apr_pool_t *lasting, *passing;
static identity_db_t *db;
static const char *entity_id, *account_ids[ACCOUNTS], *team_ids[TEAMS], *role_ids[ROLES];

static bool fill(void *context, void *buffer, size_t size)
{
    (void)context;
    randombytes_buf(buffer, size);
    return true;
}

static const identity_random_t source = {.fill = fill};

static void check(identity_db_status_t status, const char *what)
{
    if (status == IDENTITY_DB_OK)
        return;
    fprintf(stderr, "bench-seed: %s: status %d\n", what, (int)status);
    exit(1);
}

static void log_failure(void *context, const char *statement, const char *failure, const char *detail)
{
    (void)context;
    fprintf(stderr, "bench-seed: %s: %s: %s\n", statement, failure, detail ? detail : "");
}

/* In order, one a microsecond. */
static apr_time_t next_time(void)
{
    static apr_time_t last;

    if (!last)
        last = apr_time_now() - apr_time_from_sec(3600);
    return ++last;
}

static const char *make_id(apr_pool_t *pool, const char *prefix)
{
    return identity_id_make(pool, prefix, next_time(), &source);
}

static FILE *list(const char *folder, const char *name)
{
    FILE *file = fopen(apr_pstrcat(lasting, folder, "/", name, NULL), "w");

    if (!file) {
        perror(name);
        exit(1);
    }
    return file;
}

static apr_array_header_t *one(const char *text)
{
    apr_array_header_t *array = apr_array_make(passing, 1, sizeof(const char *));

    APR_ARRAY_PUSH(array, const char *) = text;
    return array;
}

static void add_accounts(void)
{
    identity_entity_row_t entity = {
        .id = make_id(lasting, "enti"), .reference = "default", .name = "Default", .created_at = next_time()};

    entity_id = entity.id;
    check(identity_entity_insert(db, &entity), "entity");
    for (int i = 0; i < ACCOUNTS; i++) {
        identity_account_row_t account = {.id = make_id(lasting, "plat"),
                                          .entity_id = entity_id,
                                          .reference = i ? apr_psprintf(lasting, "account%d", i) : "default",
                                          .account_type_code = "",
                                          .environment = "LIVE",
                                          .created_at = next_time()};
        account_ids[i] = account.id;
        check(identity_account_insert(db, &account), "account");
    }
}

static void add_roles(void)
{
    static const char *const permissions[] = {"USER.MORTAL.VIEW", "USER.MORTAL.CREATE", "ROLE.VIEW", "USER.API.VIEW"};

    for (int i = 0; i < ROLES; i++) {
        const char *name = apr_psprintf(lasting, "Role %d", i), *slug = apr_psprintf(lasting, "bench-role-%d", i);
        identity_role_row_t role = {.id = make_id(lasting, "role"),
                                    .entity_id = entity_id,
                                    .name = name,
                                    .canonical = apr_psprintf(lasting, "role %d", i),
                                    .slug = slug,
                                    .description = "",
                                    .created_at = next_time(),
                                    .version = 1};
        role_ids[i] = role.id;
        check(identity_role_insert(db, &role, NULL, one(permissions[i % 4])), "role");
    }
}

static void add_membership(identity_owner_t owner, const char *owner_id, int account, identity_member_type_t type,
                           int role)
{
    identity_membership_row_t row = {.id = make_id(passing, "memb"),
                                     .entity_id = entity_id,
                                     .owner_id = owner_id,
                                     .type = type,
                                     .created_at = next_time()};

    row.account.id = account_ids[account % ACCOUNTS];
    check(identity_membership_insert(db, owner, &row, one(role_ids[role % ROLES])), "membership");
}

static void add_teams(void)
{
    for (int i = 0; i < TEAMS; i++) {
        identity_team_row_t team = {.id = make_id(lasting, "team"),
                                    .entity_id = entity_id,
                                    .name = apr_psprintf(lasting, "Team %d", i),
                                    .created_at = next_time()};
        team_ids[i] = team.id;
        check(identity_team_insert(db, &team), "team");
        add_membership(IDENTITY_OWNER_TEAM, team.id, i, IDENTITY_MEMBER_USER, i);
    }
}

static void add_user(int number, const char *hash, FILE *file)
{
    const char *name =
        apr_psprintf(passing, number < DESKS ? "desk%06d@desk.example" : "user%06d@bench.example", number);
    identity_user_row_t user = {.id = make_id(passing, "user"),
                                .entity_id = entity_id,
                                .username = name,
                                .canonical = name,
                                .status = IDENTITY_USER_ACTIVE,
                                .password_hash = hash,
                                .created_at = next_time(),
                                .version = 1};
    int memberships = 1 + number % 3;

    user.updated_at = user.verified_at = user.password_changed_at = user.created_at;
    check(identity_user_insert(db, &user), "user");
    for (int i = 0; i < memberships && i < 2; i++)
        add_membership(IDENTITY_OWNER_USER, user.id, number + i, IDENTITY_MEMBER_USER, number + i);
    if (memberships == 3) {
        identity_team_member_row_t member = {.id = make_id(passing, "tmem"),
                                             .entity_id = entity_id,
                                             .team_id = team_ids[number / 3 % TEAMS],
                                             .owner_id = user.id,
                                             .start_at = user.created_at,
                                             .created_at = user.created_at};
        check(identity_team_member_insert(db, IDENTITY_OWNER_USER, &member), "team member");
    }
    fprintf(file, "%s %s\n", user.id, name);
}

static void add_key(FILE *file)
{
    identity_key_row_t row = {.id = make_id(passing, "apik"),
                              .entity_id = entity_id,
                              .created_by = "",
                              .active = true,
                              .role_type = IDENTITY_KEY_ADMINISTRATOR,
                              .created_at = next_time(),
                              .version = 1};
    const char *key = identity_key_make(passing, row.id, &source);

    row.digest = identity_token_digest(passing, key);
    row.mask = identity_key_mask(passing, key);
    check(identity_key_insert(db, &row, NULL), "key");
    fprintf(file, "%s\n", key);
}

/* A transaction for so many rows, with a pool of its own. */
static void next_row(int number)
{
    if (number % BATCH != 0)
        return;
    if (number > 0)
        check(identity_db_commit(db), "commit");
    apr_pool_clear(passing);
    identity_db_use(db, passing);
    check(identity_db_begin(db, true), "begin");
}

int main(int count, char *arguments[])
{
    const identity_hash_parameters_t hash = {.memory_kib = IDENTITY_HASH_MEMORY_MIN,
                                             .passes = IDENTITY_HASH_PASSES_MIN};
    const identity_db_options_t options = {.sync = IDENTITY_SYNC_NORMAL, .log = log_failure};
    const char *error = NULL;

    if (count == 2 && strcmp(arguments[1], "--optimized") == 0)
        return puts(optimized ? "yes" : "no") < 0;
    if (count != 5 || sodium_init() < 0) {
        fprintf(stderr, "usage: bench-seed DATABASE FOLDER USERS KEYS\n");
        return 2;
    }
    apr_initialize();
    apr_pool_create(&lasting, NULL);
    apr_pool_create(&passing, lasting);
    apr_dbd_init(lasting);
    db = identity_db_open(lasting, "sqlite3", arguments[1], &options, &error);
    if (!db) {
        fprintf(stderr, "bench-seed: %s\n", error);
        return 1;
    }
    FILE *users = list(arguments[2], "users"), *keys = list(arguments[2], "keys");
    int number = 0;
    next_row(number++);
    add_accounts();
    add_roles();
    add_teams();
    const char *hashed = identity_password_hash(lasting, &hash, PASSWORD);
    for (int i = 0; i < atoi(arguments[3]); i++, next_row(number++))
        add_user(i, hashed, users);
    for (int i = 0; i < atoi(arguments[4]); i++, next_row(number++))
        add_key(keys);
    check(identity_db_commit(db), "commit");
    fclose(users);
    fclose(keys);
    apr_pool_destroy(lasting);
    return 0;
}
