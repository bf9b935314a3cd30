/* SPDX-License-Identifier: Apache-2.0 */
/* Notices: who is told what of a changed password or name, and what the record says where nobody was. route update_user
 * reset_password */
#include <apr_file_io.h>

#include "serve.h"

static const char *ada_id, *bob_id;
static identity_courier_t courier;

static int deliver(void)
{
    return identity_deliver(door->pool, &door->env, "unit:1", &courier, NULL);
}

static const char *waiting(void)
{
    return rows("SELECT kind, recipient FROM outbox WHERE state = 'queued' ORDER BY kind, recipient");
}

static door_answer_t change_user(const char *id, const char *credential, const char *body)
{
    return patch(text("/v1/users/%s", id), credential, body);
}

static const char *last_message(const char *target)
{
    door_answer_t answer = get(text("/v1/audit-records?target_id=%s&limit=1", target), door->key);
    const char *message = door_text(&answer, "data.0.message");
    return message ? message : "";
}

/* The text of the newest mail to the address; "" where there is none. */
static const char *mail_to(const char *address)
{
    const char *command =
        text("ls -t '%s/mail/new'/* 2>/dev/null | xargs -r grep -l '^To: %s' | head -1", door->folder, address);
    FILE *pipe = popen(command, "r");
    char path[512] = "", *content;
    size_t length;

    if (!pipe || !fgets(path, sizeof path, pipe)) {
        if (pipe)
            pclose(pipe);
        return "";
    }
    pclose(pipe);
    path[strcspn(path, "\n")] = '\0';
    FILE *file = fopen(path, "r");
    content = apr_pcalloc(door->pool, 65536);
    length = file ? fread(content, 1, 65535, file) : 0;
    if (file)
        fclose(file);
    content[length] = '\0';
    return content;
}

static void clear(void)
{
    change("DELETE FROM outbox");
    if (system(text("rm -f '%s/mail/new'/*", door->folder)) != 0)
        bail("the mails cannot be taken away");
    pass(3601);
}

/* ---- who is told ------------------------------------------------------------------------------------------------ */

static void test_own_password(void)
{
    clear();
    const char *bob = login("bob@example.org");
    accepted(change_user(bob_id, bob, "{\"password\":\"Another1one\",\"current_password\":\"" PASSWORD "\"}"), 200,
             "a person changes the own password");
    is_str(waiting(), "password|bob@example.org", "... and is told # security 10");
    is_int(deliver(), 1, "... by a mail");
    const char *mail = mail_to("bob@example.org");
    ok(strstr(mail, "Subject: Your password at id.example.org was changed"), "... of that kind");
    ok(strstr(mail, "the password of bob@example.org at") && !strstr(mail, "token="), "... which has no link");
    ok(!strstr(mail, "was changed by"), "... and names nobody else");
    ok(!strstr(last_message(bob_id), "No notice"), "... the record does not say that nobody was told");
    clear();
    post("/v1/oauth/request-password-reset", NULL, "{\"email\":\"bob@example.org\"}");
    const char *token = door_mailed_token(door, "bob@example.org");
    accepted(
        post("/v1/oauth/reset-password", NULL, text("{\"token\":\"%s\",\"new_password\":\"" PASSWORD "\"}", token)),
        200, "and by a mailed link");
    is_str(waiting(), "password|bob@example.org", "... told as well # security 10");
    door->accept_language = "de";
    bob = login("bob@example.org");
    accepted(change_user(bob_id, bob, "{\"password\":\"Another1one\",\"current_password\":\"" PASSWORD "\"}"), 200,
             "in German");
    door->accept_language = NULL;
    deliver();
    ok(strstr(mail_to("bob@example.org"), "das Passwort von bob@example.org"), "... told in German");
}

static void test_by_somebody_else(void)
{
    clear();
    accepted(change_user(bob_id, login("ada@example.org"), "{\"password\":\"" PASSWORD "\"}"), 200,
             "an administrator sets a password");
    is_str(waiting(), "password|bob@example.org", "C3: ... the person is told");
    deliver();
    ok(strstr(mail_to("bob@example.org"), "ada@example.org, and you were signed out everywhere"),
       "C3: ... and by whom");
    clear();
    accepted(change_user(bob_id, door->key, "{\"username\":\"rob@example.org\",\"password\":\"Another1one\"}"), 200,
             "a key changes name and password");
    is_str(waiting(),
           "changed|bob@example.org changed|rob@example.org password|bob@example.org password|rob@example.org",
           "C3: ... both mailboxes are told of both");
    deliver();
    const char *mail = mail_to("rob@example.org");
    ok(strstr(mail, "apik_"), "C3: ... and which key it was");
    accepted(change_user(bob_id, door->key, "{\"username\":\"bob@example.org\",\"password\":\"" PASSWORD "\"}"), 200,
             "... and back");
    clear();
    accepted(change_user(bob_id, door->key, "{\"username\":\"BOB@example.org\"}"), 200, "another spelling");
    is_int(count("SELECT count(*) FROM outbox"), 1, "... is one mailbox, told once");
    accepted(change_user(bob_id, door->key, "{\"username\":\"bob@example.org\"}"), 200, "... and back");
    clear();
    accepted(change_user(bob_id, door->key, "{\"status\":\"INACTIVE\"}"), 200, "a status");
    is_str(waiting(), "", "... is nothing of credentials");
    accepted(change_user(bob_id, door->key, "{\"status\":\"ACTIVE\"}"), 200, "... and back");
}

