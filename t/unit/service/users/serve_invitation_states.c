/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations against a model of their rules: random sequences of create, invite, send again, revoke, accept,
 * deactivate, deliver and of time that passes, over both views (/invitations and users/invite), and after every step
 * both views and the rows are what the model says. (security 21, 23, 24, 26)
 *
 * IDENTITY_SEED repeats a run, IDENTITY_STEPS makes it longer. */
#include "routes.h"
#include "users/users.h"
#include "serve.h"

#define STEPS    2000
#define PEOPLE   5
#define ACCOUNTS 4
#define ROLES    3
#define KEYS     2
#define MOST     14                        /* invitations of a person, who then makes room for another one */
#define LIFETIME apr_time_from_sec(604805) /* steps are tens of seconds apart: none is at the very moment */

/* ---- the model -------------------------------------------------------------------------------------------------- */

typedef enum { NOBODY, INVITED, INVITE_REVOKED, ACTIVE, INACTIVE } status_t;
static const char *const status_names[] = {"-", "INVITED", "INVITE_REVOKED", "ACTIVE", "INACTIVE"};

typedef struct invitation {
    char id[33];
    bool open;          /* not accepted, revoked or superseded */
    const char *closed; /* accepted, revoked or expired, where it is not open */
    bool adds;
    int account, role, key;                     /* account and role: -1 for none */
    int pending[ACCOUNTS];                      /* of adds: the role that waits, -1 for none */
    apr_time_t created, modified, expiry, sent; /* whole seconds */
    const char *mail;                           /* state of the newest */
} invitation_t;

typedef struct token {
    char text[80];
    int invitation;
    bool live;
} token_t;

typedef struct person {
    char address[40], id[40];
    status_t status;
    bool came; /* has accepted once */
    int member[ACCOUNTS];
    apr_time_t expiry; /* of the invitation that made the user, 0 for none */
    int invitations, tokens;
    invitation_t invitation[MOST + 1];
    token_t token[8 * MOST];
} person_t;

static person_t people[PEOPLE];
static int revisions;
static const char *accounts[ACCOUNTS], *keys[KEYS], *key_ids[KEYS];
static bool key_active[KEYS] = {true, true};
static const char *const roles[ROLES] = {"read-only", "quote-viewer", "full-access"};
static const char *role_ids[ROLES];
static apr_time_t second; /* in which the step is made */

static bool over(const invitation_t *one)
{
    return one->expiry <= second;
}

static const char *state_of(const invitation_t *one)
{
    return !one->open ? one->closed : over(one) ? "expired" : "invited";
}

static invitation_t *open_of(person_t *person)
{
    for (int i = 0; i < person->invitations; i++)
        if (person->invitation[i].open)
            return &person->invitation[i];
    return NULL;
}

static bool in_the_way(person_t *person)
{
    const invitation_t *open = open_of(person);
    return open && !over(open);
}

static void kill_tokens(person_t *person)
{
    for (int i = 0; i < person->tokens; i++)
        person->token[i].live = false;
}

static void end_open(person_t *person)
{
    invitation_t *open = open_of(person);

    kill_tokens(person);
    if (!open)
        return;
    open->open = false;
    open->closed = over(open) ? "expired" : "revoked";
    if (!over(open))
        open->modified = second;
    if (strcmp(open->mail, "queued") == 0)
        open->mail = "cancelled";
    for (int a = 0; a < ACCOUNTS; a++)
        open->pending[a] = -1;
}

/* ---- what is seen ----------------------------------------------------------------------------------------------- */

static const char *trace[12];
static int steps, wrong;
static apr_pool_t *lasting;

static void differs(const char *what, const char *got, const char *expected)
{
    if (strcmp(got, expected) == 0)
        return;
    wrong++;
    diag("step %d, %s\n  got      %s\n  expected %s", steps, what, got, expected);
    for (int i = 0; i < 12; i++)
        if (trace[(steps + 1 + i) % 12])
            diag("  %s", trace[(steps + 1 + i) % 12]);
}

