# SPDX-License-Identifier: Apache-2.0
# Anything that this httpd serves: every way to show who one is, before everything that can stand behind, with every kind of request. One decision for all.
# (conf/README.md; security 44, 65, 66)
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my $backend = IdentityTest::Protected->backend;
put("$folder/files/page.shtml", '[<!--#include virtual="/inner/part.html" -->]');
put("$folder/open/page.shtml", '[<!--#include virtual="/inner/part.html" -->]');
put("$folder/inner/part.html", 'the part');
put("$folder/open/sign-in.html", 'please sign in');
my $rules = <<'END';
        AuthType Identity
        AuthName "Reports \"2026\""
        Require identity-permission REPORT.READ REPORT.VIEW
END
my $h2 = configuration() eq 'prefork' ? 0 : 1;
my $server = IdentityTest::Server->new(modules => [IdentityTest::Protected::cgi_modules(), qw(proxy proxy_http rewrite include), $h2 ? 'http2' : ()], directives => <<"END");
    LogFormat "%>s %{IDENTITY_USER_ID}e %{IDENTITY_AUTH}e %u %{IDENTITY_REQUEST_ID}e %U" decided
    CustomLog \${LOGS}/decided decided
    @{[$h2 ? 'Protocols h2c http/1.1' : '']}
    @{[$h2 ? "ScriptSock \${LOGS}/cgisock" : '']}
    <Directory "$folder">
        Require all granted
        Options +ExecCGI +Includes
        AddHandler cgi-script .cgi
        AddOutputFilter INCLUDES .shtml
        DirectoryIndex index.html
        FallbackResource disabled
    </Directory>
    Alias /open $folder/open
    Alias /inner $folder/inner
    <Directory "$folder/files">
$rules
    </Directory>
    <Directory "$folder/inner">
$rules
    </Directory>
    Alias /files $folder/files
    Alias /cgi $folder/cgi
    <Location /cgi>
$rules
    </Location>
    ProxyPass /proxy @{[$backend->url]}
    <Location /proxy>
$rules
    </Location>
    Alias /rewritten $folder/files
    <Location /rewritten>
        RewriteEngine On
        RewriteRule b\\.html\$ /files/a.html
$rules
    </Location>
    Alias /redirected $folder/open
    <Location /redirected>
        RewriteEngine On
        RewriteRule . /cgi/echo.cgi [PT]
    </Location>
    Alias /shown $folder/files
    <Location /shown>
        ErrorDocument 401 /open/sign-in.html
        ErrorDocument 403 /cgi/echo.cgi
$rules
    </Location>
    Alias /basic $folder/files
    <Location /basic>
        IdentityBasicKeys On
$rules
    </Location>
END

# ---- who asks ------------------------------------------------------------------------------------------------------------------------------

sub new_key { my (%given) = @_; return $server->api(POST => '/v1/api-keys', {%given})->json }

my $ada = somebody($server, ['REPORT.VIEW']);
my $bob = somebody($server, ['ROLE.VIEW']);
my $eve = somebody($server, ['REPORT.VIEW']);
my $gone = somebody($server, ['REPORT.VIEW']);
my $key = new_key();
my $narrow = new_key(permissions => ['ROLE.VIEW']);
my $revoked = new_key();
my $expired = new_key(expires_at => '2099-01-01T00:00:00Z');
$server->api(PATCH => "/v1/api-keys/$revoked->{id}", {status => 'INACTIVE'});
alter_db("UPDATE api_keys SET expires_at = 1 WHERE id = '$expired->{id}'", $server);
$server->api(POST => '/v1/oauth/logout', undef, @{$eve->{bearer}});
$server->api(PATCH => "/v1/users/$gone->{id}", {status => 'INACTIVE'});

