# SPDX-License-Identifier: Apache-2.0
# httpd's own access rules in front of the API: they narrow, never widen, and what they refuse is refused in JSON.
use strict;
use warnings FATAL => 'all';
use Test::More;
use MIME::Base64 'encode_base64';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $passwords = "$ENV{IDENTITY_TOP}/t/servers/require.$$";
open my $out, '>', $passwords or die "$passwords: $!";
print {$out} "front:{SHA}", encode_base64(Digest::SHA::sha1('door'), ''), "\n";
close $out or die $!;

my $front = <<"END_OF_DIRECTIVES";
        AuthType Basic
        AuthName front
        AuthBasicProvider file
        AuthUserFile $passwords
END_OF_DIRECTIVES
# The same routes behind several doors: a port for each.
my @doors = (
    valid => 'Require valid-user',
    nobody => "<RequireAny>\n Require ip 10.0.0.0/8\n Require user -\n</RequireAny>",
    somebody => 'Require user nobody@example.com',
    denied => 'Require all denied',
    not_key => "<RequireAll>\n Require all granted\n Require expr \"%{REMOTE_USER} !~ /^apik_/\"\n</RequireAll>",
    either => "<RequireAny>\n Require ip 127.0.0.0/8\n Require valid-user\n</RequireAny>",
    basic => "${front}Require valid-user",
    basic_open => "${front}Require all granted",
    satisfy => "${front}Require valid-user\n Satisfy Any\n Order deny,allow\n Allow from all",
    redirecting => "Require all granted\n RewriteEngine On\n RewriteRule v1/oauth/activate-user /v1/users [PT]",
    away => "Require valid-user\n RewriteEngine On\n RewriteRule v1/page /index.html [PT]",
);
my %port;
my $hosts = '';
my $base = IdentityTest::Server::free_port();
my @doors_left = @doors;
for (my $port = $base + 1; my ($name, $rules) = splice @doors_left, 0, 2; $port++) {
    $port++ until IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1);
    $port{$name} = $port;
    $hosts .= <<"END_OF_HOST";
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
    <Location />
$rules
    </Location>
</VirtualHost>
END_OF_HOST
}
my $server = IdentityTest::Server->new(front => 1, port => $base, modules => [qw(rewrite access_compat)], directives => $hosts);
my @no_key = ('X-API-KEY' => undef);
my @false = ('X-API-KEY' => 'idk_false');
my @basic = (Authorization => 'Basic ' . encode_base64('front:door', ''));
my $body = {email => 'nobody@example.com'};

sub door
{
    my ($name, @request) = @_;
    local $server->{host} = "127.0.0.1:$port{$name}";
    local $server->{http};
    return $server->api(@request);
}

sub ask { my ($door, @headers) = @_; return door($door, POST => '/v1/oauth/request-password-reset', $body, @no_key, @headers) }

# ---- Require ----------------------------------------------------------------------------------------------------------------------------------

is door(valid => GET => '/v1/users')->status, 200, 'valid-user: a key is somebody';
refused_is(door(valid => GET => '/v1/users', undef, @no_key), 401, UNAUTHORISED => undef, 'valid-user: nobody is not');
refused_is(door(valid => GET => '/v1/users', undef, @false), 401, UNAUTHORISED => undef, 'valid-user: nor is a false key');
like door(valid => GET => '/v1/users', undef, @no_key)->header('WWW-Authenticate'), qr/^Bearer realm="identity"$/, 'valid-user: with a challenge';
refused_is(ask('valid'), 401, UNAUTHORISED => undef, 'valid-user: the public calls are behind it too');
refused_is(door(valid => GET => '/v1/nothing', undef, @no_key), 401, UNAUTHORISED => undef, 'valid-user: and what is not there');
is door(valid => OPTIONS => '/v1/users', undef, @no_key)->status, 401, 'valid-user: and OPTIONS';

refused_is(ask('nobody'), 401, UNAUTHORISED => undef, 'who is nobody is not the user of that name');
refused_is(door(nobody => GET => '/v1/users'), 403, USER_NOT_ALLOWED => undef, 'nor is a key');
refused_is(door(somebody => GET => '/v1/users'), 403, USER_NOT_ALLOWED => undef, 'user: another one is asked for');
refused_is(door(somebody => GET => '/v1/users', undef, @no_key), 401, UNAUTHORISED => undef, 'user: nobody may still say who he is');
refused_is(door(denied => GET => '/v1/users'), 403, USER_NOT_ALLOWED => undef, 'all denied: a key');
refused_is(door(denied => GET => '/v1/users', undef, @no_key), 403, USER_NOT_ALLOWED => undef, 'all denied: nobody');
refused_is(ask('denied'), 403, USER_NOT_ALLOWED => undef, 'all denied: a public call');
is door(not_key => GET => '/v1/users')->status, 401, 'expr: by the name of the caller';
is ask('not_key')->status, 200, 'expr: others may';
is door(either => GET => '/v1/users')->status, 200, 'RequireAny: by address, with a key';
is ask('either')->status, 200, 'RequireAny: by address, a public call';
refused_is(door(either => GET => '/v1/users', undef, @no_key), 401, UNAUTHORISED => undef, 'RequireAny: the address is no credential');

# ---- another module's authentication ---------------------------------------------------------------------------------------------------------

my $asked = door(basic => GET => '/v1/users');
refused_is($asked, 401, UNAUTHORISED => undef, 'Basic: a key is not the password of the front door');
is $asked->header('WWW-Authenticate'), 'Basic realm="front"', 'Basic: its own challenge stays';
is door(basic => GET => '/v1/users', undef, @basic, 'X-API-KEY' => $server->key)->status, 200, 'Basic: both';
my $inside = door(basic => GET => '/v1/users', undef, @basic);
refused_is($inside, 401, UNAUTHORISED => undef, 'Basic: the password of the front door is not a key');
like $inside->header('WWW-Authenticate'), qr/^Bearer/, 'Basic: the challenge is ours then';
is ask('basic', @basic)->status, 200, 'Basic: a public call';
is door(basic_open => GET => '/v1/users')->status, 200, 'Basic that nobody asks for: a key is enough';
refused_is(door(basic_open => GET => '/v1/users', undef, @no_key), 401, UNAUTHORISED => undef, 'Basic that nobody asks for: but needed');

# Satisfy Any lets in by address without asking who it is: then nobody is anybody here.
refused_is(door(satisfy => GET => '/v1/users', undef, @no_key), 401, UNAUTHORISED => undef, 'Satisfy Any: nobody');
refused_is(door(satisfy => GET => '/v1/users'), 401, UNAUTHORISED => undef, 'Satisfy Any: the phase did not run, so there is no caller');

# ---- from one path to another inside the same configuration ----------------------------------------------------------------------------------

refused_is(door(redirecting => GET => '/v1/oauth/activate-user', undef, @no_key), 401, UNAUTHORISED => undef, 'from a public route to one that is not: nobody');
shape_is door(redirecting => GET => '/v1/oauth/activate-user'), 'page of user', 'from a public route to one that is not: a key';
refused_is(door(redirecting => GET => '/v1/oauth/activate-user', undef, @false), 401, UNAUTHORISED => undef, 'from a public route to one that is not: a false key');
is door(away => GET => '/v1/page', undef, @false)->status, 401, 'away from the API: a false key is nobody for Require';

done_testing;
