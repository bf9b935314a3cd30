# SPDX-License-Identifier: Apache-2.0
# Mutated requests: raw bytes made of a valid request to each route and each protected place. No child is lost, no sanitizer has anything to say, nothing is
# answered with 500. `make mutants REQUESTS=100000` sends more; the same SEED (1) and REQUESTS send the same bytes. (A1)
# run on: asan
use strict;
use warnings FATAL => 'all';
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes 'time';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $requests = $ENV{IDENTITY_MUTANTS} || 2000;
my $seed = $ENV{IDENTITY_SEED} || 1;
my $clients = 4;
my $folder = IdentityTest::Protected::folder();
# Two children, which stay for as long as they live.
my $server = IdentityTest::Server->new(directives => <<"END");
    StartServers 2
    ServerLimit 2
    ThreadsPerChild 8
    MinSpareThreads 1
    MaxSpareThreads 16
    MaxRequestWorkers 16
    RequestReadTimeout header=2 body=2
    IdentityHashMemory 40M
    @{[map { "IdentityRateLimit $_ off\n" } qw(login token reset invite mail)]}
    Alias /files $folder/files
    Alias /basic $folder/files
    Alias /roles $folder/files
    Alias /open $folder/open
    <Location /files>
        AuthType Identity
        AuthName files
        IdentityCookie On
        IdentityBasicKeys On
        Require valid-user
    </Location>
    <Location /basic>
        AuthType Basic
        AuthName basic
        AuthBasicProvider identity
        Require valid-user
    </Location>
    <Location /roles>
        AuthType Identity
        AuthName roles
        IdentityForwardHeaders On
        <RequireAll>
            Require valid-user
            Require not identity-permission REPORT.READ
        </RequireAll>
    </Location>
END

# ---- what there is -------------------------------------------------------------------------------------------------------------------------

my $person = IdentityTest::Protected::somebody($server, ['USER.MORTAL.VIEW', 'ROLE.VIEW']);
my $login = $server->login($person->{name}, $person->{password});
my $victim = IdentityTest::Protected::somebody($server, ['REPORT.READ']);
my %id = (
    user => $victim->{id}, memb => $victim->{memb}, role => $victim->{role},
    team => $server->api(POST => '/v1/teams', {name => 'Mutants'})->json->{id},
    apik => $server->api(POST => '/v1/api-keys', {description => 'for mutants'})->json->{id},
    auth => $server->api(POST => '/v1/authentication-providers', {type => 'DEFAULT', name => 'Mutants'})->json->{id},
    clnt => $server->api(POST => '/v1/clients', {name => 'Mutants', redirect_uris => ['https://a.example/cb']})->json->{id},
    audi => $server->api(GET => '/v1/audit-records?limit=1')->json->{data}[0]{id},
    sess => $server->api(GET => "/v1/users/$victim->{id}/sessions")->json->{data}[0]{id} // 'sess_0000000000000000zzzz',
    invitation => '0' x 32);
my $basic = 'Basic ' . MIME::Base64::encode_base64("$person->{name}:$person->{password}", '');
my @credentials = (
    "X-API-KEY: @{[$server->key]}", "Authorization: Bearer @{[$login->json->{access_token}]}", "Authorization: ApiKey @{[$server->key]}",
    "Authorization: $basic", 'Cookie: ' . $login->cookie('identity_refresh'), 'Cookie: identity_access=x.y.z', "X-API-KEY: @{[read_only_key($server)]}", '');

my $document = decode_json(do { local (@ARGV, $/) = "$ENV{IDENTITY_TOP}/conf/openapi.json"; <> });

sub resolve { my ($schema) = @_; return $schema->{'$ref'} ? resolve($document->{components}{schemas}{$schema->{'$ref'} =~ s{.*/}{}r}) : $schema }

