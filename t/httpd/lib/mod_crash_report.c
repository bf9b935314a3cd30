/* SPDX-License-Identifier: Apache-2.0 */
/* A child that crashes under a test says where: its frames go to standard error, which is error_log, and t/TEST reads
 * them. Loaded by t/conf/common.conf where there is no sanitizer, which does the same. */
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <httpd.h>
#include <http_config.h>

/* Only calls that a handler of a signal may make, and backtrace, which has been called before. */
static void report(int signal_number)
{
    void *frames[40];
    char line[80];
    int count = backtrace(frames, 40);
    int length = snprintf(line, sizeof line, "crash report of process %d, %s:\n", (int)getpid(),
                          gettid() == getpid() ? "main thread" : "another thread");

    if (write(STDERR_FILENO, line, (size_t)length) == length)
        backtrace_symbols_fd(frames, count, STDERR_FILENO);
    length = snprintf(line, sizeof line, "end of crash report of process %d\n", (int)getpid());
    if (write(STDERR_FILENO, line, (size_t)length) != length)
        _exit(1);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void child_init(apr_pool_t *pool, server_rec *server)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    struct sigaction action = {.sa_handler = report, .sa_flags = SA_NODEFER};
    void *frame;

    (void)pool;
    (void)server;
    backtrace(&frame, 1);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_REALLY_LAST);
}

AP_DECLARE_MODULE(crash_report) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, AP_MODULE_FLAG_NONE,
};