static const char *time_of(apr_time_t time)
{
    return identity_time_format(door->pool, time);
}

static const char *account_of(const invitation_t *one)
{
    return one->account < 0 ? door->entity_id : accounts[one->account];
}

static const char *expected_view(const person_t *person, const invitation_t *one)
{
    return text("%s %s %s %s %s %s %s %s urn:identity:identity:local:%s:invitation/%s %s", one->id, person->address,
                one->role < 0 ? "none" : roles[one->role], state_of(one), time_of(one->created), time_of(one->modified),
                time_of(one->expiry), time_of(one->sent), account_of(one), one->id, one->mail);
}

static const char *seen_view(const json_t *object)
{
    static const char *const members[] = {"id",           "email",  "roleID",   "state", "created",
                                          "lastModified", "expiry", "lastSent", "urn",   "delivery.state"};
    const char *all = "";

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *value = json_string_value(door_at(object, members[i]));
        all = text("%s%s%s", all, i ? " " : "", value ? value : "?");
    }
    return all;
}

static void look_at_invitation(const person_t *person, const invitation_t *one, bool by_reader)
{
    const char *expected = expected_view(person, one);
    door_answer_t answer = get(text("/v1/invitations/%s", one->id), by_reader ? door->read_key : door->key);

    /* Who may only look is not shown how the mail fares. */
    differs(by_reader ? "GET the invitation by who may only look" : "GET the invitation", seen_view(answer.json),
            by_reader ? text("%.*s?", (int)(strlen(expected) - strlen(one->mail)), expected) : expected);
}

static const char *members_of(const int *member)
{
    const char *all = "";

    for (int a = 0; a < ACCOUNTS; a++)
        all = text("%s %s", all, member[a] < 0 ? "-" : roles[member[a]]);
    return all;
}

static void look_at_user(const person_t *person)
{
    door_answer_t answer = get(text("/v1/users?username=%s", person->address), door->key);
    const json_t *user = door_at(answer.json, "data.0"), *expired = json_object_get(user, "invite_expired"), *one;
    int member[ACCOUNTS];
    size_t i;

    memset(member, -1, sizeof member);
    json_array_foreach (json_object_get(user, "account_memberships"), i, one)
        for (int a = 0; a < ACCOUNTS; a++)
            for (int r = 0; r < ROLES; r++)
                if (strcmp(accounts[a], json_string_value(json_object_get(one, "account_id"))) == 0 &&
                    strcmp(role_ids[r], json_string_value(door_at(one, "roles.0.id"))) == 0)
                    member[a] = r;
    const char *status = json_string_value(json_object_get(user, "status"));
    differs("the user",
            text("%s %s%s", status ? status : "-",
                 !user || json_is_null(expired) ? "-"
                 : json_is_true(expired)        ? "expired"
                                                : "holds",
                 members_of(member)),
            text("%s %s%s", status_names[person->status],
                 !person->expiry           ? "-"
                 : person->expiry > second ? "holds"
                                           : "expired",
                 members_of(person->member)));
}

static int in_state(const person_t *person, const char *state)
{
    int all = 0;

    for (int i = 0; i < person->invitations; i++)
        all += strcmp(state_of(&person->invitation[i]), state) == 0;
    return all;
}

