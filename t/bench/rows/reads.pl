# SPDX-License-Identifier: Apache-2.0
# W0, W2 to W5 and W8: on one core, which server and load share.
use strict;
use warnings FATAL => 'all';
use Bench;
use BenchLoad;
use HTTP::Tiny;

my $list = '/v1/users?limit=50';

# The page that is so many `next` links behind the first.
sub page
{
    my ($site, $number) = @_;
    my $http = HTTP::Tiny->new(keep_alive => 1, default_headers => {'X-API-KEY' => $site->{key}});
    my $path = $list;
    for (1 .. $number - 1) {
        my $answer = $http->get($site->{identity}{url} . $path);
        $path = $answer->{content} =~ m{"next":"(?:https?://[^/"]*)?([^"]+)"} ? $1 : die "bench: no page behind page $_: $answer->{status}\n";
    }
    return $path;
}

# Each side once, so that files, database and cache are warm; then in turn. Their rates by name.
sub rates
{
    my (%sides) = @_;
    my @names = sort keys %sides;
    $sides{$_}->() for @names;
    my %rate;
    @rate{@names} = in_turn(@sides{@names});
    return %rate;
}

sub reads
{
    my ($site) = @_;
    my ($server, @key) = ($site->{identity}, 'X-API-KEY' => $site->{key});
    my $get = sub { my ($row, $path, @who) = @_; sub { load($row, $server, $path, {}, @who) } };
    my %sides = (W0 => $get->('W0', '/plain/file.html', '-', '-'));
    $sides{W2} = $get->('W2', '/protected/file.html', Authorization => bearer($server, $site->{people}[0][1])) if wanted('W2');
    $sides{W2k} = $get->('W2k', '/protected/file.html', @key) if wanted('W2k');
    $sides{W3} = $get->('W3', '', @key, "$folder/paths") if wanted(qw(W3 W3d W5));
    $sides{W3d} = sub { return `@pinned $build/t/bench-raw_read $site->{kept}/identity.db $site->{kept}/users $seconds` + 0 } if wanted('W3d');
    $sides{first} = $get->('W4', $list, @key) if wanted(qw(W4 W5));
    $sides{far} = $get->('W4', page($site, $site->{far}), @key) if wanted('W4');
    $sides{exact} = $get->('W5', '', @key, "$folder/names.paths") if wanted('W5');
    $sides{prefix} = $get->('W5', '/v1/users/search?username=desk', @key) if wanted('W5');
    $sides{domain} = $get->('W5', '/v1/users/search?username=@desk.example', @key) if wanted('W5');
    return rates(%sides);
}

sub show
{
    my ($rate, $row, $work, $value, $limit, $target) = @_;
    row($row, $work, value => $rate->{$value}, $limit ? (limit => $rate->{$limit}, target => $target) : ()) if wanted($row);
}

# Credentials that nobody has seen yet: the cache is off.
sub cold
{
    my ($site) = @_;
    my $server = $site->{cold};
    $server->start(@pinned);
    my %rate = rates(
        bearer => do { my @bearer = (Authorization => bearer($server, $site->{people}[0][1])); sub { load('W8', $server, '/protected/file.html', {}, @bearer) } },
        W3 => sub { load('W8', $server, '', {}, 'X-API-KEY' => $site->{key}, "$folder/paths") });
    $server->stop;
    show(\%rate, 'W8', 'protected file, access token, `IdentityCache 0`, beside W3 with that', 'bearer', 'W3', '>= 0.5');
}

sub {
    my ($site) = @_;
    if (wanted(qw(W0 W2 W2k W3 W3d W4 W5))) {
        $site->{identity}->start(@pinned);
        my %rate = reads($site);
        $site->{identity}->stop;
        my @show = (
            [W0 => 'static file of 600 bytes (requests/s)', 'W0'],
            [W2 => 'the same protected, access token, beside W0', 'W2', 'W0', '>= 0.9'],
            [W2k => 'the same protected, API key, beside W0', 'W2k', 'W0', '>= 0.9'],
            [W3 => '`GET /v1/users/{id}`, random ids, beside W0', 'W3', 'W0', '>= 0.35'],
            [W3d => 'the same, beside its statements by SQLite alone', 'W3', 'W3d', '>= 0.4'],
            [W4 => "`GET $list`, page $site->{far}, beside the first", 'far', 'first', '>= 0.83'],
            [W4 => 'the first page, beside W0', 'first', 'W0', '>= 0.16'],
            [W5 => '`GET /v1/users/search?username=`, a whole name, beside W3', 'exact', 'W3', '>= 0.8'],
            [W5 => 'a prefix with 50 hits, beside the first page', 'prefix', 'first', '>= 0.8'],
            [W5 => 'a domain with 50 hits, beside the first page', 'domain', 'first', '>= 0.8']);
        show(\%rate, @$_) for @show;
    }
    cold($site) if wanted('W8');
};
