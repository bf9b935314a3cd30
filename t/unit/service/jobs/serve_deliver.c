/* SPDX-License-Identifier: Apache-2.0 */
/* identity_deliver: what the service put into the outbox leaves once, and what cannot leave now leaves later. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_file_io.h>

#include "serve.h"

static const char *logged = "";

static void keep_log(void *context, identity_log_level_t level, const char *request_id, const char *line)
{
    (void)context;
    (void)level;
    (void)request_id;
    logged = text("%s%s\n", logged, line);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static identity_courier_t courier;

static int deliver(const char *owner)
{
    return identity_deliver(door->pool, &door->env, owner, &courier, NULL);
}

static const char *self(void)
{
    return text("unit:%ld", (long)getpid());
}

static void invite(const char *address)
{
    door_answer_t answer = post("/v1/users/invite", door->key, text("{\"username\":\"%s\"}", address));
    if (answer.status != 200)
        bail(answer.text);
}

/* Of the mail that is newest in the outbox. */
static const char *outbox(const char *columns)
{
    return rows(text("SELECT %s FROM outbox ORDER BY id DESC LIMIT 1", columns));
}

/* The texts of all mails in new/, one behind the other; *found: how many. */
static const char *mails(int *found)
{
    const char *folder = text("%s/mail/new", door->folder), *all = "";
    apr_dir_t *dir;
    apr_finfo_t info;

    *found = 0;
    if (apr_dir_open(&dir, folder, door->pool) != APR_SUCCESS)
        return "";
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        apr_file_t *file;
        char content[32768] = "";
        apr_size_t length = sizeof content - 1;
        if (info.name[0] == '.' || apr_file_open(&file, text("%s/%s", folder, info.name), APR_FOPEN_READ,
                                                 APR_FPROT_OS_DEFAULT, door->pool) != APR_SUCCESS)
            continue;
        apr_file_read(file, content, &length);
        apr_file_close(file);
        all = text("%s%s", all, content);
        ++*found;
    }
    apr_dir_close(dir);
    return all;
}

static int mail_count(void)
{
    int found;
    mails(&found);
    return found;
}

/* Quoted-printable undone as far as a link needs it. */
static const char *plain(const char *quoted)
{
    char *copy = apr_pstrdup(door->pool, quoted), *to = copy;

    for (const char *from = quoted; *from; from++) {
        if (from[0] == '=' && from[1] == '\n')
            from++;
        else if (from[0] == '=' && from[1] == '3' && from[2] == 'D')
            from += 2, *to++ = '=';
        else
            *to++ = *from;
    }
    *to = '\0';
    return copy;
}

/* ---- one mail --------------------------------------------------------------------------------------------------- */

static void test_sent(void)
{
    int found;

    invite("ann@example.org");
    const char *sealed = outbox("sealed");
    is_str(outbox("state, attempts, kind, recipient"), "queued|0|invite|ann@example.org",
           "an invitation waits in the outbox");
    ok(strlen(sealed) > 40 && !strstr(sealed, "idi_"), "... its link's token sealed # security 20");
    is_int(mail_count(), 0, "... and nothing has left yet");
    is_int(deliver(self()), 1, "a round sends it");
    is_int(deliver(self()), 0, "... once");
    const char *mail = plain(mails(&found));
    is_int(found, 1, "one mail lies there");
    const char *link = strstr(mail, "https://id.example.org/v1/oauth/activate-user#token=idi_");
    ok(link, "... with the link, of the configured origin, its token in the fragment # security 30");
    ok(!strstr(mail, "?token") && !strstr(mail, "&token"), "... and nowhere else");
    is_str(outbox("state, attempts, sealed, last_error"), "sent|1||-",
           "sent, and the sealed token wiped # security 20");
    ok(strcmp(outbox("sent_at"), "0") != 0, "... when is known");
    is_str(rows("SELECT count(*) FROM invitations WHERE sent_at > 0"), "1", "... of the invitation too");
    const char *token =
        apr_pstrmemdup(door->pool, link + strlen("https://id.example.org/v1/oauth/activate-user#token="), 53);
    ok(identity_token_valid(token, IDENTITY_TOKEN_INVITE), "the token is whole");
    ok(!strstr(logged, token) && !strstr(logged, "idi_"), "and stands in no log line # security 84");
}