/* What no view shows. */
static void look_at_rows(const person_t *person)
{
    const char *of = text("WHERE user_id = '%s'", person->id), *open = "";
    int live = 0, queued = 0, waiting = 0;

    for (int i = 0; i < person->tokens; i++)
        live += person->token[i].live;
    for (int i = 0; i < person->invitations; i++) {
        const invitation_t *one = &person->invitation[i];
        queued += strcmp(one->mail, "queued") == 0;
        for (int a = 0; a < ACCOUNTS; a++)
            waiting += one->pending[a] >= 0;
        if (one->open)
            open = text("%s|%s|%d", one->id, key_ids[one->key], one->adds);
    }
    differs(
        "the rows",
        rows(text("SELECT (SELECT COUNT(*) FROM secrets %s AND kind = 'invite' AND ended_at = 0), "
                  "(SELECT COUNT(*) FROM outbox %s AND state = 'queued'), "
                  "(SELECT COUNT(*) FROM memberships m JOIN invitations i ON i.id = m.invitation_id %s), "
                  "(SELECT COALESCE(MAX(id || '|' || invited_by || '|' || adds), '') FROM invitations %s AND state = "
                  "'invited' AND superseded = 0), (SELECT COUNT(*) FROM invitations %s AND state = 'invited' AND "
                  "superseded = 0)",
                  of, of, text("WHERE i.user_id = '%s'", person->id), of, of)),
        text("%d|%d|%d|%s|%d", live, queued, waiting, open, *open != '\0'));
}

static void look_at_lists(const person_t *person)
{
    static const char *const states[] = {"invited", "accepted", "revoked", "expired"};

    for (int s = 0; s < 4; s++) {
        door_answer_t answer =
            get(text("/v1/invitations?limit=100&email=%s&state=%s", person->address, states[s]), door->key);
        differs(text("the list of %s", states[s]), text("%d", (int)size_at(&answer, "invitations")),
                text("%d", in_state(person, states[s])));
    }
}

static bool same(const char *one, const char *other)
{
    return strcmp(one, other) == 0;
}

/* Every page of a filter: as many as the model knows, newest first, none twice. */
static void look_at_all(const char *state)
{
    const char *cursor = "", *edge = "~";
    int found = 0, expected = 0, unordered = 0;

    while (cursor) {
        door_answer_t answer = get(text("/v1/invitations?limit=7&state=%s&cursor=%s", state, cursor), door->key);
        found += (int)size_at(&answer, "invitations");
        for (int i = 0; i < (int)size_at(&answer, "invitations"); i++) {
            bool by_expiry = same(state, "invited") || same(state, "expired");
            const char *at =
                text("%s %s", door_text(&answer, text("invitations.%d.%s", i, by_expiry ? "expiry" : "created")),
                     door_text(&answer, text("invitations.%d.id", i)));
            unordered += strncmp(at, edge, 20) > 0 || same(at, edge);
            edge = at;
        }
        cursor = door_text(&answer, "next");
    }
    for (int p = 0; p < PEOPLE; p++)
        expected += in_state(&people[p], *state ? state : "invited");
    if (!*state)
        for (int p = 0; p < PEOPLE; p++)
            expected += people[p].invitations - in_state(&people[p], "invited");
    /* Of those who made room nothing is known here but that they are there. */
    int gone =
        (int)count(text("SELECT COUNT(*) FROM invitations i JOIN users u ON u.id = i.user_id WHERE "
                        "u.username LIKE 'gone%%' AND ('%s' = '' OR '%s' = CASE WHEN i.state = 'invited' AND "
                        "(i.superseded = 1 OR i.expires_at <= %" APR_TIME_T_FMT ") THEN 'expired' ELSE i.state END)",
                        state, state, door->now));
    differs(text("all pages of \"%s\"", state), text("%d, %d out of order", found, unordered),
            text("%d, 0 out of order", expected + gone));
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static uint64_t random_state;
static struct {
    const char *name;
    int done;
} outcomes[64];

/* xorshift64*: the same on every machine. */
static int chance(int below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (int)((random_state * UINT64_C(2685821657736338717) >> 33) % (uint64_t)below);
}

static void happened(const char *name)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (!outcomes[i].name || same(outcomes[i].name, name)) {
            outcomes[i].name = outcomes[i].name ? outcomes[i].name : apr_pstrdup(lasting, name);
            outcomes[i].done++;
            return;
        }
    bail("too many kinds of outcomes");
}

/* One that is active: the first is always. */
static int any_key(void)
{
    int key = chance(KEYS);
    return key_active[key] ? key : 0;
}

