# SPDX-License-Identifier: Apache-2.0
# What one child has written holds at once in every other: a create followed at once by list, search and get finds it, and what was taken away is refused
# on the next request. Every request comes on a connection of its own; which child answered stands in a log. (security 37, 56)
use strict;
use warnings FATAL => 'all';
use Test::More;
use Time::HiRes qw(sleep);
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

# Few threads a child, so that requests at once come to several.
my $server = IdentityTest::Server->new(directives => <<'END');
LogFormat "%P %{X-REQUEST-ID}o" child
CustomLog ${LOGS}/children child
<IfModule !mpm_prefork_module>
    StartServers      4
    ServerLimit       4
    ThreadsPerChild   2
    MinSpareThreads   4
    MaxSpareThreads   8
    MaxRequestWorkers 8
</IfModule>
END
my $password = 'Correct1Horse';
my $account = $server->account_id;
my $most = 40;

# api() on a connection of its own.
sub fresh
{
    my (@request) = @_;
    $server->{http} = undef;
    my $answer = $server->api(@request);
    $server->{http} = undef;
    return $answer;
}

# By request id, once the line is there: it is written behind the answer.
sub child_of
{
    my ($id) = @_;
    for (1 .. 500) {
        open my $in, '<', "$server->{root}/logs/children" or die "children: $!";
        while (<$in>) {
            return $1 if /^(\d+) \Q$id\E$/;
        }
        sleep 0.01;
    }
    die "no line of $id\n";
}

# The same request so many times at once: [status, child, body] of each.
sub at_once
{
    my ($many, @request) = @_;
    my @answers = together($many, sub { my $answer = fresh(@{$request[$_[0] % @request]}); [$answer->status, $answer->header('X-REQUEST-ID'), $answer->json] });
    return map { [$_->[0], child_of($_->[1]), $_->[2]] } @answers;
}

sub distinct
{
    my %seen = map { $_ => 1 } @_;
    return keys %seen;
}

# ---- what was made is found ------------------------------------------------------------------------------------------------------------------

