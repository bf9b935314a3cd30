/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: who leases a mail has it alone, for a time; what became of it is told by its holder only. */
#include "store_fixture.h"

static identity_db_t *db;
static const char *user, *invitation;

static void add_mail(int number, const char *kind, apr_time_t created_at)
{
    identity_outbox_row_t row = {.id = id("mail", number),
                                 .entity_id = ENTITY,
                                 .user_id = user,
                                 .invitation_id = strcmp(kind, "invite") == 0 ? invitation : NULL,
                                 .kind = kind,
                                 .recipient = "ada@example.org",
                                 .sealed = text("sealed %d", number),
                                 .sealed_with = "kid",
                                 .created_at = created_at,
                                 .next_attempt_at = created_at,
                                 .link_expires_at = created_at + HOUR,
                                 .language = "de"};

    must(identity_outbox_insert(db, &row), "mail");
}

static apr_array_header_t *claim(const char *owner, apr_time_t now, apr_int64_t limit)
{
    apr_array_header_t *rows;

    must(identity_db_begin(db, true), "begin");
    must(identity_outbox_claim(db, owner, now, now + 300, limit, &rows), "claim");
    must(identity_db_commit(db), "commit");
    return rows;
}

static identity_outbox_row_t *mail(apr_array_header_t *rows, int i)
{
    return APR_ARRAY_IDX(rows, i, identity_outbox_row_t *);
}

static const char *column(int number, const char *name)
{
    return sql_value(db, text("SELECT %s FROM outbox WHERE id = '%s'", name, id("mail", number)));
}

static identity_db_status_t sent(int number, const char *owner, apr_time_t now)
{
    must(identity_db_begin(db, true), "begin");
    identity_db_status_t status = identity_outbox_sent(db, id("mail", number), owner, now);
    must(identity_db_commit(db), "commit");
    return status;
}

static void test_claims(void)
{
    apr_array_header_t *rows;
    apr_int64_t waiting;

    is_int(claim("a:1", NOW, 10)->nelts, 0, "nothing is due");
    must(identity_outbox_waiting(db, NOW, &waiting), "waiting");
    is_int(waiting, 0, "and nothing waits");
    add_mail(3, "invite", NOW + 3);
    add_mail(1, "invite", NOW + 1);
    add_mail(2, "reset", NOW + 2);
    add_mail(4, "reset", NOW + 100);
    must(identity_outbox_waiting(db, NOW + 50, &waiting), "waiting");
    is_int(waiting, 1, "something waits");
    rows = claim("a:1", NOW + 50, 2);
    is_int(rows->nelts, 2, "no more than were asked for");
    is_str(mail(rows, 0)->id, id("mail", 1), "the oldest first");
    is_str(mail(rows, 1)->id, id("mail", 2), "then the next");
    const identity_outbox_row_t *row = mail(rows, 0);
    is_str(row->entity_id, ENTITY, "entity");
    is_str(row->user_id, user, "user");
    is_str(row->invitation_id, invitation, "invitation");
    is_str(mail(rows, 1)->invitation_id, NULL, "or none");
    is_str(row->kind, "invite", "kind");
    is_str(row->recipient, "ada@example.org", "recipient");
    is_str(row->sealed, "sealed 1", "sealed secret");
    is_str(row->sealed_with, "kid", "its key");
    is_str(row->language, "de", "language");
    is_str(row->inviter, NULL, "a key that invited has no name");
    is_int(row->state, IDENTITY_OUTBOX_QUEUED, "state");
    is_int(row->attempts, 1, "the attempt is counted");
    is_str(row->last_error, NULL, "no error yet");
    ok(row->created_at == NOW + 1 && row->next_attempt_at == NOW + 1 && row->link_expires_at == NOW + 1 + HOUR &&
           row->sent_at == 0,
       "times");
    rows = claim("b:1", NOW + 50, 10);
    is_int(rows->nelts, 1, "another gets what is left");
    is_str(mail(rows, 0)->id, id("mail", 3), "and is due");
    is_int(claim("c:1", NOW + 50, 10)->nelts, 0, "a third nothing");
    must(identity_outbox_owners(db, NOW + 50, &rows), "owners");
    is_int(rows->nelts, 2, "two hold leases");
    is_str(APR_ARRAY_IDX(rows, 0, const char *), "a:1", "by name");
    must(identity_outbox_owners(db, NOW + 1000, &rows), "owners");
    is_int(rows->nelts, 0, "until they end");
    apr_array_header_t *none;
    is_int(identity_outbox_claim(db, "d:1", NOW, NOW, 1, &none), IDENTITY_DB_FAILED, "no lease without a transaction");
}