static bool told(const char *step, const person_t *person, door_answer_t answer, const char *expected)
{
    trace[steps % 12] = apr_psprintf(lasting, "%d: %s %s (%s) at %s: %s", steps, step, person->address,
                                     status_names[person->status], time_of(second), outcome_of(&answer));
    happened(apr_psprintf(door->pool, "%s: %s", step, expected));
    differs(step, outcome_of(&answer), expected);
    return expected[0] == '2' && answer.status < 300;
}

/* The secret of the mail that was put on its way just now. */
static void take_token(person_t *person, int invitation)
{
    unsigned char key[32];
    token_t *token = &person->token[person->tokens++];
    const char *id = rows(text("SELECT MAX(id) FROM outbox WHERE user_id = '%s'", person->id)),
               *sealed = rows(text("SELECT sealed FROM outbox WHERE id = '%s'", id));

    identity_keyset_derive(door->env.keys, 0, IDENTITY_SEAL_OUTBOX, key);
    const char *secret = identity_unseal(door->pool, key, sealed, id);
    apr_cpystrn(token->text, secret ? secret : "", sizeof token->text);
    token->invitation = invitation;
    kill_tokens(person);
    token->live = true;
}

/* Both ways of inviting: wanted is the role in each account, -1 for none. */
static void now_invited(person_t *person, int key, const int *wanted)
{
    invitation_t *one = &person->invitation[person->invitations];

    end_open(person);
    memset(one, 0, sizeof *one);
    one->open = true;
    one->adds = person->status == ACTIVE;
    one->account = one->role = -1;
    for (int a = ACCOUNTS - 1; a >= 0; a--) {
        bool given = wanted[a] >= 0 && !(one->adds && person->member[a] >= 0);
        one->pending[a] = one->adds && given ? wanted[a] : -1;
        if (!one->adds)
            person->member[a] = wanted[a];
        if (given) {
            one->account = a;
            one->role = wanted[a];
        }
    }
    one->key = key;
    one->created = one->modified = one->sent = second;
    one->expiry = second + LIFETIME;
    one->mail = "queued";
    if (!one->adds) {
        person->status = INVITED;
        person->expiry = one->expiry;
    }
    apr_cpystrn(person->id, rows(text("SELECT id FROM users WHERE canonical = '%s'", person->address)),
                sizeof person->id);
    apr_cpystrn(
        one->id,
        rows(text("SELECT id FROM invitations WHERE user_id = '%s' ORDER BY created_at DESC LIMIT 1", person->id)),
        sizeof one->id);
    take_token(person, person->invitations++);
}

static bool adds_anything(const person_t *person, const int *wanted)
{
    bool any = person->status != ACTIVE;

    for (int a = 0; a < ACCOUNTS; a++)
        any = any || (wanted[a] >= 0 && person->member[a] < 0);
    return any;
}

static void step_create(person_t *person)
{
    int account = chance(ACCOUNTS), key = any_key(), wanted[ACCOUNTS];
    bool good = person->status != INACTIVE && !in_the_way(person);

    memset(wanted, -1, sizeof wanted);
    wanted[account] = chance(ROLES);
    good = good && adds_anything(person, wanted);
    door->platform_id = accounts[account];
    door_answer_t answer = post("/v1/invitations", keys[key],
                                text("{\"email\":\"%s\",\"roleID\":\"%s\"}", person->address, roles[wanted[account]]));
    door->platform_id = NULL;
    if (!told("create", person, answer, good ? "201" : "400 INVALID_FIELD email"))
        return;
    now_invited(person, key, wanted);
    differs("the answer", seen_view(answer.json), expected_view(person, &person->invitation[person->invitations - 1]));
}