static void test_reset_mail(void)
{
    int found;

    door_person(door, "rita@example.org", PASSWORD, "[]");
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"RITA@example.org\"}");
    is_str(outbox("kind, recipient, invitation_id"), "reset|rita@example.org|-",
           "a reset goes to the address as the person wrote it");
    is_int(deliver(self()), 1, "... and leaves");
    ok(strstr(plain(mails(&found)), "https://id.example.org/v1/oauth/reset-password#token=idp_"),
       "... with its own link");
}

static void test_quiet(void)
{
    unsigned long before = identity_db_statements(door->db);
    const char *rows_before = state();

    is_int(deliver(self()), 0, "a quiet outbox");
    ok(identity_db_statements(door->db) - before <= 2, "... costs two reads at most");
    is_str(state(), rows_before, "... and no write");
    const identity_mail_target_t *mail = door->settings.mail;
    door->settings.mail = NULL;
    before = identity_db_statements(door->db);
    is_int(deliver(self()), 0, "without a way to send");
    is_int(identity_db_statements(door->db) - before, 0, "... nothing is asked");
    door->settings.mail = mail;
}

/* ---- when it cannot leave --------------------------------------------------------------------------------------- */

static const identity_mail_target_t *broken_target(void)
{
    const char *path = text("%s/no-folder", door->folder), *error;
    apr_file_t *file;

    if (apr_file_open(&file, path, APR_FOPEN_CREATE | APR_FOPEN_WRITE, APR_FPROT_OS_DEFAULT, door->pool) == APR_SUCCESS)
        apr_file_close(file);
    return identity_mail_target_parse(door->pool, text("maildir:%s", path), &error);
}

/* Another process seems to write the mail that is newest in the outbox: only that one is refused. */
static int hold_newest(void)
{
    const char *folder = text("%s/mail/tmp", door->folder);

    apr_dir_make_recursive(folder, APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_UEXECUTE, door->pool);
    int file = open(text("%s/%s", folder, outbox("id")), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0 || flock(file, LOCK_EX | LOCK_NB) != 0)
        bail("no lock");
    return file;
}

static void test_back_off(void)
{
    static const int waits[] = {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600};
    int wrong = 0, attempts;

    invite("back@example.org");
    apr_time_t began = door->now;
    int held = hold_newest();
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        is_int(deliver(self()), 0, "attempt %d fails", (int)i + 1);
        apr_time_t next = (apr_time_t)strtoll(outbox("next_attempt_at"), NULL, 10);
        apr_interval_time_t wait = next - door->now;
        wrong += wait > apr_time_from_sec(waits[i]) || wait < apr_time_from_sec(waits[i]) - 1000;
        wrong += strcmp(outbox("state, attempts"), text("queued|%d", (int)i + 1)) != 0;
        door->now = next - 100;
        deliver(self());
        wrong += strcmp(outbox("attempts"), text("%d", (int)i + 1)) != 0;
        door->now = next;
    }
    is_int(wrong, 0, "each waits twice as long, to an hour, and is not tried before");
    ok(strstr(outbox("last_error"), "another process") && !strstr(outbox("last_error"), "idi_"),
       "why is kept, without the secret");
    for (attempts = 11; attempts < 1000 && strncmp(outbox("state"), "queued", 6) == 0; attempts++) {
        door->now = (apr_time_t)strtoll(outbox("next_attempt_at"), NULL, 10);
        deliver(self());
    }
    is_str(outbox("state, attempts, sealed"), text("failed|%d|", attempts), "given up, and the sealed token wiped");
    apr_int64_t hours = apr_time_sec(door->now - began) / 3600;
    ok(hours >= 118 && hours <= 120, "after five days (%d hours)", (int)hours);
    invite("later@example.org");
    close(held);
    held = hold_newest();
    deliver(self());
    invite("other@example.org");
    is_int(deliver(self()), 1, "another leaves meanwhile");
    close(held);
    pass(10);
    is_int(deliver(self()), 1, "what failed once leaves when it can");
    is_str(rows("SELECT state, attempts, sealed FROM outbox WHERE recipient = 'later@example.org'"), "sent|2|",
           "... at its second attempt");
    ok(!strstr(logged, "idi_") && strstr(logged, "ID0303"), "the log says why, and no secret # security 84");
}