# what is shown, status, what the challenge says
my $realm = 'Bearer realm="Reports \"2026\""';
my $invalid = "$realm, error=\"invalid_token\"";
my @shown = (
    nothing => [], 401, $realm,
    'a false key' => ['X-API-KEY' => 'idk_false'], 401, $realm,
    'an expired key' => ['X-API-KEY' => $expired->{api_key}], 401, $realm,
    'a revoked key' => ['X-API-KEY' => $revoked->{api_key}], 401, $realm,
    'a key that lacks it' => ['X-API-KEY' => $narrow->{api_key}], 403, undef,
    'a key' => ['X-API-KEY' => $key->{api_key}], 200, undef,
    'a key by Authorization' => [Authorization => "ApiKey $key->{api_key}"], 200, undef,
    'a false token' => [Authorization => 'Bearer x.y.z'], 401, $invalid,
    'the token of an ended session' => $eve->{bearer}, 401, $invalid,
    'the token of who was deactivated' => $gone->{bearer}, 401, $invalid,
    'a token that lacks it' => $bob->{bearer}, 403, "$realm, error=\"insufficient_scope\", scope=\"REPORT.READ REPORT.VIEW\"",
    'a token' => $ada->{bearer}, 200, undef,
    'a token in other letters' => [Authorization => $ada->{bearer}[1] =~ s/^Bearer/bEARER/r], 200, undef,
    'two credentials' => ['X-API-KEY' => $key->{api_key}, @{$ada->{bearer}}], 400, "$realm, error=\"invalid_request\"",
    'a key as a password that is not taken' => [basic(git => $key->{api_key})], 401, $realm,
);

# ---- before what ---------------------------------------------------------------------------------------------------------------------------

# path, what shows that it was let in
my @places = (
    'a file' => '/files/a.html', qr/^x{600}$/,
    'an index' => '/files/', qr/^the index$/,
    'a program' => '/cgi/echo.cgi', qr/^REQUEST_METHOD=/m,
    'a backend' => '/proxy/path', qr{^[A-Z]+ /path HTTP/1\.1\r$}m,
    'an internal redirect' => '/rewritten/b.html', qr/^x{600}$/,
    'a redirect from where anybody may' => '/redirected/sign-in.html', qr/^REQUEST_METHOD=/m,
);