static void step_invite(person_t *person)
{
    int key = any_key(), wanted[ACCOUNTS];
    const char *memberships = "";

    for (int a = 0; a < ACCOUNTS; a++) {
        wanted[a] = chance(3) == 0 ? chance(ROLES) : -1;
        if (wanted[a] >= 0)
            memberships = text("%s%s%s", memberships, *memberships ? "," : "",
                               member(accounts[a], "USER", text(",\"role_ids\":[\"%s\"]", role_ids[wanted[a]])));
    }
    bool good = person->status != INACTIVE && adds_anything(person, wanted);
    door_answer_t answer =
        post("/v1/users/invite", keys[key],
             text("{\"username\":\"%s\",\"account_memberships\":[%s]}", person->address, memberships));
    if (told("invite", person, answer, good ? "200" : "409 INVALID_OPERATION username"))
        now_invited(person, key, wanted);
}

static invitation_t *any_invitation(person_t *person)
{
    /* The newest half of the time: it is the one that much can be done with. */
    return &person->invitation[chance(2) ? person->invitations - 1 : chance(person->invitations)];
}

static void step_resend(person_t *person)
{
    static const char *const bodies[] = {NULL, "{}", "{\"state\":\"invited\"}"};
    int key = any_key();

    if (!person->invitations)
        return;
    invitation_t *one = any_invitation(person);
    happened(text("resend of one that is %s%s", state_of(one), one->open ? " and may be" : ""));
    door_answer_t answer = post(text("/v1/invitations/%s", one->id), keys[key], bodies[chance(3)]);
    if (!told("resend", person, answer, one->open ? "200" : "400 INVALID_FIELD state"))
        return;
    one->modified = one->sent = second;
    one->expiry = second + LIFETIME;
    one->key = key;
    one->mail = "queued";
    if (!one->adds)
        person->expiry = one->expiry;
    take_token(person, (int)(one - person->invitation));
    differs("the answer", seen_view(answer.json), expected_view(person, one));
}

static void now_revoked(person_t *person)
{
    end_open(person);
    if (person->status == INVITED)
        person->status = INVITE_REVOKED;
}

static void step_revoke(person_t *person)
{
    if (!person->invitations)
        return;
    invitation_t *one = any_invitation(person);
    door_answer_t answer = post(text("/v1/invitations/%s", one->id), keys[any_key()], "{\"state\":\"revoked\"}");
    if (!told("revoke", person, answer, one->open && !over(one) ? "200" : "400 INVALID_FIELD state"))
        return;
    now_revoked(person);
    differs("the answer", seen_view(answer.json), expected_view(person, one));
}

static void step_revoke_invite(person_t *person)
{
    door_answer_t answer =
        post("/v1/users/revoke-invite", keys[any_key()], text("{\"username\":\"%s\"}", person->address));

    if (told("revoke-invite", person, answer,
             person->status == NOBODY ? "404 USER_NOT_FOUND "
             : in_the_way(person)     ? "200"
                                      : "409 INVALID_OPERATION username"))
        now_revoked(person);
}

static void now_accepted(person_t *person, token_t *token)
{
    invitation_t *one = &person->invitation[token->invitation];

    token->live = false;
    one->open = false;
    one->closed = "accepted";
    if (strcmp(one->mail, "queued") == 0)
        one->mail = "cancelled";
    one->modified = second;
    for (int a = 0; a < ACCOUNTS; a++)
        if (one->pending[a] >= 0) {
            person->member[a] = person->member[a] < 0 ? one->pending[a] : person->member[a];
            one->pending[a] = -1;
        }
    if (!one->adds) {
        person->status = ACTIVE;
        person->came = true;
        person->expiry = 0;
    }
}

