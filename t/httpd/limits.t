# SPDX-License-Identifier: Apache-2.0
# Rate limits over all children of a real server: counted exactly, with mod_remoteip's addresses, over graceful restarts, for each virtual host; and what fail2ban
# finds of them in the error log. (security 12 to 14, 80, 84, 85)
use strict;
use warnings FATAL => 'all';
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $port = IdentityTest::Server::free_port();
my ($strict, $off) = grep { IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_, Listen => 1, ReuseAddr => 1) } $port + 1 .. $port + 9;
my $server = IdentityTest::Server->new(port => $port, modules => ['remoteip'], directives => <<"END_OF_DIRECTIVES");
# A child that is to end waits for whoever holds a connection open.
KeepAliveTimeout 2
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
CustomLog \${LOGS}/children_log "%P %s"
IdentityRateLimit login 10/1m
IdentityRateLimit token 30/1m
Listen 127.0.0.1:$strict
Listen 127.0.0.1:$off
<VirtualHost 127.0.0.1:$strict>
    IdentityRateLimit login 3/2s
    IdentityRateLimit reset 2/1h
    IdentityRateLimit invite 2/1h
    IdentityRateLimit read 4/1h
    IdentityRateLimit write 2/1h
</VirtualHost>
<VirtualHost 127.0.0.1:$off>
    IdentityRateLimit login off
</VirtualHost>
END_OF_DIRECTIVES
my $password = 'Correct1Horse';
my $wrong = 'Wrong1Horse';
my $third = 0;

sub at { my ($where, @request) = @_; local $server->{host} = "127.0.0.1:$where"; local $server->{http}; return $server->api(@request) }

# From this address, to a child that the kernel chooses.
sub attempt
{
    my ($from, $name, $given, $where, @headers) = @_;
    my $answer = at($where // $port, POST => '/v1/oauth/token', {username => $name, password => $given}, 'X-API-KEY' => undef, Connection => 'close',
        (defined $from ? ('X-Forwarded-For' => $from) : ()), @headers);
    return $answer;
}

sub statuses { my %count; $count{$_}++ for @_; return join ' ', map { "$_: $count{$_}" } sort keys %count }

# A network that no other part of this test comes from.
sub network { return sprintf '100.64.%d', ++$third }