/* Nothing can be sent at all: one attempt tells it. */
static void test_outage(void)
{
    static const int waits[] = {10, 20, 40, 80, 160, 300, 300};
    const identity_mail_target_t *mail = door->settings.mail;
    int wrong = 0;

    for (int i = 0; i < 3; i++)
        invite(text("outage%d@example.org", i));
    door->settings.mail = broken_target();
    logged = "";
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        is_int(deliver(self()), 0, "round %d of an outage", (int)i + 1);
        apr_interval_time_t wait = courier.not_before - door->now;
        wrong += wait < apr_time_from_sec(waits[i]) || wait > apr_time_from_sec(waits[i]) * 5 / 4;
        is_str(rows("SELECT sum(attempts), count(*) FROM outbox WHERE state = 'queued' AND lease_owner = '' "
                    "AND recipient LIKE 'outage%' AND last_error LIKE '%Maildir%'"),
               text("%d|3", (int)i + 1), "... tries one mail, and all say why they wait");
        unsigned long before = identity_db_statements(door->db);
        door->now = courier.not_before - 100;
        deliver(self());
        wrong += identity_db_statements(door->db) != before;
        door->now += 100;
    }
    is_int(wrong, 0, "each wait is twice as long, to five minutes and a quarter, and nothing is asked before");
    int lines = 0;
    for (const char *at = logged; (at = strstr(at, "ID0307")); at++)
        lines++;
    is_int(lines, 7, "each attempt is one line in the log");
    door->settings.mail = mail;
    is_int(deliver(self()), 3, "when it is over all leave at once");
    is_int(courier.failures, 0, "... and the next outage begins anew");

    invite("clock@example.org");
    door->settings.mail = broken_target();
    deliver(self());
    door->settings.mail = mail;
    door->now -= apr_time_from_sec(7200);
    is_int(change(text("UPDATE outbox SET next_attempt_at = %" APR_INT64_T_FMT " WHERE state = 'queued'",
                       (apr_int64_t)door->now)),
           1, "(due)");
    is_int(deliver(self()), 1, "a clock that is put back holds nothing up");
    door->now += apr_time_from_sec(7200);
}

/* What is away when the link ends has failed. */
static void test_outage_to_the_end(void)
{
    const identity_mail_target_t *mail = door->settings.mail;

    door_person(door, "short@example.org", PASSWORD, "[]");
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"short@example.org\"}");
    door->settings.mail = broken_target();
    pass(3595);
    deliver(self());
    is_str(outbox("state, sealed"), "failed|", "no attempt is left before the link expires");
    ok(strstr(outbox("last_error"), "Maildir"), "... which says what was wrong");
    door->settings.mail = mail;
    pass(400);
}