static void step_accept(person_t *person)
{
    if (!person->tokens)
        return;
    token_t *token = &person->token[chance(4) ? person->tokens - 1 : chance(person->tokens)];
    const invitation_t *one = &person->invitation[token->invitation];
    bool signs_in = person->status == ACTIVE && chance(4);
    const char *words = !token->live ? "no longer valid"
                        : over(one)  ? "has expired"
                                     : "",
               *expected = *words                   ? "400 INVALID_FIELD token"
                           : one->adds && !signs_in ? "401 UNAUTHORISED "
                           : !key_active[one->key]  ? "400 INVALID_FIELD token"
                                                    : "200";

    const char *bearer = signs_in ? door_login(door, person->address, PASSWORD, NULL) : NULL;
    door_answer_t answer = post("/v1/oauth/activate-user", bearer,
                                text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token->text));
    const char *message = door_text(&answer, "message");
    if (answer.status == 400 && *words && !(message && strstr(message, words)))
        differs("the words", message ? message : "-", words);
    happened(*words ? text("accept: %s", words) : text("accept%s: %s", one->adds ? " what is added" : "", expected));
    if (told("accept", person, answer, expected))
        now_accepted(person, token);
}

static void step_status(person_t *person)
{
    static const status_t asked[] = {INACTIVE, ACTIVE, INVITE_REVOKED};
    status_t to = asked[chance(3)], back = person->came ? ACTIVE : INVITE_REVOKED;

    if (person->status == NOBODY)
        return;
    bool good = to == person->status || to == INACTIVE || (person->status == INACTIVE && to == back);
    door_answer_t answer =
        patch(text("/v1/users/%s", person->id), keys[0], text("{\"status\":\"%s\"}", status_names[to]));
    if (!told("status", person, answer, good ? "200" : "409 INVALID_OPERATION status") || to == person->status)
        return;
    if (to == INACTIVE)
        end_open(person);
    person->status = to;
}

/* What waits in the outbox goes, save for what has expired meanwhile. */
static void step_deliver(person_t *person)
{
    identity_courier_t courier = {0};

    identity_deliver(door->pool, &door->env, "unit:1", &courier, NULL);
    trace[steps % 12] = apr_psprintf(lasting, "%d: deliver (%s)", steps, person->address);
    for (int p = 0; p < PEOPLE; p++)
        for (int i = 0; i < people[p].invitations; i++) {
            invitation_t *one = &people[p].invitation[i];
            if (!same(one->mail, "queued"))
                continue;
            one->mail = over(one) ? "failed" : "sent";
            if (!over(one))
                one->sent = second;
        }
}

/* The other inviter goes, and comes back. */
static void step_key(person_t *person)
{
    key_active[1] = !key_active[1];
    door_answer_t answer =
        patch(text("/v1/api-keys/%s", key_ids[1]), keys[0], text("{\"active\":%s}", key_active[1] ? "true" : "false"));
    told("inviter", person, answer, "200");
}

static void step_time(person_t *person)
{
    apr_int64_t seconds = 10 * (chance(3) ? chance(8640) : chance(40000));

    door->now += apr_time_from_sec(seconds);
    trace[steps % 12] = apr_psprintf(lasting, "%d: %d seconds pass (%s)", steps, (int)seconds, person->address);
}

static const struct {
    void (*run)(person_t *person);
    int weight;
} kinds[] = {{step_create, 14}, {step_invite, 8}, {step_resend, 14}, {step_revoke, 7}, {step_revoke_invite, 5},
             {step_accept, 18}, {step_status, 6}, {step_deliver, 4}, {step_key, 3},    {step_time, 14}};

/* ---- the run ---------------------------------------------------------------------------------------------------- */

static void replace(person_t *person)
{
    if (person->status != NOBODY)
        change(text("UPDATE users SET username = 'gone' || username, canonical = 'gone' || canonical, held_name = "
                    "'gone' || held_name, version = version "
                    "+ 1 WHERE id = '%s'",
                    person->id));
    memset(person, 0, sizeof *person);
    memset(person->member, -1, sizeof person->member);
    apr_snprintf(person->address, sizeof person->address, "person%d@example.org", revisions++);
}

/* With whom not much happens any more. */
static bool settled(const person_t *person)
{
    int has = 0;

    for (int a = 0; a < ACCOUNTS; a++)
        has += person->member[a] >= 0;
    return person->status == ACTIVE && has >= ACCOUNTS - 1;
}

