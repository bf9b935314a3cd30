# SPDX-License-Identifier: Apache-2.0
# A1: tokens that are malformed in any of their parts, at the API, at protected content and in bodies: refused, and the child that was asked answers on.
use strict;
use warnings FATAL => 'all';
use MIME::Base64 'encode_base64url';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
# One child, which is not replaced for want of work.
my $server = IdentityTest::Server->new(directives => <<"END");
    StartServers 1
    <IfModule !mpm_prefork_module>
        ServerLimit 1
        ThreadsPerChild 8
        MinSpareThreads 1
        MaxSpareThreads 8
        MaxRequestWorkers 8
    </IfModule>
    <IfModule mpm_prefork_module>
        ServerLimit 1
        MaxRequestWorkers 1
    </IfModule>
    KeepAlive Off
    Alias /files $folder/files
    <Directory "$folder/files">
        AuthType Identity
        AuthName files
        IdentityCookie On
        Require valid-user
    </Directory>
END
my $person = IdentityTest::Protected::somebody($server, ['USER.MORTAL.VIEW']);
my ($token) = $person->{bearer}[1] =~ /^Bearer (\S+)$/ or die 'no token';
my ($header, $payload, $signature) = split /\./, $token;

sub children { my $parent = $server->pid; return join ' ', sort grep { $_ != $parent } $server->processes }

my $before = children();
like $before, qr/^\d+$/, 'one child';
is $server->api(GET => '/v1/roles?limit=1', undef, 'X-API-KEY' => undef, @{$person->{bearer}})->status, 403, 'it knows the token, which may view no roles';

my $deep = encode_base64url('{"alg":"ES256","x":' . '[' x 2000);
my %bad = (
    'what A1 names' => "$header.A=." . 'A' x 86, '= as header' => "=.$payload.$signature", '= as payload' => "$header.=.$signature",
    '= as signature' => "$header.$payload.=", 'A= as header' => "A=.$payload.$signature", 'A= as signature' => "$header.$payload.A=",
    'padding' => "$token=", 'no header' => ".$payload.$signature", 'no payload' => "$header..$signature", 'no signature' => "$header.$payload.",
    'dots' => '..', 'five of them' => '.....', 'a JWE' => "$header.$payload.$signature.$payload.$signature", 'a blank' => "$header.A A.$signature",
    'one character' => "$header.A.$signature", 'bits left over' => "$header.AB.$signature", 'deep nesting' => "$deep.$payload.$signature");
# Bad bytes by which httpd itself refuses a header are sent in bodies alone.
my %in_bodies = ('a NUL' => "$header.A%00A.$signature", 'a byte past ASCII' => "$header.%C3%A4.$signature", 'a line break' => "$header.A%0AA.$signature", '60,000 bytes' => "$header." . 'A' x 60_000 . ".$signature",
    '60,000 of =' => "$header." . 'A%3D' x 15_000 . ".$signature");

sub form
{
    my ($path, $name, $value, @headers) = @_;
    return $server->api(POST => $path, "$name=$value", 'Content-Type' => 'application/x-www-form-urlencoded', @headers);
}

sub escaped { $_[0] =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger }

for my $name (sort keys %bad) {
    my @bearer = (Authorization => "Bearer $bad{$name}");
    is $server->api(GET => '/v1/roles', undef, 'X-API-KEY' => undef, @bearer)->status, 401, "A1: $name: 401 at the API";
    is IdentityTest::Protected::ask($server, GET => '/files/a.html', @bearer)->{status}, 401, "A1: $name: 401 at protected content";
    is IdentityTest::Protected::ask($server, GET => '/files/a.html', Cookie => "identity_access=$bad{$name}")->{status}, 401, "A1: $name: 401 as a cookie";
}
my %values = ((map { $_ => escaped($bad{$_}) } keys %bad), %in_bodies);
for my $name (sort keys %values) {
    # Longer than the field may be, or with a NUL: no question at all.
    my $unread = $values{$name} =~ /%00/ || length $values{$name} > 50_000;
    my $known = !$unread && $values{$name} =~ /\A[\w.-]+\z/;
    is form('/v1/oauth/revoke', token => $values{$name}, 'X-API-KEY' => undef)->status, $known ? 200 : 400, "A1: $name: refused or unknown at revoke";
    my $said = form('/v1/oauth/introspect', token => $values{$name});
    is $said->status . ($unread ? '' : $said->json->{active} ? ' active' : ' not active'), $unread ? '400' : '200 not active', "A1: $name: not active at introspect";
}
is form('/v1/oauth/revoke', token => "$header." . 'A' x (1 << 20) . ".$signature", 'X-API-KEY' => undef)->status, 413, 'A1: 1 MiB is more than a body may have';
is children(), $before, 'A1: the same child as before';
is $server->api(GET => '/v1/roles?limit=1', undef, 'X-API-KEY' => undef, @{$person->{bearer}})->status, 403, 'and it still knows the token';
unlike $server->error_log, qr/exit signal|Assertion|AddressSanitizer/, 'A1: nothing of a crash in the log';

done_testing;