static void test_ends(void)
{
    identity_invitation_row_t *read;

    is_int(sent(1, "b:1", NOW + 60), IDENTITY_DB_NONE, "who does not hold a mail cannot end it");
    is_int(sent(1, "a:1", NOW + 60), IDENTITY_DB_OK, "who does, can");
    is_int(sent(1, "a:1", NOW + 61), IDENTITY_DB_NONE, "once");
    is_str(column(1, "state"), "sent", "it is sent");
    is_str(column(1, "sealed"), "", "its secret is gone");
    is_str(column(1, "sent_at"), text("%" APR_TIME_T_FMT, NOW + 60), "at that time");
    must(identity_invitation_get(db, ENTITY, invitation, &read), "invitation");
    ok(read->sent_at == NOW + 60, "which the invitation shows");

    is_int(identity_outbox_retry(db, id("mail", 2), "b:1", NOW + 500, "no"), IDENTITY_DB_NONE, "not by another");
    is_int(identity_outbox_retry(db, id("mail", 2), "a:1", NOW + 500, "connection refused"), IDENTITY_DB_OK, "later");
    is_str(column(2, "last_error"), "connection refused", "with the reason");
    is_int(claim("a:1", NOW + 499, 1)->nelts, 1, "(another mail is due)");
    apr_array_header_t *rows = claim("c:1", NOW + 500, 10);
    is_int(rows->nelts, 2, "it is due again then, and so is one whose lease ran out");
    is_str(mail(rows, 0)->id, id("mail", 3), "that one by the end of its lease");
    is_int(mail(rows, 0)->attempts, 2, "for the second time");
    is_int(mail(rows, 1)->attempts, 2, "both");
    is_str(mail(rows, 1)->last_error, "connection refused", "the reason is told");
    is_int(identity_outbox_retry(db, id("mail", 3), "b:1", NOW, "late"), IDENTITY_DB_NONE,
           "whose lease was taken over has nothing to say");

    is_int(identity_outbox_give_up(db, id("mail", 2), "a:1", "no"), IDENTITY_DB_NONE, "not by another");
    is_int(identity_outbox_give_up(db, id("mail", 2), "c:1", "mailbox unknown"), IDENTITY_DB_OK, "given up");
    is_str(column(2, "state"), "failed", "it has failed");
    is_str(column(2, "sealed"), "", "its secret is gone");
    is_str(column(2, "last_error"), "mailbox unknown", "with the reason");

    is_int(identity_outbox_return(db, id("mail", 3), "c:1", NULL), IDENTITY_DB_OK, "returned unused");
    is_str(column(3, "attempts"), "1", "the attempt is not counted");
    is_int(identity_outbox_return(db, id("mail", 3), "c:1", NULL), IDENTITY_DB_NONE, "once");
    rows = claim("d:1", NOW + 501, 10);
    is_int(rows->nelts, 1, "it is due at once");
    is_str(column(3, "COALESCE(last_error, 'none')"), "none", "no reason to tell");
    is_int(identity_outbox_abandon(db, "d:1"), IDENTITY_DB_OK, "a dead owner's leases end");
    rows = claim("e:1", NOW + 501, 10);
    is_int(rows->nelts, 1, "and what they held is due");
    is_int(mail(rows, 0)->attempts, 3, "a lease that was used counts");
    must(identity_outbox_retry(db, id("mail", 3), "e:1", NOW + 502, "again"), "retry");
    rows = claim("e:1", NOW + 502, 10);
    is_str(mail(rows, 0)->last_error, "again", "a mail that failed once");
    is_int(sent(3, "e:1", NOW + 503), IDENTITY_DB_OK, "can be sent");
    is_str(column(3, "COALESCE(last_error, 'none')"), "none", "and shows no error then");
}