static void step(void)
{
    person_t *person = &people[chance(PEOPLE)];
    int at = chance(93), kind = 0;

    /* Every step is made in a second of its own, tens of seconds after the last one. */
    door->now = (door->now / apr_time_from_sec(10) + 1) * apr_time_from_sec(10);
    second = door->now;
    while (at >= kinds[kind].weight)
        at -= kinds[kind++].weight;
    kinds[kind].run(person);
    second = door->now / APR_USEC_PER_SEC * APR_USEC_PER_SEC;
    look_at_user(person);
    if (person->invitations)
        look_at_invitation(person, any_invitation(person), chance(4) == 0);
    if (person->id[0])
        look_at_rows(person);
    if (chance(10) == 0)
        look_at_lists(person);
    if (door->now > second + APR_USEC_PER_SEC / 2)
        bail("a step takes longer than its second");
    if (person->invitations == MOST || person->tokens > 7 * MOST || (settled(person) && chance(12) == 0))
        replace(person);
}

static void run(int all)
{
    static const char *const states[] = {"", "invited", "accepted", "revoked", "expired"};
    apr_pool_t *pool;

    lasting = door->pool;
    apr_pool_create(&pool, lasting);
    for (steps = 1; steps <= all && !wrong; steps++) {
        door->pool = pool;
        step();
        if (steps % 500 == 0)
            for (int s = 0; s < 5; s++)
                look_at_all(states[s]);
        apr_pool_clear(pool);
    }
    door->pool = lasting;
}

static uint64_t seed_of(void)
{
    const char *given = getenv("IDENTITY_SEED");
    uint64_t seed = 0;

    if (given)
        return strtoull(given, NULL, 10);
    door->env.random.fill(door->env.random.context, &seed, sizeof seed);
    return seed % 1000000000 + 1;
}

static const char *new_account(int number)
{
    identity_account_row_t *row;
    identity_problem_t problem = {.kind = IDENTITY_PROBLEM_NONE};

    if (!identity_account_add(door->pool, &door->env, door->entity_id, text("account%d", number), "LIVE", NULL, NULL,
                              &row, &problem))
        bail("no account could be made");
    return row->id;
}

static void prepare(void)
{
    door->settings.invite_lifetime = LIFETIME;
    change("PRAGMA synchronous = OFF");
    for (int a = 0; a < ACCOUNTS; a++)
        accounts[a] = a == 0 ? door->account_id : a == 1 ? door->second_account_id : new_account(a);
    keys[0] = door->key;
    door_answer_t made = post("/v1/api-keys", door->key, "{\"description\":\"the other inviter\"}");
    keys[1] = door_text(&made, "api_key");
    for (int k = 0; k < KEYS; k++)
        key_ids[k] = identity_key_id(door->pool, keys[k]);
    for (int r = 0; r < ROLES; r++)
        role_ids[r] = rows(text("SELECT id FROM roles WHERE slug = '%s'", roles[r]));
    for (int p = 0; p < PEOPLE; p++)
        replace(&people[p]);
}

int main(void)
{
    const char *given = getenv("IDENTITY_STEPS");
    int all = given ? atoi(given) : STEPS, kinds_of_outcomes = 0;

    serve_begin();
    prepare();
    uint64_t seed = random_state = seed_of();
    diag("IDENTITY_SEED=%llu IDENTITY_STEPS=%d", (unsigned long long)seed, all);
    run(all);
    is_int(wrong, 0, "%d steps of seed %llu, over both views: nothing differs from the model # security 23", steps - 1,
           (unsigned long long)seed);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0] && outcomes[i].name; i++, kinds_of_outcomes++)
        diag("%5d %s", outcomes[i].done, outcomes[i].name);
    ok(kinds_of_outcomes >= 18, "%d kinds of outcomes were seen", kinds_of_outcomes);
    is_str(rows("PRAGMA foreign_key_check"), "", "no row leads nowhere");
    return serve_end();
}