# A value that a schema takes, or nearly.
sub sample
{
    my ($schema, $name, $depth) = @_;
    $schema = resolve($schema);
    return sample($schema->{$_}[0], $name, $depth) for grep { $schema->{$_} } qw(oneOf anyOf allOf);
    return $schema->{enum}[0] if $schema->{enum};
    my ($type) = ref $schema->{type} ? @{$schema->{type}} : $schema->{type} // 'string';
    return {map { $_ => sample($schema->{properties}{$_}, $_, $depth + 1) } sort keys %{$schema->{properties} // {}}} if $type eq 'object';
    return $depth > 5 ? [] : [sample($schema->{items} // {}, $name, $depth + 1)] if $type eq 'array';
    return JSON::PP::true if $type eq 'boolean';
    return 1 if $type =~ /^(?:integer|number)$/;
    return "mutant\@example.com" if $name =~ /username|email/;
    return 'Correct1Horse' if $name =~ /password/;
    return $server->account_id if $name =~ /account_id/;
    return $id{role} if $name =~ /role_ids|role_id/;
    return '2030-01-01T00:00:00Z' if ($schema->{format} // '') eq 'date-time' || $name =~ /_at$/;
    return "a$name";
}

sub encoded
{
    my ($type, $content) = @_;
    my $value = sample($content->{schema}, '', 0);
    return JSON::PP->new->canonical->encode($value) if $type =~ /json/;
    return join '&', map { "$_=" . ($value->{$_} // '') } sort keys %$value;
}

my @targets;
for my $path (sort keys %{$document->{paths}}) {
    for my $method (sort grep { /^(?:get|post|patch|delete|put)$/ } keys %{$document->{paths}{$path}}) {
        my $operation = $document->{paths}{$path}{$method};
        my $to = $path =~ s/\{(\w+)\}/$id{$1} \/\/ 'unknown'/ger;
        my @query = map { "$_->{name}=" . ($_->{name} eq 'limit' ? 2 : 'x') } grep { ($_->{in} // '') eq 'query' } map { resolve_parameter($_) } @{$operation->{parameters} // []};
        my $bodies = ($operation->{requestBody} // {})->{content} // {};
        push @targets, [uc $method, $to, '', ''];
        push @targets, [uc $method, "$to?" . join('&', @query), '', ''] if @query;
        push @targets, [uc $method, $to, $_, encoded($_, $bodies->{$_})] for sort keys %$bodies;
    }
}
push @targets, map { [$_->[0], $_->[1], '', ''] } map { my $path = $_; map { [$_, $path] } qw(GET POST HEAD OPTIONS) } qw(/files/a.html /basic/a.html /roles/a.html /open/page.html /v1 /v1/nothing);

sub resolve_parameter { my ($parameter) = @_; return $parameter->{'$ref'} ? $document->{components}{parameters}{$parameter->{'$ref'} =~ s{.*/}{}r} : $parameter }

# ---- mutations -----------------------------------------------------------------------------------------------------------------------------

my @strange = ('=', 'A=', '.', '..', "\0", '%00', '%', '%zz', '\\u0000', '\\ud800', "\xff", "\xc3\xa4", "\xe2\x80\x8b", ' ', "\t", "\r\n", "\r\n\r\n", '"', '{', '}', '[', ']', ',',
    '[' x 3000, '{"a":' x 3000, '9' x 400, '1e999', '-0', 'null', 'A' x 9000, '../../', '//', ';', '&', '?', '#', '@', '*', "'", '--', 'Bearer ', 'Basic ', 'Basic =', 'ids_', 'idk_',
    'chunked', 'Transfer-Encoding: chunked', 'Content-Encoding: gzip', 'Expect: 100-continue', 'X-Platform-Id: plat_0', 'Range: bytes=0-0', 'If-Match: *', 'Idempotency-Key: k',
    'Api-Version: 1.0', 'Origin: null', 'Upgrade: websocket');

sub whole
{
    my ($target, $credential, $more) = @_;
    my ($method, $path, $type, $body) = @$target;
    my @lines = ("$method $path HTTP/1.1", 'Host: ' . $server->host, grep { $_ ne '' } $credential, $type && "Content-Type: $type", $more);
    push @lines, 'Content-Length: ' . length $body if $body ne '';
    return join("\r\n", @lines) . "\r\n\r\n$body";
}

sub pick { return $_[rand @_] }

sub mutate_once
{
    my ($text) = @_;
    my $length = length $text;
    my $at = int rand($length + 1);
    my $kind = int rand 10;
    if ($kind == 0 && $length) { substr($text, int rand $length, 1) ^= chr 1 << int rand 8 }
    elsif ($kind == 1 && $length) { substr($text, int rand $length, 1) = chr int rand 256 }
    elsif ($kind <= 3) { substr($text, $at, 0) = pick(@strange) }
    elsif ($kind == 4) { substr($text, $at, 1 + int rand 20) = '' if $at < $length }
    elsif ($kind == 5) { substr($text, $at, 0) = substr $text, int rand($length + 1), 1 + int rand 200 }
    elsif ($kind == 6 && $length) { my @lines = split /\r\n/, $text, -1; splice @lines, int rand @lines, 0, pick(@lines); $text = join "\r\n", @lines }
    elsif ($kind == 7) { $text = substr $text, 0, $at if rand() < 0.3 }
    elsif ($kind == 8 && $length) { my @lines = split /\r\n/, $text, -1; $lines[rand @lines] = pick(@strange); $text = join "\r\n", @lines }
    else { $text =~ s/([:=&?\/. ])([^:=&?\/. \r\n]+)/$1 . (rand() < 0.2 ? pick(@strange) : $2)/ge }
    return $text;
}

# Most keep a length that is right, so that what stands in the body is read.
sub mutant
{
    my $text = whole(pick(@targets), pick(@credentials), rand() < 0.2 ? pick(@strange) =~ s/[\r\n\0].*//sr : '');
    my $kind = rand;
    if ($kind < 0.6 && $text =~ /\r\n\r\n./s) {
        my ($head, $body) = split /\r\n\r\n/, $text, 2;
        $body = mutate_once($body) for 0 .. rand 4;
        $text = "$head\r\n\r\n$body";
    } elsif ($kind < 0.8) {
        # What a URL may hold: the rest httpd refuses by itself.
        my $strange = pick(@strange) =~ s/([^\w.~\/&=?-])/sprintf '%%%02X', ord $1/ger;
        $text =~ s{^(\S+ )(\S+)}{my ($method, $path) = ($1, $2); substr($path, 1 + int rand length $path, rand 3, substr $strange, 0, 4000); "$method$path"}e;
    } else {
        $text = mutate_once($text) for 0 .. rand 2;
    }
    if (rand() < 0.7) {
        my ($head, $body) = split /\r\n\r\n/, $text, 2;
        $text = $head =~ s/^Content-Length: \d+/'Content-Length: ' . length($body \/\/ '')/mer . "\r\n\r\n$body" if defined $body;
    }
    return $text;
}

# Status of the first answer, '' where there is none.
sub send_to
{
    my ($text) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $server->host, Timeout => 10) or return 'refused';
    local $SIG{PIPE} = 'IGNORE';
    $socket->autoflush(1);
    print {$socket} $text;
    shutdown $socket, 1;
    my $answer = '';
    my $end = time + 10;
    while ((my $left = $end - time) > 0) {
        my $bits = '';
        vec($bits, fileno $socket, 1) = 1;
        last unless select $bits, undef, undef, $left;
        last unless sysread $socket, $answer, 65536, length $answer;
    }
    return $answer =~ m{^HTTP/1\.\d (\d{3})} ? $1 : '';
}

# ---- sending -------------------------------------------------------------------------------------------------------------------------------

sub children { my $parent = $server->pid; return join ' ', sort { $a <=> $b } grep { $_ != $parent } $server->processes }

my $before = children();
is scalar(split / /, $before), 2, 'two children';
my %plain;
for my $target (@targets) {
    # Not the ones that take away what the others are sent to.
    $plain{send_to(whole($target, $credentials[0], ''))}++ unless $target->[0] eq 'DELETE';
}
note 'as they are: ', join ' ', map { "$_: $plain{$_}" } sort keys %plain;
cmp_ok $plain{200} // 0, '>=', 20, 'valid requests come through';
ok !grep({ /^5/ && $_ ne '503' } keys %plain), 'A1: none of them with a fault';

my @seen = together($clients, sub {
    my ($client) = @_;
    srand $seed * 1000 + $client;
    my (%count, @faults);
    for my $number (1 .. $requests / $clients) {
        my $text = mutant();
        my $status = send_to($text);
        $count{$status}++;
        push @faults, "client $client, number $number: $text" if $status eq '500' && @faults < 5;
    }
    return [\%count, \@faults];
});
my %count;
for my $one (@seen) {
    $count{$_} += $one->[0]{$_} for keys %{$one->[0]};
}
note join ' ', map { ($_ || 'no answer') . ": $count{$_}" } sort keys %count;
is join("\n", map { @{$_->[1]} } @seen), '', 'A1: nothing is answered with 500';
is children(), $before, "A1: after $requests mutated requests the same children";
my @lines = grep { /AddressSanitizer|runtime error|LeakSanitizer|exit signal|AH0005[12]|Assertion|stack smashing/ } split /\n/, $server->error_log;
is join("\n", @lines[0 .. ($#lines > 9 ? 9 : $#lines)]), '', 'A1: and nothing of a crash in the log';
is send_to(whole(['GET', '/v1/users?limit=1', '', ''], $credentials[0], '')), 200, 'and the API answers on';

done_testing;
