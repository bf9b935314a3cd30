# SPDX-License-Identifier: Apache-2.0
# SetHandler identity-status: every figure moves by what a scripted scenario does, its three forms and mod_status tell the same, all children add up, graceful
# restarts and killed children lose nothing, and nobody's name, address or secret is in it. (security 84, 86)
# run on: event prefork asan
# needs: npm
use strict;
use warnings FATAL => 'all';
use lib 't/httpd/lib';
use IPC::Open2;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);
use IdentityTest;
use IdentityTest::Server;
use WebDriver;

# The database is taken away on purpose.
expect_in_log('ID0531: ');

my $second = IdentityTest::Server::free_port();
my $server = IdentityTest::Server->new(port => $second + 1, modules => ['status'], directives => <<"END");
IdentityRateLimit login 4/1h
IdentityDatabaseWait 1s
Listen 127.0.0.1:$second
<VirtualHost 127.0.0.1:$second>
    ServerName second.example
    IdentityPasswordMinLength 12
</VirtualHost>
<Location "/status">
    SetHandler identity-status
</Location>
<Location "/closed">
    SetHandler identity-status
    Require all denied
</Location>
<Location "/index.html">
    AuthType Identity
    AuthName "protected"
    Require identity-permission USER.API.VIEW
</Location>
<Location "/server-status">
    SetHandler server-status
</Location>
END
my $state = $server->state_folder;
my $json = JSON::PP->new;
my @no_key = ('X-API-KEY' => undef);
expect_in_log('exit signal Killed (9)');
expect_in_log('AH00636: child init failed!');

