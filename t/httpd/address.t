# SPDX-License-Identifier: Apache-2.0
# A changed address at protected content, and a mailed link with %23 for #: what the server makes of it, and what it writes into logs. (security 20, 22)
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
my ($old, $new) = ('old.name@example.org', 'new.name@example.org');
my $server = IdentityTest::Server->new(modules => [IdentityTest::Protected::cgi_modules()], directives => <<"END");
    LogLevel warn identity:trace8
    LogFormat "%r|%U|%{Referer}i|%>s|%u|%{IDENTITY_USERNAME}e" everything
    CustomLog \${LOGS}/everything everything
    @{[configuration() eq 'prefork' ? '' : "ScriptSock \${LOGS}/cgisock"]}
    <Directory "$folder">
        Require all granted
        Options +ExecCGI
        AddHandler cgi-script .cgi
    </Directory>
    Alias /any $folder/cgi
    <Location /any>
        AuthType Identity
        AuthName any
        Require valid-user
    </Location>
    Alias /old $folder/cgi
    <Location /old>
        AuthType Identity
        AuthName old
        Require user $old
    </Location>
    Alias /new $folder/cgi
    <Location /new>
        AuthType Identity
        AuthName new
        Require user $new
    </Location>
END
my $password = 'Correct1Horse';
my $person = $server->person(username => $old);

sub slurp
{
    my ($path) = @_;
    open my $in, '<:raw', $path or return '';
    local $/;
    return <$in> // '';
}
sub logged { return slurp("$server->{root}/logs/everything") }

sub who
{
    my ($path) = @_;
    my $answer = ask($server, GET => "$path/echo.cgi", @{$person->{bearer}});
    return join ' ', $answer->{status}, $answer->{status} == 200 ? map { $answer->{text} =~ /^$_=(.*)$/m ? $1 : '-' } qw(REMOTE_USER IDENTITY_USERNAME) : ();
}

# ---- A4 ------------------------------------------------------------------------------------------------------------------------------------

is who('/any'), "200 $old $old", 'the name';
is $server->api(PATCH => "/v1/users/$person->{id}", {username => $new, current_password => $password}, 'X-API-KEY' => undef, @{$person->{bearer}})->status, 200,
    'another address is asked for';
my $mail = $server->wait_mail($new);
is who('/any'), "200 $old $old", 'A4: REMOTE_USER and IDENTITY_USERNAME are the old name until the mailbox has answered';
is who('/old'), "200 $old $old", 'A4: Require user is met by the old name';
is who('/new'), '403', 'A4: ... and not by the one that waits';

# ---- B14 -----------------------------------------------------------------------------------------------------------------------------------

for my $page (qw(activate-user reset-password confirm-address)) {
    my $plain = ask($server, GET => "/v1/oauth/$page")->{text};
    for my $hash ('%23', '%2523') {
        for my $method (qw(GET HEAD)) {
            my $answer = ask($server, $method => "/v1/oauth/$page${hash}token=$mail->{token}");
            is "$answer->{status} $answer->{headers}{'content-type'}", '200 text/html; charset=utf-8', "B14: $method $page$hash... answers the page";
            is $answer->{text}, $plain, 'B14: ... the very same' if $method eq 'GET';
        }
    }
    is ask($server, GET => "/v1/oauth/$page%23")->{status}, 200, "B14: $page%23 without a secret, too";
}
is ask($server, POST => "/v1/oauth/confirm-address%23token=$mail->{token}")->{status}, 400, 'B14: a POST takes no token from the address';
is ask($server, GET => "/v1/oauth/token%23token=$mail->{token}x")->{status}, 404, 'B14: elsewhere %23 is a part of the path';
is who('/any'), "200 $old $old", 'B14: none of it has confirmed anything # security 22';

is $server->api(POST => '/v1/oauth/confirm-address', {token => $mail->{token}}, 'X-API-KEY' => undef)->status, 200, 'B14: the link is still good';
is who('/any'), "200 $new $new", 'A4: then the new name is the name';
is who('/new') . who('/old'), "200 $new ${new}403", 'A4: ... for Require user as well';

my $log = logged();
like $log, qr{^GET /v1/oauth/confirm-address%23\.\.\. HTTP/1\.1\|/v1/oauth/confirm-address\|}m, 'B14: the log shows that a link was mangled';
my @secret = grep { /\Q$mail->{token}\E(?!x)/ } split /\n/, $log . $server->error_log;
is join(' ', @secret), '', 'B14: ... and its secret stands in no log # security 20';
$server->stop;

done_testing;
