# SPDX-License-Identifier: Apache-2.0
# The request id: made once, on every answer inside our locations, in the access log and beside httpd's and our own lines in error_log. Who called, for the logs.
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $server = IdentityTest::Server->new(modules => [qw(rewrite remoteip)], directives => <<'END_OF_DIRECTIVES');
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
LogLevel info identity:debug
ErrorLogFormat "[%L] %M"
LogFormat "%{IDENTITY_REQUEST_ID}e|%{X-REQUEST-ID}o|%>s|%u|%{IDENTITY_USER_ID}e|%{IDENTITY_USERNAME}e|%{IDENTITY_ENTITY_ID}e|%{IDENTITY_AUTH}e" ids
CustomLog ${LOGS}/ids ids
<Location /v1/roles/denied>
    Require all denied
</Location>
<Location /from>
    RewriteEngine On
    RewriteRule /from /v1/users [PT]
</Location>
END_OF_DIRECTIVES
my @no_key = ('X-API-KEY' => undef);
my $form = qr/^reqr_[0-9A-Za-z]{20}$/;

# The line of the access log for a request id.
sub line_of
{
    my ($id) = @_;
    for (1 .. 50) {
        open my $in, '<', "$server->{root}/logs/ids" or die $!;
        while (<$in>) {
            chomp;
            return $_ if /^\Q$id|/;
        }
        sleep 0.1;
    }
    return "no line for $id";
}

my $person = $server->person(name => 'logged');
my ($entity) = map { $_->{entity_id} } $server->db('SELECT DISTINCT entity_id FROM users');
my @answers = (
    [200, $server->api(GET => '/v1/users')],
    [401, $server->api(GET => '/v1/users', undef, @no_key)],
    [401, $server->api(GET => '/v1/users', undef, 'X-API-KEY' => 'idk_false')],
    [403, $server->api(GET => '/v1/roles/denied')],
    [404, $server->api(GET => '/v1/nothing')],
    [404, $server->api(GET => '/v1/a%2Fb')],
    [404, $server->api(GET => '/v2/users')],
    [405, $server->api(TRACE => '/v1/users')],
    [413, $server->api(POST => '/v1/users/invite', 'x' x 70000)],
    [204, $server->api(OPTIONS => '/v1/users')],
    [200, $server->api(HEAD => '/v1/users')],
    [200, $server->api(GET => '/v1/oauth/activate-user', undef, @no_key)],
    [200, $server->api(GET => '/from')],
    [401, $server->api(GET => '/v1/users', undef, @no_key, 'X-REQUEST-ID' => 'reqr_00000000000000000000')],
);
my %seen;
for (@answers) {
    my ($status, $answer) = @$_;
    my $id = $answer->header('X-REQUEST-ID');
    is $answer->status, $status, "an answer of $status";
    like ref $id ? "@$id" : $id, $form, 'has one id';
    ok !$seen{$id}++, 'of its own';
    like line_of($id), qr/^\Q$id|$id|$status|\E/, 'which the access log has';
}
cmp_ok $answers[0][1]->header('X-REQUEST-ID'), 'lt', $answers[4][1]->header('X-REQUEST-ID'), 'ids sort by time';

# ---- error_log --------------------------------------------------------------------------------------------------------------------------------

my $denied = $answers[3][1]->header('X-REQUEST-ID');
like $server->error_log, qr/^\[\Q$denied\E\] .*AH01630: client denied by server configuration: identity:\/v1\/roles\/denied/m, "httpd's own line has it as %L";
my $slash = $answers[5][1]->header('X-REQUEST-ID');
like $server->error_log, qr/^\[\Q$slash\E\] .*AH00026/m, 'also one from before the path was decoded';
rename "$server->{state}/identity.db", "$server->{state}/identity.db.away" or die $!;
my $fault = $server->api(GET => '/v1/users');
rename "$server->{state}/identity.db.away", "$server->{state}/identity.db" or die $!;
refused_is($fault, 503, INTERNAL_ERROR => undef, 'a fault');
my $id = $fault->header('X-REQUEST-ID');
like $server->error_log, qr/ID\d{4}: .*\Q$id\E/, 'has a line of ours with it';

# ---- who ----------------------------------------------------------------------------------------------------------------------------------------

my $by_key = line_of($answers[0][1]->header('X-REQUEST-ID'));
my (undef, undef, undef, $user, @who) = split /\|/, $by_key;
like $user, qr/^apik_[0-9A-Za-z]{20}$/, 'a key is the user of that id';
is "@who", "$user $user $entity key", 'and known to the log';
my $by_token = $server->api(GET => '/v1/users', undef, @{$person->{bearer}});
(undef, undef, undef, $user, @who) = split /\|/, line_of($by_token->header('X-REQUEST-ID'));
is $user, $person->{username}, 'a token is the user of that name';
is "@who", "$person->{id} $person->{username} $entity bearer", 'and known to the log';
like line_of($answers[$_][1]->header('X-REQUEST-ID')), qr/\|-\|-\|-\|-\|-$/, 'nobody is nobody' for 1, 2, 11;

my $far = $server->api(POST => '/v1/users/invite', {username => $server->address('far')}, 'X-Forwarded-For' => '203.0.113.9');
is $far->status, 200, 'through a proxy on this machine, which took the credential over TLS';
my ($row) = $server->db('SELECT x.client_address FROM audit_records JOIN audit_details x ON record_id = id WHERE reference = ' . "'" . $far->header('X-REQUEST-ID') . "'");
is $row->{client_address}, '203.0.113.9', 'the audit record has the address of the person';

done_testing;