# Makes one thing after the other, each asked for at once in every way, until each way has been answered by another child three times. ways: name, request,
# and what must be true of the answer's body.
sub found_elsewhere
{
    my ($what, $make, @ways) = @_;
    my (%elsewhere, @missed, %children);
    for my $round (1 .. $most) {
        my $made = $make->($round);
        my $maker = $made->status < 300 ? child_of($made->header('X-REQUEST-ID')) : die "$what: ", $made->status, ' ', $made->text, "\n";
        my @asked = map { [$_->{request}->($made->json)] } @ways;
        my @answers = at_once(2 * @asked, @asked);
        for my $i (0 .. $#answers) {
            my $way = $ways[$i % @ways];
            my ($status, $child, $body) = @{$answers[$i]};
            push @missed, "$way->{name} in round $round: $status" unless $status == 200 && $way->{finds}->($body, $made->json);
            $elsewhere{$way->{name}}++ if $child != $maker;
            $children{$child} = 1;
        }
        last if @missed || !grep { ($elsewhere{$_->{name}} // 0) < 3 } @ways;
    }
    is "@missed", '', "$what that was just made is found by " . join ', ', map { $_->{name} } @ways;
    cmp_ok $elsewhere{$_->{name}} // 0, '>=', 3, "... $_->{name} in another child" for @ways;
    cmp_ok scalar(keys %children), '>=', 2, '... by ' . keys(%children) . ' children';
}

# The newest is first.
sub heads { my ($list, $made) = @_; $list->{data}[0]{id} eq $made->{id} }
sub same { my ($body, $made) = @_; $body->{id} eq $made->{id} }

found_elsewhere(
    'a user',
    sub { fresh(POST => '/v1/users', {username => "User$_[0]\@children.example", password => $password}) },
    {name => 'list', request => sub { GET => '/v1/users?limit=1' }, finds => \&heads},
    {name => 'list by name', request => sub { GET => "/v1/users?username=$_[0]{username}" }, finds => \&heads},
    {name => 'search', request => sub { GET => "/v1/users/search?username=$_[0]{username}" }, finds => sub { @{$_[0]} == 1 && same($_[0][0], $_[1]) }},
    {name => 'search by prefix', request => sub { GET => '/v1/users/search?username=user' }, finds => sub { grep { same($_, $_[1]) } @{$_[0]} }},
    {name => 'search by domain', request => sub { GET => '/v1/users/search?username=@children.example' }, finds => sub { grep { same($_, $_[1]) } @{$_[0]} }},
    {name => 'get', request => sub { GET => "/v1/users/$_[0]{id}" }, finds => \&same},
    {name => 'login', request => sub { POST => '/v1/oauth/token', {username => $_[0]{username}, password => $password}, 'X-API-KEY' => undef },
        finds => sub { $_[0]{access_token} }});
found_elsewhere(
    'a role',
    sub { fresh(POST => '/v1/roles', {name => "Role $_[0]"}) },
    {name => 'list', request => sub { GET => '/v1/roles?limit=1' }, finds => \&heads},
    {name => 'list by name', request => sub { GET => "/v1/roles?name=$_[0]{name}" =~ s/ /%20/r }, finds => \&heads},
    {name => 'get', request => sub { GET => "/v1/roles/$_[0]{id}" }, finds => \&same});
found_elsewhere(
    'a team',
    sub { fresh(POST => '/v1/teams', {name => "Team $_[0]"}) },
    {name => 'list', request => sub { GET => '/v1/teams?limit=1' }, finds => sub { same($_[0][0], $_[1]) }},
    {name => 'get', request => sub { GET => "/v1/teams/$_[0]{id}" }, finds => \&same});
found_elsewhere(
    'a key',
    sub { fresh(POST => '/v1/api-keys', {description => "Key $_[0]"}) },
    {name => 'list', request => sub { GET => '/v1/api-keys?limit=1' }, finds => \&heads},
    {name => 'search', request => sub { POST => '/v1/api-keys/search', {resource_id => $_[0]{id}} }, finds => \&same},
    {name => 'get', request => sub { GET => "/v1/api-keys/$_[0]{id}" }, finds => \&same},
    {name => 'use', request => sub { GET => '/v1/users?limit=1', undef, 'X-API-KEY' => $_[0]{api_key} }, finds => sub { $_[0]{data} }});
found_elsewhere(
    'a provider',
    sub { fresh(POST => '/v1/authentication-providers', {type => 'DEFAULT', name => "Provider $_[0]"}) },
    {name => 'list', request => sub { GET => '/v1/authentication-providers?limit=1' }, finds => \&heads},
    {name => 'get', request => sub { GET => "/v1/authentication-providers/$_[0]{id}" }, finds => \&same},
    {name => 'its audit record', request => sub { GET => "/v1/audit-records?target_id=$_[0]{id}" }, finds => sub { $_[0]{data}[0]{target_id} eq $_[1]{id} }});
found_elsewhere(
    'a client',
    sub { fresh(POST => '/v1/clients', {name => "Client $_[0]", redirect_uris => ['https://a.example/cb']}) },
    {name => 'list', request => sub { GET => '/v1/clients?limit=1' }, finds => sub { $_[0]{data}[0]{id} eq $_[1]{id} }},
    {name => 'get', request => sub { GET => "/v1/clients/$_[0]{id}" }, finds => sub { $_[0]{id} eq $_[1]{id} }});

# ---- what was taken away is gone ---------------------------------------------------------------------------------------------------------------

my $number = 0;

# Somebody with this role in the account, logged in: id, memb, bearer.
sub somebody
{
    my (%given) = @_;
    my $name = 'somebody' . ++$number . '@children.example';
    my $user = fresh(POST => '/v1/users', {username => $name, password => $password})->json;
    my $membership = {account_id => $account, type => 'USER', role_ids => [@{$given{roles} // []}]};
    my $memberships = fresh(POST => "/v1/users/$user->{id}/memberships", $membership)->json;
    my $token = fresh(POST => '/v1/oauth/token', {username => $name, password => $password}, 'X-API-KEY' => undef)->json->{access_token};
    return {id => $user->{id}, memb => $memberships->[0]{id}, bearer => [Authorization => "Bearer $token"]};
}

sub new_role { fresh(POST => '/v1/roles', {name => 'Taken ' . ++$number, permissions => ['USER.MORTAL.VIEW']})->json->{id} }

# credential lets in, in as many children as can be had; take is one request; then nobody lets it in any more. make: what the credential is and how it is
# taken, anew for each of three rounds.
sub refused_everywhere
{
    my ($what, $status, $make) = @_;
    my (%before, %after, @wrong);
    my $children = configuration() eq 'prefork' ? 3 : 2;
    for my $round (1 .. $most) {
        my ($credential, $take) = $make->();
        my @request = ([GET => '/v1/users?limit=1', undef, @$credential]);
        my @first = map { at_once(8, @request) } 1 .. 2;
        push @wrong, "before: $_->[0]" for grep { $_->[0] != 200 } @first;
        my $taken = $take->();
        push @wrong, 'taking: ' . $taken->status . ' ' . $taken->text unless $taken->status == 200;
        my @then = at_once(8, @request);
        push @wrong, "after: $_->[0]" for grep { $_->[0] != $status } @then;
        # Those count that knew the credential as a good one.
        my %knew = map { $_->[1] => 1 } @first;
        $after{$_->[1]} = 1 for grep { $knew{$_->[1]} && $_->[1] != child_of($taken->header('X-REQUEST-ID')) } @then;
        last if @wrong || $round >= 3 && keys %after >= $children;
    }
    is "@wrong", '', "$what is refused on the next request";
    cmp_ok scalar(keys %after), '>=', $children, '... in ' . keys(%after) . ' children that knew it and did not take it';
}

refused_everywhere('a role taken from a membership', 403, sub {
    my $one = somebody(roles => [new_role()]);
    return $one->{bearer}, sub { fresh(PATCH => "/v1/users/$one->{id}/memberships/$one->{memb}", {role_ids => []}) };
});
refused_everywhere('a permission taken from a role', 403, sub {
    my $role = new_role();
    return somebody(roles => [$role])->{bearer}, sub { fresh(PATCH => "/v1/roles/$role", {permissions => []}) };
});
refused_everywhere('a deactivated user', 401, sub {
    my $one = somebody(roles => [new_role()]);
    return $one->{bearer}, sub { fresh(PATCH => "/v1/users/$one->{id}", {status => 'INACTIVE'}) };
});
refused_everywhere('an ended session', 401, sub {
    my $one = somebody(roles => [new_role()]);
    return $one->{bearer}, sub { fresh(POST => '/v1/oauth/logout', undef, @{$one->{bearer}}) };
});
refused_everywhere('a deactivated key', 401, sub {
    my $key = fresh(POST => '/v1/api-keys', {})->json;
    return ['X-API-KEY' => $key->{api_key}], sub { fresh(PATCH => "/v1/api-keys/$key->{id}", {status => 'INACTIVE'}) };
});
refused_everywhere('a narrowed key', 403, sub {
    my $key = fresh(POST => '/v1/api-keys', {})->json;
    return ['X-API-KEY' => $key->{api_key}], sub { fresh(PATCH => "/v1/api-keys/$key->{id}", {permissions => ['ROLE.VIEW']}) };
});

done_testing;