sub get { my ($path, $method) = @_; return $server->http->request($method // 'GET', $server->origin . $path) }

sub lines_of
{
    my ($text) = @_;
    return {$text =~ /^Identity(\S+): (\S+)$/mg};
}

sub figures
{
    my $answer = get('/status?auto');
    die "?auto: $answer->{status}\n" unless $answer->{status} == 200;
    return lines_of($answer->{content});
}

sub openmetrics
{
    my $answer = get('/status?format=openmetrics');
    my $pid = open2(my $out, my $in, 't/httpd/lib/openmetrics.py');
    print {$in} $answer->{content};
    close $in;
    my $text = do { local $/; <$out> };
    waitpid $pid, 0;
    return $? ? (undef, $answer) : ($json->decode($text), $answer);
}

# What moved: the name of each figure with its difference. What time brings along is left out.
sub moved
{
    my ($before, $after) = @_;
    my %all = (%$before, %$after);
    return join ' ', map {
        my $by = ($after->{$_} // 0) - ($before->{$_} // 0);
        $by && !/^(?:Seconds-|DatabaseLatency|DatabaseSize|DatabaseWAL|ConnectionsLent|ConnectionsInUse|OutboxOldestAge|WriteWaits|ConnectionWaits|HashWaits|Processes|Cache|Table|Backup|SigningKeyAge|DatabaseFree|OutboxWaiting)/ ? sprintf('%s%+d', $_, $by) : ();
    } sort keys %all;
}

# Runs the code; exactly these figures have moved.
sub moves
{
    my ($name, $wanted, $code) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $before = figures();
    $code->();
    is moved($before, figures()), join(' ', sort split ' ', $wanted), $name;
}

# ---- every figure by what happens ------------------------------------------------------------------------------------------------------------

my $calm = figures();
is moved($calm, figures()), '', 'to look moves nothing';
moves('requests by operation and status', 'Requests+7 Requests-list_users-200+3 Requests-list_users-401+2 Requests-unknown-404+1 Requests-unknown-405+1', sub {
    $server->api(GET => '/v1/users') for 1 .. 3;
    $server->api(GET => '/v1/users', undef, @no_key) for 1 .. 2;
    $server->api(GET => '/v1/nowhere');
    $server->api(PUT => '/v1/users', {});
});
moves('what httpd refuses by itself, too', 'Requests+1 Requests-unknown-404+1', sub { $server->api(GET => '/v1/users%2Fx') });
my $person;
moves('a person comes and signs in', 'HashPassed+2 LoginsPassword+1 MailsSent+1 Requests+3 Requests-activate_user-200+1 Requests-invite_user-200+1 Requests-obtain_token-200+1 Sessions+1 UsersActive+1',
    sub { $person = $server->person(name => 'canary') });
my $reader = $server->api(POST => '/v1/api-keys', {permissions => ['ROLE.VIEW']})->json->{api_key};
moves('other content', 'ProtectedAllowedKey+2 ProtectedForbiddenKey+1 ProtectedUnauthenticatedBearer+1 ProtectedUnauthenticatedNone+3', sub {
    my @key = map { {'X-API-KEY' => $_} } $server->key, $server->key, $reader;
    $server->http->get($server->origin . '/index.html', {headers => $_}) for @key, {Authorization => 'Bearer nothing'}, {}, {}, {};
});
my $cookie;
moves('a session goes on', 'LoginsRefresh+1 Requests+1 Requests-refresh_token-200+1', sub {
    my $answer = $server->api(POST => '/v1/oauth/refresh-token', undef, @no_key, @{$person->{cookie}});
    $cookie = $answer->cookie('identity_refresh');
});
moves('and ends', 'Requests+1 Requests-logout-200+1 Sessions-1', sub { $server->api(POST => '/v1/oauth/logout', undef, @{$person->{bearer}}) });
moves('wrong passwords, until there were too many', 'FailuresLogin+4 HashPassed+4 RateLimitedLogin+2 Requests+6 Requests-obtain_token-401+4 Requests-obtain_token-429+2',
    sub { $server->login($server->address('stranger'), 'Wrong1Horse') for 1 .. 6 });
moves('mailed links that are none', 'FailuresToken+1 Requests+1 Requests-activate_user-400+1', sub { $server->activate('idi_nothing', 'Correct1Horse') });
my $key;
moves('keys', 'KeysActive+1 Requests+1 Requests-create_api_key-201+1', sub { $key = $server->api(POST => '/v1/api-keys', {})->json });
moves('keys that are none any more', 'KeysActive-1 KeysOther+1 Requests+1 Requests-update_api_key-200+1', sub { $server->api(PATCH => "/v1/api-keys/$key->{id}", {status => 'INACTIVE'}) });
# A file in the place of the Maildir.
rename "$state/mail", "$state/mail.away" or die "rename: $!";
open my $file, '>', "$state/mail" or die "mail: $!";
close $file;
my $late = $server->address('late');
moves('mail that must wait', 'MailOutages+1 MailsDeferred+1 OutboxQueued+1 Requests+1 Requests-invite_user-200+1 UsersOther+1', sub {
    my $before = figures()->{MailsDeferred};
    $server->invite($late);
    for (1 .. 400) {
        last if figures()->{MailsDeferred} > $before;
        sleep 0.05;
    }
});
cmp_ok figures()->{OutboxOldestAge}, '>', 0, 'and how long it has waited';

# ---- the three forms -------------------------------------------------------------------------------------------------------------------------

my ($metrics, $answer) = openmetrics();
ok $metrics, 'OpenMetrics that an independent parser takes' or diag $answer->{content};
is $answer->{headers}{'content-type'}, 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'of its type';
is $metrics->{types}{identity_logins}, 'counter', 'a counter';
is $metrics->{types}{identity_request_duration_seconds}, 'histogram', 'a histogram';
my $figures = figures();
my $page = get('/status');
my %shown = $page->{content} =~ m{<th scope="row">([^<]+)</th><td[^>]*>([^<]+)</td>}g;
for (
    ['identity_logins_total{method="password"}', 'LoginsPassword', 'By password'],
    ['identity_logins_total{method="refresh"}', 'LoginsRefresh', 'Renewed by refresh token'],
    ['identity_failures_total{class="login"}', 'FailuresLogin', 'Failed sign-ins'],
    ['identity_hash_slots', 'HashSlots', 'At most at a time'],
    ['identity_hash_entries_total{result="passed"}', 'HashPassed', 'Hashed so far'],
    ['identity_users{active="true"}', 'UsersActive', 'Active users'],
    ['identity_users{active="false"}', 'UsersOther', 'Invited and inactive users'],
    ['identity_sessions', 'Sessions', 'Live sessions'],
    ['identity_api_keys{active="false"}', 'KeysOther', 'Inactive API keys'],
    ['identity_outbox{state="queued"}', 'OutboxQueued', 'Waiting in the outbox'],
    ['identity_mails_total{result="sent"}', 'MailsSent', 'Sent'],
    ['identity_database_schema_version', 'DatabaseSchemaVersion', 'Schema version'],
    ['identity_requests_total{operation="create_api_key",status="201"}', 'Requests-create_api_key-201', 'create_api_key'],
) {
    my ($series, $name, $title) = @$_;
    is "$metrics->{samples}{$series} $shown{$title}", "$figures->{$name} $figures->{$name}", "$name is the same in all three";
}
my ($sum, $histogram) = (0, 0);
for (keys %{$metrics->{samples}}) {
    $sum += $metrics->{samples}{$_} if /^identity_requests_total/;
    $histogram += $metrics->{samples}{$_} if /^identity_request_duration_seconds_count/;
}
is "$sum $histogram", "$figures->{Requests} $figures->{Requests}", 'and so is the sum of all requests, and of the histograms';
my $mod_status = lines_of(get('/server-status?auto')->{content});
is moved($figures, $mod_status), '', 'mod_status tells the same as lines';
like get('/server-status')->{content}, qr{<h1>Identity</h1>.*<th scope="row">By password</th><td>1</td>}s, 'and in its page';
my $other = $server->http->get("http://127.0.0.1:$second/status?auto");
is moved($figures, lines_of($other->{content})), '', 'and so does another virtual host on the same database';

moves('mail that is wanted no more', 'OutboxQueued-1 Requests+1 Requests-revoke_invite-200+1', sub { $server->api(POST => '/v1/users/revoke-invite', {username => $late}) });
unlink "$state/mail";
rename "$state/mail.away", "$state/mail" or die "rename: $!";

# ---- as an answer ----------------------------------------------------------------------------------------------------------------------------

is $page->{headers}{'content-type'}, 'text/html; charset=utf-8', 'the page is HTML';
like $page->{headers}{'content-security-policy'}, qr/^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'/, 'that may load nothing';
is "@{$page->{headers}}{qw(cache-control x-content-type-options)}", 'no-store nosniff', 'and is not kept';
ok !$page->{headers}{refresh}, 'it stays as it is';
is get('/status?refresh=7')->{headers}{refresh}, 7, 'unless it is told to come again';
is get('/status?refresh')->{headers}{refresh}, 10, 'after ten seconds, where it is not said when';
my $head = get('/status?auto', 'HEAD');
is "$head->{status} @{[$head->{content} // '']}", '200 ', 'HEAD has no body';
for my $method (qw(POST PUT DELETE)) {
    my $refused = get('/status', $method);
    is $refused->{status}, 405, "$method is not answered";
    like $refused->{headers}{allow}, qr/\bGET\b/, 'but GET is';
}
for my $query ('', '?auto', '?format=openmetrics') {
    my $refused = get("/closed$query");
    is $refused->{status}, 403, "who may not see it sees nothing: /closed$query";
    unlike $refused->{content}, qr/identity/i, 'nothing at all';
}
my $everything = join "\n", map { get($_)->{content} } '/status', '/status?auto', '/status?format=openmetrics', '/server-status', '/server-status?auto';
for my $secret ($person->{username}, $person->{id}, $person->{token}, $cookie, $server->key, $key->{id}, $key->{api_key}, $state, 'canary', '@example') {
    is index($everything, $secret), -1, 'what belongs to somebody is not told # security 84';
}

# ---- all children, restarts ------------------------------------------------------------------------------------------------------------------

my $account = $server->account_id;
moves('children at once', 'Requests+80 Requests-list_roles-200+80', sub {
    together(8, sub { $server->api(GET => '/v1/roles?limit=1') for 1 .. 10; return 1 });
});
my $before = figures();
$server->graceful;
# An outage is what one process knows of the mail server: its end is the end of that, where a further attempt did not end it before.
is moved($before, figures()) =~ s/\AMailOutages-1\z//r, '', 'a graceful restart keeps what was counted';
my ($child) = grep { $_ != $server->pid } $server->processes;
kill KILL => $child;
for (1 .. 200) {
    last if !kill 0 => $child;
    sleep 0.05;
}
is moved($before, figures()), 'MailOutages-1', 'so does a child that is killed';
moves('and all goes on', 'Requests+1 Requests-list_roles-200+1', sub { $server->api(GET => '/v1/roles?limit=1') });
# But for a moment by the job of the watchdog.
my $in_use;
for (1 .. 100) {
    last unless $in_use = figures()->{ConnectionsInUse};
    sleep 0.05;
}
is $in_use, 0, 'no connection is in use';

# ---- what the job looks at now and then ----------------------------------------------------------------------------------------------------------

# Once a minute, and once when it begins.
sub looked_at
{
    my ($name) = @_;
    for (1 .. 1200) {
        my $figures = figures();
        return $figures if defined $figures->{$name};
        sleep 0.1;
    }
    return figures();
}
my $looked = looked_at('TableRows-users');
is $looked->{'TableRows-accounts'}, scalar(($server->db('SELECT COUNT(*) AS n FROM accounts'))[0]{n}), 'rows of each table';
cmp_ok $looked->{'TableBytes-users'}, '>', 0, 'its size';
cmp_ok $looked->{'TableOldestAge-users'}, '>', 0, 'and the age of its oldest row';
cmp_ok $looked->{DatabaseFree}, '>', 0, 'room on the file system of the database';
ok defined $looked->{SigningKeyAge}, 'the age of the signing key';
is $looked->{$_} // 'none', 0, 'no mail is waiting: ' . $_ for map {"OutboxWaiting-$_"} 60, 600, 3600, 86400;
ok !defined $looked->{BackupAge}, 'no backup has been made';
my ($made) = $server->tool('backup', "$state/for-its-age.db");
is $made, 0, 'then one is';
$server->graceful;
ok defined looked_at('BackupAge')->{BackupAge}, '... and its age is told';
($metrics) = openmetrics();
is scalar(grep { /^identity_build\{version="\d+\.\d+\.\d+"\}$/ } keys %{$metrics->{samples}}), 1, 'the version of the module';
ok exists $metrics->{samples}{'identity_table_size_bytes{table="audit_records"}'}, 'tables in OpenMetrics';
like get('/status')->{content}, qr{<th scope="row">Newest backup, made before</th>}, 'and in the page';

# ---- in a browser ----------------------------------------------------------------------------------------------------------------------------

# One browser is enough.
if (configuration() eq 'event') {
    my $browser = WebDriver->start;
    open my $in, '<', 'node_modules/axe-core/axe.min.js' or die "axe-core: $!";
    my $axe = do { local $/; <$in> };
    for my $size ([1280, 900], [390, 844]) {
        for my $dark (0, 1) {
            $browser->resize(@$size);
            $browser->dark($dark);
            $browser->open($server->origin . '/status');
            my $how = "$size->[0] wide, " . ($dark ? 'dark' : 'light');
            is join("\n", map { $json->encode($_) } grep { $_->{message} !~ m{/favicon\.ico } } $browser->console), '', "the page breaks none of its own rules ($how)";
            $browser->devtools('Page.setBypassCSP', {enabled => JSON::PP::true});
            $browser->open($server->origin . '/status');
            $browser->script("$axe; return 1;");
            my $found = $browser->script('return axe.run().then(found => found.violations.map(one => one.id + ": " + one.nodes.map(node => node.target).join(" ")))');
            is join("\n", @$found), '', "axe finds nothing ($how)";
            ok $browser->script('return document.documentElement.scrollWidth <= document.documentElement.clientWidth'), "nothing sticks out ($how)";
            $browser->devtools('Page.setBypassCSP', {enabled => JSON::PP::false});
        }
    }
    $browser->stop;
}

# ---- without its database --------------------------------------------------------------------------------------------------------------------

rename "$state/identity.db", "$state/away.db" or die "rename: $!";
$page = get('/status');
is $page->{status}, 200, 'without its database the page comes # security 86';
like $page->{content}, qr{<strong>Does not answer</strong>}, 'and says so';
($metrics) = openmetrics();
is $metrics->{samples}{identity_database_up}, 0, 'in OpenMetrics';
is $metrics->{samples}{'identity_users{active="true"}'}, undef, 'which tells nothing of what it does not know';
my $away = figures();
is $away->{DatabaseUp}, 0, 'in lines';
$server->api(GET => '/v1/users');
my $then = figures();
is +($then->{'Requests-list_users-503'} // 0) - ($away->{'Requests-list_users-503'} // 0), 1, 'requests that failed are counted';
cmp_ok $then->{ConnectionsFailed}, '>', $away->{ConnectionsFailed}, 'and connections';
rename "$state/away.db", "$state/identity.db" or die "rename: $!";
is figures()->{DatabaseUp}, 1, 'then it is back';

done_testing;
