/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery to a real mail server (smtp_server.py): taken, refused for now, refused for good, dead, silent, broken off;
 * with and without TLS and a user. Run from the project's root. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "identity/client.h"
#include "tap.h"

#define USER     "ada%20at%20home"
#define PASSWORD "Pass: wörd 1"

static apr_pool_t *pool;
static char folder[] = "/tmp/identity-smtp.XXXXXX";
static pid_t server;
static int server_input;
static const char *program = "t/unit/smtp_server.py"; /* or the first argument */
static json_t *ports;

/* ---- the server ------------------------------------------------------------------------------------------------- */

static void stop_server(void)
{
    if (!server)
        return;
    close(server_input);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    server = 0;
    const char *names[] = {"cert.pem", "key.pem", "mail.json", "last-words"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        apr_file_remove(apr_pstrcat(pool, folder, "/", names[i], NULL), pool);
    rmdir(folder);
}

/* The Python of the distribution, whose packages the tests need: by its full name, and without what the environment
 * says about another one (D3). */
static void run_server(const int in[2], const int out[2])
{
    static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    int words = open(apr_pstrcat(pool, folder, "/last-words", NULL), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(words, 2);
    close(in[1]);
    close(out[0]);
    execle("/usr/bin/python3", "/usr/bin/python3", program, folder, (char *)NULL, environment);
    perror("/usr/bin/python3");
    _exit(127);
}

/* What it said when it failed is what tells why. */
static void server_failed(void)
{
    char words[2048];
    FILE *file = fopen(apr_pstrcat(pool, folder, "/last-words", NULL), "r");

    while (file && fgets(words, sizeof words, file))
        fprintf(stderr, "# %s", words);
    if (file)
        fclose(file);
    bail("D3: the mail server does not start (python3-aiosmtpd, openssl)");
}

static void start_server(void)
{
    int in[2], out[2];
    char line[512] = "";
    size_t used = 0;

    if (!mkdtemp(folder) || pipe(in) || pipe(out))
        bail("there is no folder or pipe for the mail server");
    server = fork();
    if (server == 0)
        run_server(in, out);
    close(in[0]);
    close(out[1]);
    server_input = in[1];
    for (ssize_t got; used < sizeof(line) - 1 && !strchr(line, '\n'); used += (size_t)got) {
        got = read(out[0], line + used, sizeof(line) - 1 - used);
        if (got <= 0)
            break;
    }
    close(out[0]);
    ports = identity_json_own(pool, json_loads(line, 0, NULL));
    if (!ports)
        server_failed();
}

static int port_of(const char *name)
{
    return (int)json_integer_value(json_object_get(ports, name));
}

/* What the server took last, which is forgotten by that; NULL for nothing. */
static json_t *taken(void)
{
    const char *path = apr_pstrcat(pool, folder, "/mail.json", NULL);
    json_t *mail = identity_json_own(pool, json_load_file(path, 0, NULL));

    apr_file_remove(path, pool);
    return mail;
}

/* ---- mails ------------------------------------------------------------------------------------------------------ */

static identity_mail_t mail_to(const char *to)
{
    static int count;
    identity_mail_t mail = {
        .id = apr_psprintf(pool, "out_%d", ++count),
        .from = "Identität <noreply@example.org>",
        .to = to,
        .date = apr_time_from_sec(1764313500),
        .subject = "Grüße",
        .text = "Hello\n.\n..\n...dots\nlast",
        .html = "<p>Hello</p>\n.\n",
    };
    return mail;
}

static const char *error, *authorities, *helo;

static identity_delivery_t send_by(const char *url, const char *password, int timeout, const identity_mail_t *mail)
{
    const char *wrong;
    identity_mail_target_t *target = identity_mail_target_parse(pool, url, &wrong);

    if (!target)
        bail(wrong);
    target->password = password;
    target->timeout = timeout;
    target->authorities = authorities;
    target->helo = helo;
    error = "unset";
    return identity_mail_send(pool, target, mail, NULL, &error);
}

static identity_delivery_t send_to(const char *port_name, const char *to)
{
    identity_mail_t mail = mail_to(to);
    return send_by(apr_psprintf(pool, "smtp://127.0.0.1:%d", port_of(port_name)), NULL, 10, &mail);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void test_taken(void)
{
    identity_mail_t mail = mail_to("ada@example.org");
    size_t length;
    const char *composed = identity_mail_compose(pool, &mail, &length);

    /* A proxy for web pages is none for mail. */
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    is_int(send_by(apr_psprintf(pool, "smtp://127.0.0.1:%d/", port_of("plain")), NULL, 10, &mail),
           IDENTITY_DELIVERY_SENT, "a mail is sent");
    is_str(error, NULL, "and nothing is complained of");

    json_t *got = taken();
    is_str(identity_json_string(got, "from"), "noreply@example.org", "the envelope's sender");
    is_str(json_string_value(json_array_get(json_object_get(got, "to"), 0)), "ada@example.org",
           "the envelope's recipient");
    is_int(json_array_size(json_object_get(got, "to")), 1, "one recipient");
    is_str(identity_json_string(got, "content"), composed, "the message arrives as it was composed, lines of dots too");

    const json_t *parsed = json_object_get(got, "parsed");
    is_int(json_array_size(json_object_get(parsed, "defects")), 0, "another parser finds nothing wrong");
    is_str(identity_json_string(parsed, "subject"), "Grüße", "... reads the subject");
    is_str(json_string_value(json_array_get(json_object_get(parsed, "from"), 0)), "Identität", "... the sender's name");
    is_str(json_string_value(json_array_get(json_object_get(parsed, "from"), 1)), "noreply@example.org",
           "... and address");
    is_str(identity_json_string(parsed, "date"), "2025-11-28T07:05:00+00:00", "... the date");
    is_str(identity_json_string(parsed, "text"), "Hello\n.\n..\n...dots\nlast", "... the text");
    is_str(identity_json_string(json_object_get(parsed, "headers"), "Auto-Submitted"), "auto-generated",
           "... and that no answer is wanted");

    is_int(send_to("plain", "ünï@exämple.org"), IDENTITY_DELIVERY_SENT, "an address outside ASCII is sent to");
    got = taken();
    is_str(json_string_value(json_array_get(json_object_get(got, "to"), 0)), "ünï@xn--exmple-cua.org",
           "it reaches the server");
    ok(strstr(identity_json_text(pool, json_object_get(got, "options"), &length), "SMTPUTF8"),
       "and SMTPUTF8 is asked for");
    is_int(json_array_size(json_object_get(json_object_get(got, "parsed"), "defects")), 0,
           "another parser finds nothing wrong");
    is_int(send_to("old", "ada@exämple.org"), IDENTITY_DELIVERY_SENT, "any server takes a domain outside ASCII");
    ok(taken(), "it did");
    is_int(send_to("old", "ünï@example.org"), IDENTITY_DELIVERY_PERMANENT, "but a local part only one with SMTPUTF8");
    ok(error && strstr(error, "SMTPUTF8"), "which is told: %s", error);
    ok(!taken(), "nothing was taken");
    is_int(send_to("plain", ".o.@example.org"), IDENTITY_DELIVERY_SENT, "a local part that must be quoted");
    is_str(json_string_value(json_array_get(json_object_get(taken(), "to"), 0)), ".o.@example.org",
           "is the same to the server");
}

static void test_refused(void)
{
    static const struct {
        const char *to, *answer;
        identity_delivery_t delivery;
    } cases[] = {
        {"rcpt-451@example.org", "451 5.1.1", IDENTITY_DELIVERY_TEMPORARY},
        {"rcpt-421@example.org", "421 5.1.1", IDENTITY_DELIVERY_INTERRUPTED},
        {"rcpt-550@example.org", "550 5.1.1", IDENTITY_DELIVERY_PERMANENT},
        {"rcpt-554@example.org", "554 5.1.1", IDENTITY_DELIVERY_PERMANENT},
        {"rcpt-530@example.org", "530 5.1.1", IDENTITY_DELIVERY_UNAVAILABLE},
        {"text-452@example.org", "452 5.1.1", IDENTITY_DELIVERY_TEMPORARY},
        {"text-554@example.org", "554 5.1.1", IDENTITY_DELIVERY_PERMANENT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        is_int(send_to("plain", cases[i].to), cases[i].delivery, "%s", cases[i].to);
        is_str(error,
               apr_psprintf(pool, "The mail server answered: %s Said by the test ?[31m? server", cases[i].answer),
               "the server's words, harmless");
        ok(!taken(), "nothing was taken");
    }
    identity_mail_t mail = mail_to("ada@example.org");
    const char *url = apr_psprintf(pool, "smtp://127.0.0.1:%d", port_of("plain"));
    mail.from = "mail-553@example.org";
    is_int(send_by(url, NULL, 10, &mail), IDENTITY_DELIVERY_UNAVAILABLE,
           "a sender refused for good is a matter of configuration");
    mail.from = "mail-552@example.org";
    is_int(send_by(url, NULL, 10, &mail), IDENTITY_DELIVERY_PERMANENT, "a mail that is too large is not");
    mail.from = "mail-451@example.org";
    is_int(send_by(url, NULL, 10, &mail), IDENTITY_DELIVERY_TEMPORARY, "a sender refused for now");
    is_int(send_to("refusing", "ada@example.org"), IDENTITY_DELIVERY_UNAVAILABLE,
           "554 for a greeting says nothing of the mail");
    is_str(error, "The mail server answered: 554 No service here", "but is told");
    is_int(send_to("busy", "ada@example.org"), IDENTITY_DELIVERY_UNAVAILABLE, "421 for a greeting");

    mail.to = "ada@example.org\r\nRCPT TO:<eve@example.org>";
    is_int(send_by(url, NULL, 10, &mail), IDENTITY_DELIVERY_PERMANENT,
           "a recipient with a line break is never sent to");
    ok(error && !strstr(error, "eve"), "and not repeated");
    ok(!taken(), "nothing was taken");
}

/* A port that nobody listens on, and that stays so while its socket is held. */
static int dead_port(int *held)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    *held = socket(AF_INET, SOCK_STREAM, 0);
    if (*held < 0 || bind(*held, (struct sockaddr *)&address, size) ||
        getsockname(*held, (struct sockaddr *)&address, &size))
        bail("no port can be held");
    return ntohs(address.sin_port);
}

static void test_dead_and_slow(void)
{
    identity_mail_t mail = mail_to("ada@example.org");
    int held;
    const char *url = apr_psprintf(pool, "smtp://127.0.0.1:%d", dead_port(&held));

    is_int(send_by(url, NULL, 10, &mail), IDENTITY_DELIVERY_UNAVAILABLE, "a dead server");
    ok(error && strstr(error, "cannot be reached"), "is told: %s", error);
    close(held);

    apr_time_t start = apr_time_now();
    url = apr_psprintf(pool, "smtp://127.0.0.1:%d", port_of("silent"));
    is_int(send_by(url, NULL, 1, &mail), IDENTITY_DELIVERY_UNAVAILABLE, "a server that says nothing");
    apr_time_t took = apr_time_now() - start;
    ok(took >= 900000 && took < 4000000, "is left when the time is over (%ld us)", (long)took);

    mail.to = "slow@example.org";
    start = apr_time_now();
    url = apr_psprintf(pool, "smtp://127.0.0.1:%d", port_of("plain"));
    is_int(send_by(url, NULL, 1, &mail), IDENTITY_DELIVERY_INTERRUPTED,
           "a server that never says whether it took the text");
    took = apr_time_now() - start;
    ok(took >= 900000 && took < 4000000, "is left too (%ld us)", (long)took);
    ok(error && strstr(error, "in time"), "is told: %s", error);

    is_int(send_to("plain", "drop@example.org"), IDENTITY_DELIVERY_INTERRUPTED, "a connection lost within the text");
    ok(error && strlen(error) > 20, "is told: %s", error);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

/* Asked to stop, it does not wait for a server's time to be over. */
static void test_stop(void)
{
    const identity_stop_t stop = {at_once, NULL};
    identity_mail_t mail = mail_to("slow@example.org");
    const char *wrong;
    identity_mail_target_t *target =
        identity_mail_target_parse(pool, apr_psprintf(pool, "smtp://127.0.0.1:%d", port_of("silent")), &wrong);

    apr_time_t start = apr_time_now();
    error = "unset";
    is_int(identity_mail_send(pool, target, &mail, &stop, &error), IDENTITY_DELIVERY_STOPPED, "stopped in a greeting");
    is_str(error, NULL, "which is nobody's fault");
    target->url = apr_psprintf(pool, "smtp://127.0.0.1:%d", port_of("plain"));
    is_int(identity_mail_send(pool, target, &mail, &stop, &error), IDENTITY_DELIVERY_STOPPED,
           "stopped while the text is judged");
    ok(apr_time_now() - start < apr_time_from_sec(target->timeout) / 3, "long before their time is over");
}

static void test_user(void)
{
    identity_mail_t mail = mail_to("ada@example.org");
    const char *url = apr_psprintf(pool, "smtp://%s@127.0.0.1:%d", USER, port_of("auth"));

    is_int(send_by(url, PASSWORD, 10, &mail), IDENTITY_DELIVERY_SENT, "a user and the right password");
    is_str(error, NULL, "nothing to complain of");
    is_str(identity_json_string(taken(), "user"), "ada at home", "the server knows the user");

    is_int(send_by(url, "Canary-9", 10, &mail), IDENTITY_DELIVERY_UNAVAILABLE,
           "a wrong password is put right by an administrator");
    is_str(error, "The mail server rejects the user name or the password (535).",
           "no word of a server that repeats it");
    is_int(send_by(url, NULL, 10, &mail), IDENTITY_DELIVERY_UNAVAILABLE, "a user without a password");
    ok(error && strstr(error, "IdentityMailSecret"), "is told: %s", error);
    is_int(send_to("auth", "ada@example.org"), IDENTITY_DELIVERY_UNAVAILABLE, "no user where one is wanted");
    ok(error && strstr(error, "530"), "is told: %s", error);
    ok(!taken(), "nothing was taken");
}

/* 0.0.0.0 reaches this machine, but is no loopback address: to the code it is a host like any other. */
static void test_tls(void)
{
    identity_mail_t mail = mail_to("ada@example.org");

    is_int(send_to("starttls", "ada@example.org"), IDENTITY_DELIVERY_SENT,
           "STARTTLS on loopback, whoever made the certificate");
    json_t *got = taken();
    ok(identity_json_boolean(got, "tls", false), "the mail came by TLS");

    is_int(send_by(apr_psprintf(pool, "smtp://0.0.0.0:%d", port_of("plain")), NULL, 10, &mail),
           IDENTITY_DELIVERY_UNAVAILABLE, "elsewhere a server without STARTTLS is refused");
    ok(error && strstr(error, "STARTTLS"), "is told: %s", error);
    is_int(send_by(apr_psprintf(pool, "smtp://0.0.0.0:%d", port_of("starttls")), NULL, 10, &mail),
           IDENTITY_DELIVERY_UNAVAILABLE, "elsewhere a certificate of unknown origin is refused");
    ok(error && strstr(error, "certificate"), "is told: %s", error);
    is_int(send_by(apr_psprintf(pool, "smtps://127.0.0.1:%d", port_of("smtps")), NULL, 10, &mail),
           IDENTITY_DELIVERY_UNAVAILABLE, "smtps: refused even on loopback");
    ok(error && strstr(error, "certificate"), "is told: %s", error);
    authorities = apr_pstrcat(pool, folder, "/cert.pem", NULL);
    is_int(send_by(apr_psprintf(pool, "smtps://127.0.0.1:%d", port_of("smtps")), NULL, 10, &mail),
           IDENTITY_DELIVERY_SENT, "smtps: a certificate that is believed");
    ok(taken(), "the mail came");
    is_int(send_by(apr_psprintf(pool, "smtp://0.0.0.0:%d", port_of("starttls")), NULL, 10, &mail),
           IDENTITY_DELIVERY_SENT, "elsewhere by STARTTLS alike");
    ok(identity_json_boolean(taken(), "tls", false), "the mail came by TLS");
    is_int(send_by(apr_psprintf(pool, "smtps://127.0.0.2:%d", port_of("smtps")), NULL, 10, &mail),
           IDENTITY_DELIVERY_UNAVAILABLE, "but not of another host");
    ok(error && strstr(error, "127.0.0.2"), "is told: %s", error);
    authorities = NULL;
    is_int(send_by(apr_psprintf(pool, "smtp://%s@0.0.0.0:%d", USER, port_of("auth")), "Canary-9", 10, &mail),
           IDENTITY_DELIVERY_UNAVAILABLE, "no password goes out before TLS");
    ok(error && !strstr(error, "535"), "so none was judged: %s", error);
    ok(!taken(), "nothing was taken");
}

/* What a server that wants more than one word is told. */
static void test_helo(void)
{
    const struct {
        const char *host, *said;
    } names[] = {{"id.example.org", "id.example.org"},
                 {"localhost", "localhost"},
                 {"127.0.0.1", "[127.0.0.1]"},
                 {"[192.0.2.1]", "[192.0.2.1]"},
                 {"[2001:db8::1]", "[IPv6:2001:db8::1]"},
                 {"[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
                 {"id example", NULL},
                 {"id..example", NULL},
                 {"id.example.", NULL},
                 {"-id.example", NULL},
                 {"id-.example", NULL},
                 {"i\r\nd", NULL},
                 {"b\303\274cher.example", NULL},
                 {"[id]", NULL},
                 {"", NULL}};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        is_str(identity_mail_helo(pool, names[i].host), names[i].said, "B5: EHLO for host %zu", i + 1);
    for (size_t i = 0; i < 5; i++) {
        helo = names[i].said;
        is_int(send_to("strict", "ada@example.org"), i == 1 ? IDENTITY_DELIVERY_UNAVAILABLE : IDENTITY_DELIVERY_SENT,
               "B5: a server that wants a full name is told %s", helo);
        if (i == 1)
            ok(error && strstr(error, "504"), "B5: its refusal of one word is shown: %s", error);
        else
            is_str(identity_json_string(taken(), "helo"), helo, "B5: which it has heard");
    }
    helo = NULL;
}

/* A helper that does not start (any of them: no Python, no package, a mistake in it) fails its own file, with its last
 * words, and no other. */
static void test_helper_fails(const char *self)
{
    const char *log = apr_pstrcat(pool, folder, "/own.log", NULL);
    char text[4096] = "";
    int status = system(apr_psprintf(pool, "'%s' t/unit/client/client_smtp.c > '%s' 2>&1", self, log));
    FILE *file = fopen(log, "r");

    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    apr_file_remove(log, pool);
    ok(status != 0, "D3: a helper that does not start fails its file");
    ok(!strstr(text, "Bail out!"), "D3: but does not end the whole run");
    if (!ok(strstr(text, "SyntaxError"), "D3: its last words are shown"))
        diag("%s", text);
    ok(strstr(text, "not ok 1 - D3"), "D3: as a test that failed");
}

/* Another Python, first in PATH and with a library of its own, is not asked. */
static void other_python(void)
{
    setenv("PATH", apr_pstrcat(pool, "/nowhere/python/bin:", getenv("PATH"), NULL), 1);
    setenv("PYTHONHOME", "/nowhere/python", 1);
    setenv("PYTHONPATH", "/nowhere/python/lib", 1);
}

int main(int count, char **arguments)
{
    apr_initialize();
    atexit(apr_terminate);
    apr_pool_create(&pool, NULL);
    if (count > 1)
        program = arguments[1];
    other_python();
    start_server();
    atexit(stop_server);
    ok(server > 0, "D3: the mail server starts whatever Python the environment names");
    test_helper_fails(arguments[0]);
    ok(identity_client_start(), "the room is opened");

    test_taken();
    test_refused();
    test_dead_and_slow();
    test_stop();
    test_user();
    test_tls();
    test_helo();
    is_int(send_to("plain", "ada@example.org"), IDENTITY_DELIVERY_SENT, "after all that a mail is sent as before");

    identity_client_stop();
    stop_server();
    return tap_done();
}