/* Language and names come from who invited. */
static void test_words(void)
{
    int found;

    invite("words@example.org");
    is_str(outbox("language"), "en", "without Accept-Language in the server's own");
    door->accept_language = "pl, de-AT;q=0.8, en;q=0.5";
    door_person(door, "oma@example.org", PASSWORD, "[]");
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"oma@example.org\"}");
    is_str(outbox("kind, language"), "reset|de", "a reset in that of the person's browser");
    invite("opa@example.org");
    is_str(outbox("kind, language"), "invite|de", "an invitation in the inviter's");
    door->accept_language = NULL;
    deliver(self());
    const char *all = mails(&found);
    ok(strstr(all, "Content-Language: de\n") && strstr(all, "Guten Tag,"), "a mail is written in its language");
    invite("gone@example.org");
    is_int(change("UPDATE outbox SET language = 'xx' WHERE state = 'queued'"), 1, "(a template that is gone)");
    is_int(deliver(self()), 1, "what was written for a language that is gone leaves in the server's own");
}

static void test_expired(void)
{
    int before = mail_count();

    invite("stale@example.org");
    pass(7 * 86400 + 1);
    is_int(deliver(self()), 0, "a link that expired while it waited is not sent");
    is_str(outbox("state, sealed"), "failed|", "... and given up");
    ok(strstr(outbox("last_error"), "expired"), "... which is said");
    is_int(mail_count(), before, "no mail lies there");
}

/* Signing keys rotate: what an older one sealed still leaves, what a lost one sealed cannot. */
static void test_keys(void)
{
    const identity_keyset_t *keys = door->env.keys;
    const char *error, *newer = identity_signing_key_make(door->pool), *older = identity_signing_key_make(door->pool);
    const char *both[] = {newer, older};

    door->env.keys = identity_keyset_load(door->pool, &older, 1, &error);
    invite("rotated@example.org");
    door->env.keys = identity_keyset_load(door->pool, both, 2, &error);
    is_int(deliver(self()), 1, "a mail sealed with the key that signed before");
    invite("lost@example.org");
    door->env.keys = keys;
    is_int(deliver(self()), 0, "a mail sealed with a key that this process does not know");
    is_str(outbox("state"), "queued", "... waits: another process may have made it just now");
    ok(strstr(outbox("last_error"), "signing key"), "... which is said");
    door->env.keys = identity_keyset_load(door->pool, both, 2, &error);
    pass(11);
    is_int(deliver(self()), 1, "... and leaves once the key is known");
    invite("gone@key.example");
    door->env.keys = keys;
    for (int i = 0; i < 4; i++) {
        is_int(deliver(self()), 0, "attempt %d without the key", i + 1);
        pass(41);
    }
    is_str(outbox("state, sealed"), "failed|", "a minute later it is given up");
}

/* ---- leases ----------------------------------------------------------------------------------------------------- */

static void lease(const char *owner, apr_interval_time_t left)
{
    is_int(change(text("UPDATE outbox SET lease_owner = '%s', lease_until = %" APR_INT64_T_FMT
                       ", next_attempt_at = %" APR_INT64_T_FMT " WHERE id = (SELECT max(id) FROM outbox)",
                       owner, (apr_int64_t)(door->now + left), (apr_int64_t)(door->now + left))),
           1, "a lease of %s", owner);
}

static long dead_process(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    if (child < 0 || waitpid(child, NULL, 0) != child)
        bail("no child process");
    return (long)child;
}

static void test_leases(void)
{
    const apr_interval_time_t minute = apr_time_from_sec(60);

    invite("lease@example.org");
    lease(text("unit:%ld", (long)getppid()), minute);
    is_int(deliver(self()), 0, "what a living process of this host holds is left alone");
    lease(text("elsewhere:%ld", dead_process()), minute);
    is_int(deliver(self()), 0, "... and what another host holds");
    lease(text("unit:%ld", dead_process()), minute);
    is_int(deliver(self()), 1, "what a dead process of this host held is taken over at once");
    invite("lapsed@example.org");
    lease("elsewhere:1", minute);
    pass(61);
    is_int(deliver(self()), 1, "a lease that ran out is free");
}