for (my @left = @places; my ($what, $path, $inside) = splice @left, 0, 3;) {
    for (my @who = @shown; my ($name, $headers, $status, $challenge) = splice @who, 0, 4;) {
        my $answer = ask($server, GET => $path, @$headers);
        my @wrong;
        push @wrong, "status $answer->{status}" unless $answer->{status} == $status;
        push @wrong, 'challenge ' . ($answer->{headers}{'www-authenticate'} // 'none') unless ($answer->{headers}{'www-authenticate'} // '') eq ($challenge // '');
        push @wrong, 'not what is there' if $status == 200 && $answer->{text} !~ $inside;
        push @wrong, 'what is there' if $status != 200 && $answer->{text} =~ $inside;
        push @wrong, 'to be kept by anybody: ' . (ref $answer->{headers}{'cache-control'} ? "@{$answer->{headers}{'cache-control'}}" : $answer->{headers}{'cache-control'}) if $status == 200 && ($answer->{headers}{'cache-control'} // '') ne 'private';
        for my $method (qw(HEAD OPTIONS POST)) {
            my $other = ask($server, $method => $path, @$headers)->{status};
            my $let_in = $other < 400 || $other == 405;
            push @wrong, "$method: $other" unless $status == 200 ? $let_in : $other == $status;
        }
        my $part = ask($server, GET => $path, @$headers, Range => 'bytes=0-4');
        push @wrong, "a part: $part->{status} $part->{text}"
            unless $part->{status} == $status || $status == 200 && $part->{status} == 206 && length $part->{text} == 5;
        is "@wrong", '', "$what, $name: $status # security 44, 66";
    }
}

# ---- subrequests and error documents ----------------------------------------------------------------------------------------------------------

is ask($server, GET => '/files/page.shtml', @{$ada->{bearer}})->{text}, '[the part]', 'a page with a part of another protected folder # security 66';
is ask($server, GET => '/open/page.shtml', @{$ada->{bearer}})->{text}, '[the part]', 'a page for anybody with a protected part: who may';
unlike ask($server, GET => '/open/page.shtml', @{$bob->{bearer}})->{text}, qr/the part/, '... who may not # security 66';
unlike ask($server, GET => '/open/page.shtml')->{text}, qr/the part/, '... nobody # security 66';

my $answer = ask($server, GET => '/shown/a.html');
is "$answer->{status} $answer->{text}", '401 please sign in', 'ErrorDocument 401 shows its page';
is $answer->{headers}{'www-authenticate'}, $realm, '... with the challenge';
$answer = ask($server, GET => '/shown/a.html', @{$bob->{bearer}});
is $answer->{status}, 403, 'an ErrorDocument that is protected, too, is not shown to who may not see it # security 66';
unlike $answer->{text}, qr/REQUEST_METHOD/, '... nor run';

# ---- a key as password ------------------------------------------------------------------------------------------------------------------------

is ask($server, GET => '/basic/a.html', basic(git => $key->{api_key}))->{status}, 200, 'IdentityBasicKeys: a key as password';
is ask($server, GET => '/basic/a.html', basic('', $narrow->{api_key}))->{status}, 403, '... that lacks it';
is ask($server, GET => '/basic/a.html', basic(git => 'idk_false'))->{status}, 401, '... a false one';
is ask($server, GET => '/basic/a.html', basic($ada->{name} => 'Correct1Horse'))->{status}, 401, '... a password of a person is none';
my $both = ask($server, GET => '/basic/a.html')->{headers}{'www-authenticate'};
is join('; ', ref $both ? @$both : $both), "$realm; Basic realm=\"Reports \\\"2026\\\"\"", '... both challenges';

# ---- HTTP/2 -----------------------------------------------------------------------------------------------------------------------------------

if ($h2) {
    my @wrong;
    for (my @left = @places; my ($what, $path) = splice @left, 0, 3;) {
        for (my @who = @shown; my ($name, $headers, $status) = splice @who, 0, 4;) {
            next unless $name =~ /^(?:nothing|a key|a token that lacks it|two credentials)$/;
            my @lines = map { $_ % 2 ? () : ('-H', "$headers->[$_]: $headers->[$_ + 1]") } 0 .. $#$headers;
            open my $out, '-|', 'curl', '-s', '--max-time', '30', '--http2-prior-knowledge', '-o', '/dev/null', '-w', '%{http_code} %{http_version}', @lines, $server->origin . $path
                or die "curl: $!";
            my $got = <$out>;
            push @wrong, "$what, $name: $got" unless $got eq "$status 2";
        }
    }
    is "@wrong", '', 'the same over HTTP/2 # security 66';
}

# ---- what ends ---------------------------------------------------------------------------------------------------------------------------------

# Each on a connection of its own, so that all children are asked; the first time they get to know who it is.
sub everywhere { my (@headers) = @_; my %seen = map { $_ => 1 } together(12, sub { ask($server, GET => '/files/a.html', @headers)->{status} }); return join ' ', sort keys %seen }
for my $end (
    ['signed out', 401, sub { POST => '/v1/oauth/logout', undef, @{$_[0]{bearer}} }],
    ['deactivated', 401, sub { PATCH => "/v1/users/$_[0]{id}", {status => 'INACTIVE'} }],
    ['the role taken from the membership', 403, sub { PATCH => "/v1/users/$_[0]{id}/memberships/$_[0]{memb}", {role_ids => []} }],
    ['the permission taken from the role', 403, sub { PATCH => "/v1/roles/$_[0]{role}", {permissions => []} }])
{
    my ($what, $status, $request) = @$end;
    my $one = somebody($server, ['REPORT.VIEW']);
    my @seen = (everywhere(@{$one->{bearer}}), $server->api($request->($one))->status, everywhere(@{$one->{bearer}}));
    is "@seen", "200 200 $status", "$what: from the next request on, in every child # security 37";
}
my $short = new_key();
my @seen = (everywhere('X-API-KEY' => $short->{api_key}), $server->api(PATCH => "/v1/api-keys/$short->{id}", {status => 'INACTIVE'})->status, everywhere('X-API-KEY' => $short->{api_key}));
is "@seen", '200 200 401', 'a revoked key: from the next request on, in every child # security 37';

# ---- logs -------------------------------------------------------------------------------------------------------------------------------------

ask($server, GET => '/files/a.html?log', @{$ada->{bearer}});
ask($server, GET => '/files/', 'X-API-KEY' => $key->{api_key});
my $log = do { open my $in, '<', "$server->{root}/logs/decided" or die $!; local $/; <$in> };
like $log, qr{^200 $ada->{id} bearer \Q$ada->{name}\E reqr_\w{20} /files/a\.html$}m, 'LogFormat: who it was';
like $log, qr{^200 $key->{id} key $key->{id} reqr_\w{20} /files/}m, '... a key by its id';
like $log, qr{^401 - - - reqr_\w{20} /files/a\.html$}m, '... nobody';

done_testing;