/* What administrators are shown. */
static void test_looks(void)
{
    apr_array_header_t *ids = apr_array_make(pool, 2, sizeof(const char *)), *rows;
    int changed;

    APR_ARRAY_PUSH(ids, const char *) = "none";
    APR_ARRAY_PUSH(ids, const char *) = invitation;
    must(identity_outbox_newest(db, ids, &rows), "newest");
    is_int(rows->nelts, 1, "of an invitation one mail, of none none");
    is_str(mail(rows, 0)->id, id("mail", 3), "which is the newest");
    is_int(mail(rows, 0)->state, IDENTITY_OUTBOX_SENT, "with what became of it");
    must(identity_outbox_in_state(db, IDENTITY_OUTBOX_FAILED, 10, &rows), "failed ones");
    is_int(rows->nelts, 1, "one has failed");
    is_str(mail(rows, 0)->last_error, "mailbox unknown", "which says why");
    is_str(identity_outbox_state_name(mail(rows, 0)->state), "failed", "the state has a name");
    must(identity_outbox_in_state(db, IDENTITY_OUTBOX_SENT, 1, &rows), "sent ones");
    is_int(rows->nelts, 1, "no more than were asked for");

    sql(db, "DELETE FROM outbox WHERE state = 'queued'");
    add_mail(21, "reset", NOW + 900);
    add_mail(22, "reset", NOW + 901);
    is_int(claim("h:1", NOW + 900, 1)->nelts, 1, "one is on its way");
    must(identity_db_begin(db, true), "begin");
    is_int(identity_outbox_hasten(db, NOW + 700, &changed), IDENTITY_DB_OK, "the others may go now");
    must(identity_db_commit(db), "commit");
    is_int(changed, 1, "so many");
    is_str(column(22, "next_attempt_at"), text("%" APR_TIME_T_FMT, NOW + 700), "which are due");
    is_int(identity_outbox_hasten(db, NOW, &changed), IDENTITY_DB_FAILED, "not without a transaction");
}

static void test_cancellation(void)
{
    add_mail(11, "invite", NOW + 600);
    add_mail(12, "invite", NOW + 601);
    add_mail(13, "reset", NOW + 602);
    is_int(claim("f:1", NOW + 600, 1)->nelts, 1, "one is on its way");
    is_int(identity_outbox_cancel(db, user, "invite"), IDENTITY_DB_OK, "mails of a kind are called back");
    is_str(column(11, "state"), "cancelled", "that on its way too");
    is_str(column(12, "state"), "cancelled", "with the others");
    is_str(column(12, "sealed"), "", "without their secrets");
    is_str(column(13, "state"), "queued", "not those of another kind");
    is_str(column(1, "state"), "sent", "nor those that are sent");
    is_int(sent(11, "f:1", NOW + 603), IDENTITY_DB_NONE, "whoever sends it is told");
    is_int(identity_outbox_cancel(db, "user_x", "invite"), IDENTITY_DB_OK, "none to call back is well");
}

/* ---- processes -------------------------------------------------------------------------------------------------- */

static bool claim_some(int number)
{
    identity_db_t *own = connect_store();
    apr_array_header_t *rows;
    identity_db_status_t status = IDENTITY_DB_BUSY;
    const char *owner = text("race:%d", number);

    for (int tries = 0; status == IDENTITY_DB_BUSY && tries < 20; tries++)
        status = identity_db_begin(own, true);
    if (status != IDENTITY_DB_OK || identity_outbox_claim(own, owner, NOW, NOW + HOUR, 10, &rows) != IDENTITY_DB_OK ||
        identity_db_commit(own) != IDENTITY_DB_OK)
        return false;
    for (int i = 0; i < rows->nelts; i++)
        sql(own, text("INSERT INTO taken VALUES ('%s')", mail(rows, i)->id));
    return true;
}

static void test_race(void)
{
    sql(db, "DELETE FROM outbox");
    sql(db, "CREATE TABLE taken (id VARCHAR(32) PRIMARY KEY)");
    must(identity_db_begin(db, true), "begin");
    for (int i = 0; i < 50; i++)
        add_mail(100 + i, "reset", NOW - 100 + i);
    must(identity_db_commit(db), "commit");
    is_int(in_processes(8, claim_some), 8, "eight processes take up to ten mails each of fifty");
    is_str(sql_value(db, "SELECT COUNT(*) FROM taken"), "50", "each mail goes to one of them");
}

int main(void)
{
    db = fixture_begin();
    user = add_user(db, ENTITY, 1, "ada@example.org", IDENTITY_USER_INVITED)->id;
    invitation = add_invitation(db, 1, user, NOW)->id;
    test_claims();
    test_ends();
    test_looks();
    test_cancellation();
    test_race();
    return fixture_end();
}