static void test_stop(void)
{
    const identity_stop_t stop = {at_once, NULL};

    invite("stop@example.org");
    is_int(identity_deliver(door->pool, &door->env, self(), &courier, &stop), 0,
           "a round that is stopped sends nothing");
    is_str(outbox("state, attempts"), "queued|0", "... and gives the lease back uncounted");
    is_int(deliver("unit:1"), 1, "... to whoever comes next");
}

/* Asked before each mail of a batch: the first is on its way when the second is called back. */
static bool revoke_second(void *context)
{
    int *asked = context;

    if (++*asked == 2)
        is_int(change("UPDATE outbox SET state = 'cancelled' WHERE recipient = 'second@example.org'"), 1, "(revoked)");
    return false;
}

static void test_revoked_meanwhile(void)
{
    int asked = 0, before = mail_count();
    const identity_stop_t stop = {revoke_second, &asked};

    invite("first@example.org");
    invite("second@example.org");
    invite("third@example.org");
    is_int(identity_deliver(door->pool, &door->env, self(), &courier, &stop), 2,
           "what was revoked while others of its batch left does not leave");
    is_int(mail_count(), before + 2, "... and the rest does");
}

/* ---- a crash between the mail and its record -------------------------------------------------------------------- */

static int gates;

static bool first_gate_only(void *context)
{
    (void)context;
    return ++gates == 1;
}

static void nothing(void *context)
{
    (void)context;
}

/* A round whose mail leaves while the database takes no record of it. */
static void deliver_unrecorded(const char *address)
{
    bool (*enter)(void *) = door->env.enter_write;
    void (*leave)(void *) = door->env.leave_write;

    invite(address);
    gates = 0;
    door->env.enter_write = first_gate_only;
    door->env.leave_write = nothing;
    deliver(self());
    door->env.enter_write = enter;
    door->env.leave_write = leave;
    is_str(outbox("state, attempts"), "queued|1", "a mail has left and its record could not be written");
}

static void test_no_second_mail(void)
{
    int before = mail_count();

    deliver_unrecorded("away@example.org");
    is_int(mail_count(), before + 1, "... it lies there");
    is_int(deliver(self()), 0, "the next round sends nothing");
    is_str(outbox("state, attempts"), "sent|1", "... and records it");

    deliver_unrecorded("crash@example.org");
    courier = (identity_courier_t){.failures = 0};
    is_int(deliver("unit:1"), 0, "after a crash it is leased");
    pass(301);
    is_int(deliver("unit:1"), 1, "the next round after the lease");
    is_str(outbox("state, attempts"), "sent|2", "... makes it good");
    is_int(mail_count(), before + 2, "... and there is still one mail");
}

/* Whatever statement fails: no mail is lost, and none leaves twice. */
static void test_faults(void)
{
    int n, wrong = 0;

    for (n = 1; n < 50; n++) {
        int before = mail_count();
        invite(text("fault%d@example.org", n));
        door->fail_after = n;
        deliver(self());
        bool failed = door->fail_after <= 0;
        door->fail_after = 0;
        pass(301);
        deliver(self());
        wrong += mail_count() != before + 1 || strncmp(outbox("state, sealed"), "sent|", 6) != 0;
        if (!failed)
            break;
    }
    ok(n > 5 && n < 50, "a round has %d statements", n - 1);
    is_int(wrong, 0, "each of which may fail: exactly one mail comes # security 86");
}

static void test_batches(void)
{
    for (int i = 0; i < 25; i++)
        invite(text("batch%d@example.org", i));
    is_int(deliver(self()), 20, "a round takes twenty");
    is_int(deliver(self()), 5, "... the next one the rest");
}

int main(void)
{
    serve_begin();
    door->env.log = keep_log;
    test_sent();
    test_reset_mail();
    test_quiet();
    test_stop();
    test_back_off();
    test_outage();
    test_outage_to_the_end();
    test_words();
    test_expired();
    test_keys();
    test_leases();
    test_revoked_meanwhile();
    test_no_second_mail();
    test_faults();
    test_batches();
    return serve_end();
}