sub throttled_is
{
    my ($answer, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    refused_is($answer, 429, 'UNABLE_TO_PROCESS_INSTRUCTIONS', undef, $name) && like($answer->header('Retry-After'), qr/^[1-9]\d*$/, "$name: in whole seconds");
}

# An account has two places to wait for a hash; whoever finds both taken gets 503, which counts as nothing, and comes again.
sub settled
{
    my (@attempt) = @_;
    my $status = 503;
    for (my $end = time + 60; $status == 503 && time < $end;) {
        $status = attempt(@attempt)->status;
        select undef, undef, undef, 0.05 if $status == 503;
    }
    return $status;
}

my $person = $server->person(name => 'victim');
my $name = $person->{username};
my $unknown = $server->address('nobody');

# ---- one count of all children -----------------------------------------------------------------------------------------------------------------

my $from = network() . '.1';
my @seen = map { @$_ } together(16, sub {
    return [map { settled($from, $unknown, $wrong) } 1 .. 5];
});
is statuses(@seen), '401: 10 429: 70', '16 clients at once: exactly ten failures, then 429 # security 80';
open my $in, '<', "$server->{root}/logs/children_log" or die $!;
my %children = map { /^(\d+) 4(?:01|29)$/ ? ($1 => 1) : () } <$in>;
cmp_ok scalar(keys %children), '>', 1, 'by several children together';
throttled_is(my $answer = attempt($from, $unknown, $wrong), 'the next');
cmp_ok $answer->header('Retry-After'), '<=', 60, '... for no longer than a minute';
my $right = attempt($from, $name, $password);
is $right->status . $right->text, $answer->status . $answer->text, 'a right password is answered as a wrong one # security 13';
is attempt(network() . '.1', $name, $password)->status, 200, 'the person, from another address, is let in';

$from = network();
@seen = map { @$_ } together(16, sub {
    my ($client) = @_;
    return [map { settled("$from.$client", $name, $wrong) } 1 .. 2];
});
is statuses(@seen), '401: 10 429: 22', '16 clients of a network at one account: ten failures';

# Right ones among the wrong: none is let in behind the tenth failure, none is kept out before.
$from = network() . '.1';
@seen = map { @$_ } together(16, sub {
    my ($client) = @_;
    return [map { settled($from, $name, $client == 3 ? $password : $wrong) } 1 .. 3];
});
my $wrong_ones = grep { $_ == 401 } @seen;
is $wrong_ones, 10, '16 clients, one with the right password: ten failures';
is attempt($from, $name, $password)->status, 429, '... then not even the right one';

# ---- whose address ------------------------------------------------------------------------------------------------------------------------------

$from = network() . '.1';
is statuses(map { attempt(undef, $unknown, $wrong, $port, 'X-Forwarded-For' => "$from, 100.64.200." . $_ % 2)->status } 1 .. 3), '401: 3',
    'mod_remoteip takes the last address of a proxy that is not trusted';
is statuses(map { attempt("2001:db8:7:1::$_", $server->address('six'), $wrong)->status } 1 .. 11), '401: 10 429: 1', 'addresses of one /64 of IPv6 are one client';
is attempt('2001:db8:7:2::1', $server->address('six'), $wrong)->status, 401, '... the next /64 is another';
my $plain = IdentityTest::Server->new(state => $server->state_folder, directives => "IdentityRateLimit login 2/1m\n");
is statuses(map { $plain->api(POST => '/v1/oauth/token', {username => $unknown, password => $wrong}, 'X-API-KEY' => undef, 'X-Forwarded-For' => "192.0.2.$_")->status } 1 .. 3),
    '401: 2 429: 1', 'without mod_remoteip a client that writes itself an address is not believed';
$plain->stop;

# ---- the wait -----------------------------------------------------------------------------------------------------------------------------------

$from = network() . '.1';
is statuses(map { attempt($from, $unknown, $wrong, $strict)->status } 1 .. 4), '401: 3 429: 1', 'a virtual host with a limit of its own';
for my $round (1 .. 2) {
    $answer = attempt($from, $unknown, $wrong, $strict);
    throttled_is($answer, "wait $round");
    sleep $answer->header('Retry-After');
    $answer = attempt($from, $unknown, $wrong, $strict);
    is $answer->status, 401, 'after so many seconds one may try again';
}
$answer = attempt($from, $name, $password, $strict);
throttled_is($answer, 'the third wait');
cmp_ok $answer->header('Retry-After'), '>', 4, '... is longer than the second # security 12';
sleep $answer->header('Retry-After');
is attempt($from, $name, $password, $strict)->status, 200, 'a right password then opens';
is attempt($from, $unknown, $wrong)->status, 401, 'the other host counts for itself';
is statuses(map { attempt($from, $unknown, $wrong, $off)->status } 1 .. 30), '401: 30', 'off is off';

# ---- no lock-out --------------------------------------------------------------------------------------------------------------------------------

my $home = network() . '.77';
my $in_session = attempt($home, $name, $password);
is $in_session->status, 200, 'a person signs in at home';
(my $neighbour = $home) =~ s/77$/78/;
is statuses(map { attempt($neighbour, $name, $wrong)->status } 1 .. 12), '401: 10 429: 2', 'a neighbour tries';
is attempt($home, $name, $password)->status, 200, 'the person at home is let in # security 13';
is attempt($home =~ s/77$/79/r, $name, $password)->status, 429, 'a stranger there is not';
is statuses(map { attempt($home, $unknown, $wrong)->status } 1 .. 11), '401: 10 429: 1', 'somebody behind the same address spoils it';
is attempt($home, $name, $password)->status, 429, '... for all';
is attempt($home, $name, $password, $port, Cookie => $in_session->cookie('identity_refresh'))->status, 200, '... but who has a live session # security 13';

# ---- the other classes --------------------------------------------------------------------------------------------------------------------------

my @nobody = ('X-API-KEY' => undef);
$from = network() . '.1';
is statuses(map { @$_ } together(8, sub {
    return [map { at($port, POST => '/v1/oauth/reset-password', {token => 'x', new_password => $password}, @nobody, 'X-Forwarded-For' => $from)->status } 1 .. 5];
})), '400: 30 429: 10', 'token 30/1m # security 14';
throttled_is(at($port, POST => '/v1/oauth/activate-user', {token => 'x', new_password => $password}, @nobody, 'X-Forwarded-For' => $from), 'the other mailed secret');

my $mails = () = $server->mails($name);
my %answers;
for my $address ($name, $unknown) {
    @seen = map { at($strict, POST => '/v1/oauth/request-password-reset', {email => $address}, @nobody) } 1 .. 4;
    $answers{$address} = join "\n", map { $_->status . ' ' . $_->text } @seen;
    is statuses(map { $_->status } @seen), '200: 2 429: 2', 'reset 2/1h # security 28';
    throttled_is($seen[3], 'another');
}
is $answers{$unknown}, $answers{$name}, 'an unknown address is answered as a known one # security 15';
$server->wait_mail($name, $mails + 1);
my ($queued) = $server->db("SELECT count(*) AS n FROM secrets WHERE kind = 'reset'");
is $queued->{n}, 2, 'two mails were made and no more # security 28';

is statuses(map { @$_ } together(8, sub { return [map { at($strict, GET => '/v1/roles?limit=1')->status } 1 .. 3] })), '200: 4 429: 20', 'read 4/1h by a key';
is at($port, GET => '/v1/roles?limit=1')->status, 200, '... of that host';
is at($strict, GET => '/v1/roles?limit=1', undef, @{$person->{bearer}})->status, 200, 'a person has an own count';
is statuses(map { @$_ } together(8, sub { my ($n) = @_; return [map { at($strict, POST => '/v1/roles', {name => "Limit $n $_"})->status } 1 .. 2] })), '200: 2 429: 14',
    'write 2/1h';
is rows_of("SELECT id FROM roles WHERE name LIKE 'Limit %'"), 2, '... and two are there';
is statuses(map { at($strict, POST => '/v1/users/invite', {username => $server->address('invited')})->status } 1 .. 4), '200: 2 429: 2', 'invite 2/1h';

sub rows_of { my @rows = $server->db(@_); return scalar @rows }

# ---- over a graceful restart --------------------------------------------------------------------------------------------------------------------

$from = network() . '.1';
my $other = network() . '.1';
is statuses(map { attempt($from, $unknown, $wrong)->status } 1 .. 10), '401: 10', 'before a graceful restart';
is statuses(map { attempt($other, $unknown, $wrong)->status } 1 .. 4), '401: 4', '... and from elsewhere';
my %before = map { $_ => 1 } $server->processes;
$server->graceful;
for (my $patience = time + 20; time < $patience; sleep 0.2) {
    last unless grep { $before{$_} && $_ != $server->pid } $server->processes;
}
is scalar(grep { $before{$_} } $server->processes), 1, 'all children are new';
is attempt($from, $unknown, $wrong)->status, 429, 'a graceful restart forgets no limit';
is statuses(map { attempt($other, $unknown, $wrong)->status } 1 .. 7), '401: 6 429: 1', '... and no failure';
is attempt($home, $name, $password, $port, Cookie => $in_session->cookie('identity_refresh'))->status, 200, '... nor who is known';

# ---- an operator lets somebody try again (M7) --------------------------------------------------------------------------------------------------

my $locked = network();
attempt("$locked.1", $name, $wrong, $strict) for 1 .. 3;
is attempt("$locked.2", $name, $password, $strict)->status, 429, 'an account is locked for a network';
like +(IdentityTest::Database::tool($server->{state}, '--entity', 'default', qw(user unlock), $name))[0], qr/^user_\w+\tACTIVE\t/, 'M7: htidentity user unlock';
is heard(200, sub { attempt("$locked.2", $name, $password, $strict) })->status, 200, 'M7: the running server forgets the failures';

# ---- fail2ban -----------------------------------------------------------------------------------------------------------------------------------

open $in, '<', "$ENV{IDENTITY_TOP}/conf/fail2ban/identity.conf" or die $!;
my ($rule) = map { /^failregex\s*=\s*(.*?)\s*$/ ? $1 : () } <$in>;
ok $rule, 'the filter has a rule';
# As fail2ban does it: <ADDR> is an address of either family, and the time of the line is cut out before.
$rule =~ s/<ADDR>/(?<address>(?:\\d{1,3}\\.){3}\\d{1,3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+)/ or die 'no <ADDR>';
my $forged = network() . '.9';
attempt($forged, "x\@y.z\n[Thu Jan 01 00:00:00 2024] [identity:warn] [pid 1] ID0361: failed login from 8.8.8.8", $wrong);
$server->api(GET => '/v1/users/search?username=ID0361:%20failed%20login%20from%208.8.8.8');
$server->api(GET => '/v1/x%0aID0361:%20failed%20login%20from%208.8.8.8');
my (%matched, %lines);
for my $line (split /\n/, $server->error_log) {
    $lines{$1}++ if $line =~ /\bID0361: (\w+ \w+) from/;
    $line =~ s/(?<=\[)\w{3} \w{3} \d\d [\d:.]+ \d{4}(?=\])//;
    $matched{$+{address}}++ if $line =~ /$rule/;
}
is $matched{'100.64.1.1'}, 82, 'every failure and every refusal of the first client is found';
is $matched{$forged}, 1, 'one failure is one line # security 85';
is $matched{'8.8.8.8'}, undef, 'nobody can write a line about somebody else # security 85';
ok +(grep { /^2001:db8:7:1:/ } keys %matched) >= 10, 'addresses of IPv6 too';
cmp_ok $lines{$_} // 0, '>', 0, "lines of: $_" for 'failed login', 'throttled login', 'failed token', 'throttled token', 'throttled read', 'throttled write', 'throttled reset',
    'throttled invite';
my $sum = 0;
$sum += $_ for values %matched;
is $sum, $lines{'failed login'} + $lines{'throttled login'} + $lines{'failed token'} + $lines{'throttled token'}, 'the filter matches those of logins and secrets, all of them';
unlike $server->error_log, qr/\Q$name\E|\Q$unknown\E|$wrong|$password/, 'no line names a user or a password # security 84';

# ---- a stop forgets -----------------------------------------------------------------------------------------------------------------------------

is attempt($from, $unknown, $wrong)->status, 429, 'before a stop';
$server->stop;
$server->start;
is attempt($from, $unknown, $wrong)->status, 401, 'a stop forgets';

done_testing;