/* ---- nobody is told --------------------------------------------------------------------------------------------- */

static void test_no_mail(void)
{
    const identity_mail_target_t *mail = door->settings.mail;

    clear();
    door->settings.mail = NULL;
    accepted(change_user(bob_id, door->key, "{\"password\":\"Another1one\"}"), 200,
             "C3: without a mail server a password is changed all the same");
    accepted(change_user(bob_id, door->key, "{\"username\":\"rob@example.org\"}"), 200, "C3: ... and a name");
    door->settings.mail = mail;
    is_str(waiting(), "", "... nothing waits");
    ok(strstr(last_message(bob_id), "No notice was mailed: this server is not configured to send mail."),
       "C3: ... and the record says that nobody was told");
    accepted(change_user(bob_id, door->key, "{\"username\":\"bob@example.org\",\"password\":\"" PASSWORD "\"}"), 200,
             "... and back");
}

static void test_no_address(void)
{
    clear();
    change(text("UPDATE users SET username = 'root', canonical = 'root' WHERE id = '%s'", bob_id));
    accepted(change_user(bob_id, door->key, "{\"password\":\"Another1one\"}"), 200, "a name of an older database");
    ok(strstr(last_message(bob_id), "No notice was mailed: the username is not an address"),
       "... that no mail can go to: the record says so");
    change(
        text("UPDATE users SET username = 'bob@example.org', canonical = 'bob@example.org' WHERE id = '%s'", bob_id));
}

/* Other mails to the address do not keep its notices out; too many notices are left out, and the record says so. */
static void test_too_many(void)
{
    int told = 0;

    clear();
    for (int i = 0; i < 12; i++)
        post("/v1/users/invite", door->key,
             text("{\"username\":\"bob@example.org\",\"account_memberships\":[%s]}",
                  member(door->second_account_id, "USER", "")));
    change("DELETE FROM outbox");
    for (int i = 0; i < 12; i++) {
        accepted(change_user(bob_id, door->key, "{\"password\":\"Another1one\"}"), 200, "change %d", i + 1);
        told += !strstr(last_message(bob_id), "No notice");
    }
    is_int(told, 10, "ten notices an hour, whatever else went to the address");
    ok(strstr(last_message(bob_id), "No notice was mailed: too many notices"), "... then the record says so");
    is_int(count("SELECT count(*) FROM outbox WHERE kind = 'password'"), 10, "... and as many mails wait");
}

static const identity_mail_target_t *broken_target(void)
{
    const char *path = text("%s/no-folder", door->folder), *error;
    apr_file_t *file;

    if (apr_file_open(&file, path, APR_FOPEN_CREATE | APR_FOPEN_WRITE, APR_FPROT_OS_DEFAULT, door->pool) == APR_SUCCESS)
        apr_file_close(file);
    return identity_mail_target_parse(door->pool, text("maildir:%s", path), &error);
}

static void test_down(void)
{
    const identity_mail_target_t *mail = door->settings.mail;
    size_t size = identity_metrics_size(1);
    void *memory = apr_pcalloc(door->pool, size + 64);

    clear();
    memory = (char *)memory + (64 - (apr_size_t)memory % 64) % 64;
    door->env.metrics = identity_metrics_make(door->pool, memory, 1);
    identity_metrics_use(door->env.metrics, 0);
    door->settings.mail = broken_target();
    accepted(change_user(bob_id, door->key, "{\"password\":\"Another1one\"}"), 200, "C3: a mail server that is down");
    is_int(deliver(), 0, "... takes nothing");
    ok(strstr(last_message(bob_id), "The notice \"password\" could not be delivered so far."),
       "C3: ... and the record says so when that is known");
    is_str(rows("SELECT action FROM audit_records ORDER BY id DESC LIMIT 1"), "NOTICE_FAILED", "... by a record");
    accepted(change_user(bob_id, door->key, "{\"password\":\"" PASSWORD "\"}"), 200, "C3: while it is down");
    ok(strstr(last_message(bob_id), "The notice is not sent yet: the mail server is unavailable."),
       "C3: ... the record says so at once");
    long long records = count("SELECT count(*) FROM audit_records WHERE action = 'NOTICE_FAILED'");
    for (int i = 0; i < 3; i++) {
        door->now = courier.not_before;
        deliver();
    }
    is_int(count("SELECT count(*) FROM audit_records WHERE action = 'NOTICE_FAILED'"), records + 1,
           "... once for each notice, however often it is tried");
    door->settings.mail = mail;
    door->now = courier.not_before;
    is_int(deliver(), 2, "both leave when it is back");
    accepted(change_user(bob_id, door->key, "{\"password\":\"Another1one\"}"), 200, "and then");
    ok(!strstr(last_message(bob_id), "No notice"), "... nothing is said");
    door->env.metrics = NULL;
}

int main(void)
{
    serve_begin();
    ada_id = person_with("ada@example.org", "ADMIN", "");
    bob_id = person_with("bob@example.org", "USER", named("Quote Viewer"));
    door->settings.rates = identity_rates_standard;
    ok(*ada_id != '\0', "two people");
    test_own_password();
    test_by_somebody_else();
    test_no_mail();
    test_no_address();
    test_down();
    test_too_many();
    return serve_end();
}
