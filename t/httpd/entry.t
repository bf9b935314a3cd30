# SPDX-License-Identifier: Apache-2.0
# The page that signs in and out, and stands in for what somebody may not see (ErrorDocument 401 and 403): by plain requests, for programs, for places that are not
# ours. In a browser: entry_browser.t. (security 31, 41, 42, 71)
# run on: event prefork asan
use strict;
use warnings FATAL => 'all';
use utf8;
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $folder = IdentityTest::Protected::folder();
put("$folder/people", "wiki:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"); # password
my $places = <<"END";
    ServerAdmin help\@example.org
    Alias /ours    "$folder/files"
    Alias /figures "$folder/files"
    Alias /keys    "$folder/files"
    Alias /wiki    "$folder/files"
    Alias /closed  "$folder/files"
    Alias /nobody  "$folder/files"
    <Directory "$folder">
        Require all granted
    </Directory>
    <Location /ours>
        AuthType Identity
        AuthName "Ours"
        IdentityCookie On
        Require valid-user
    </Location>
    <Location /figures>
        AuthType Identity
        AuthName "Figures"
        IdentityCookie On
        Require identity-permission FIGURES.READ
    </Location>
    <Location /keys>
        AuthType Identity
        AuthName "Keys"
        Require valid-user
    </Location>
    <Location /wiki>
        AuthType Basic
        AuthName "Wiki"
        AuthUserFile "$folder/people"
        Require valid-user
    </Location>
    <Location /closed>
        AuthType Basic
        AuthName "Closed"
        AuthUserFile "$folder/people"
        Require user wiki
        AuthzSendForbiddenOnFailure On
    </Location>
    <Location /nobody>
        Require all denied
    </Location>
END
my $server = IdentityTest::Server->new(modules => ['authn_file'], directives => <<"END");
    $places
    <Location /v1/oauth>
        IdentityCookie On
    </Location>
    ErrorDocument 401 /v1/oauth/sign-in
    ErrorDocument 403 /v1/oauth/sign-in
    ErrorDocument 404 /v1/oauth/sign-in
END
my $plain = IdentityTest::Server->new(state => $server->state_folder, modules => ['authn_file'], directives => $places);

my @html = (Accept => 'text/html,application/xhtml+xml,*/*;q=0.8');
my $ada = somebody($server, ['FIGURES.READ']);
my $bob = somebody($server, ['ROLE.VIEW']);

sub form
{
    my ($path, $fields, %more) = @_;
    my $text = join '&', map { "$_=" . $fields->{$_} =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/egr } sort keys %$fields;
    my %headers = ('Content-Type' => 'application/x-www-form-urlencoded', Origin => $server->origin, @html, %more);
    delete @headers{grep { !defined $headers{$_} } keys %headers};
    return $server->http->request(POST => $server->origin . $path, {headers => \%headers, content => $text});
}

sub header_of { my ($answer, $name) = @_; my $value = $answer->{headers}{$name}; return ref $value ? join ', ', @$value : $value // '' }
sub cookies { my ($answer) = @_; return join '; ', map { /^(identity_\w+=[^;]+);/ ? $1 : () } split /, (?=identity_)/, header_of($answer, 'set-cookie') }
sub password_of { my ($who) = @_; return {username => $who->{name}, password => $who->{password}} }

# ---- where to afterwards ------------------------------------------------------------------------------------------------------------------------

my $answer = ask($server, GET => '/v1/oauth/sign-in', @html);
is join(' ', map { header_of($answer, $_) } qw(content-type cache-control referrer-policy x-frame-options)), 'text/html; charset=utf-8 no-store same-origin DENY', 'a page';
like header_of($answer, 'content-security-policy'), qr/^default-src 'none';.*form-action 'self'; frame-ancestors 'none'$/, 'of its own content alone, whose forms go nowhere else # security 31';
for my $return ('//evil.example', 'https://evil.example/', '/\\evil.example', '/%09/evil.example', '/%0d%0aSet-Cookie:x=1', 'evil', 'javascript:alert(1)', '', '/%5C%5Cevil', '/' . 'x' x 4096) {
    my $shown = substr $return, 0, 20;
    for my $path (qw(sign-in sign-out)) {
        my $refused = ask($server, GET => "/v1/oauth/$path?return=$return", @html);
        is $refused->{status}, 400, "from $path no way to '$shown' # security 71";
        unlike $refused->{text}, qr/evil|alert/, '... which is not said again';
    }
    is header_of(form("/v1/oauth/sign-in?return=$return", password_of($ada)), 'location'), '', '... nor by the form';
}
$answer = form('/v1/oauth/sign-in?return=%2Fours%2Fa.html%3Fq%3D1', password_of($ada));
is join(' ', $answer->{status}, header_of($answer, 'location')), '303 /ours/a.html?q=1', 'signed in by a plain form, and on to a path of this host';
my $cookies = cookies($answer);
my @form = ('X-API-KEY' => undef, 'Content-Type' => 'application/x-www-form-urlencoded', Origin => $server->origin);
is $server->api(POST => '/v1/oauth/sign-in?return=/a', "username=$ada->{name}&password=$ada->{password}", @form)->status, 303, 'as conf/openapi.json has it';
is $server->api(POST => '/v1/oauth/sign-out?return=/a', '', @form)->status, 303, '... signing out, too';
like $cookies, qr/identity_refresh=.*; identity_access=/, '... with both cookies';
is ask($server, GET => '/ours/a.html', Cookie => $cookies)->{status}, 200, '... which open the place';
is header_of(form('/v1/oauth/sign-in', password_of($ada)), 'location'), '/', 'without a return the front page';
$answer = ask($server, GET => '/v1/oauth/sign-in?return=%2Fa%22%3E%3Cscript%3Ealert(1)%3C/script%3E', @html);
like $answer->{text}, qr{data-return="/a%22%3E%3Cscript%3Ealert\(1\)%3C/script%3E"}, 'what stands in the page is escaped';

# ---- the form -----------------------------------------------------------------------------------------------------------------------------------

$answer = form('/v1/oauth/sign-in?return=/ours/', {username => '"><script>x', password => 'Wrong1horse'});
is $answer->{status}, 401, 'a wrong password';
like $answer->{content}, qr{role="alert"><span>The name or the password is wrong\.</span>}, '... is said on the page';
like $answer->{content}, qr{value="&quot;&gt;&lt;script&gt;x"}, '... which keeps the name, as text';
unlike $answer->{content}, qr/Wrong1horse/, '... and not the password';
like form('/v1/oauth/sign-in', {username => "j\xc3\xb6rg\@example.org", password => 'Wrong1horse'})->{content}, qr{value="j\xc3\xb6rg\@example\.org"}, '... in whatever letters (A15)';
is header_of($answer, 'set-cookie'), '', '... and sets no cookie';
like form('/v1/oauth/sign-in', {username => 'x'})->{content}, qr/<span>Please enter your name/, 'without a password';
like form('/v1/oauth/sign-in', {username => 'x', password => 'y'}, 'Accept-Language' => 'de-AT, en;q=0.5')->{content}, qr{<html lang="de".*Der Name oder das Passwort stimmt nicht}s, 'in German';
like form('/v1/oauth/sign-in', {username => 'x', password => 'y'}, Accept => '*/*')->{content}, qr/^\{.*"UNAUTHORISED"/, 'a program gets the error as everywhere';
for my $given ({Origin => 'https://evil.example'}, {Origin => 'null'}, {Origin => 'https://evil.example', 'Sec-Fetch-Site' => 'cross-site'}, {Origin => undef, 'Sec-Fetch-Site' => 'same-site'}) {
    my $says = join ' ', map { "$_: " . ($given->{$_} // 'none') } sort keys %$given;
    $answer = form('/v1/oauth/sign-in', password_of($ada), %$given);
    is join(' ', $answer->{status}, cookies($answer)), '403 ', "no form of another page signs in: $says # security 42";
    is form('/v1/oauth/sign-out', {}, %$given, Cookie => $cookies)->{status}, 403, '... or out';
}
is ask($server, GET => '/ours/a.html', Cookie => $cookies)->{status}, 200, '... who was signed in still is';
is form('/v1/oauth/sign-in', password_of($ada), Origin => 'null', 'Sec-Fetch-Site' => 'same-origin')->{status}, 303, 'where a page hides its origin Sec-Fetch-Site says whose it is';

# ---- signing out --------------------------------------------------------------------------------------------------------------------------------

$answer = ask($server, GET => '/v1/oauth/sign-out?return=/ours/', @html, Cookie => $cookies);
like $answer->{text}, qr{<title>Sign out\?</title>.*<form method="post" action="/v1/oauth/sign-out\?return=%2Fours%2F">}s, 'to look at sign-out asks';
is ask($server, GET => '/ours/a.html', Cookie => $cookies)->{status}, 200, '... and ends nothing';
$answer = form('/v1/oauth/sign-out?return=/ours/', {}, Cookie => $cookies);
is join(' ', $answer->{status}, header_of($answer, 'location')), '303 /ours/', 'POST ends the session';
is scalar(() = header_of($answer, 'set-cookie') =~ /Max-Age=0/g), 2, '... and takes both cookies back';
is ask($server, GET => '/ours/a.html', Cookie => $cookies)->{status}, 401, '... which are worth nothing # security 37';
$answer = form('/v1/oauth/sign-out', {}, Cookie => $cookies);
is $answer->{status}, 200, 'once more is no mistake';
like $answer->{content}, qr{<title>You are signed out</title>}, '... and says so';
($cookies) = cookies(form('/v1/oauth/sign-in', password_of($ada))) =~ /(identity_access=[^;]+)/;
is form('/v1/oauth/sign-out', {}, Cookie => $cookies)->{status}, 200, 'by the access cookie alone';
is ask($server, GET => '/ours/a.html', Cookie => $cookies)->{status}, 401, '... its session ends, too';

# ---- in place of an error -------------------------------------------------------------------------------------------------------------------------

$cookies = cookies(form('/v1/oauth/sign-in', password_of($bob)));
for my $one (['/ours/a.html?x=%3Cb%3E&y=%22', 401, [], 'ours, nobody'], ['/figures/a.html', 403, [Cookie => $cookies, Origin => $server->origin], 'ours, who lacks something'],
    ['/keys/a.html', 401, [], 'ours, without cookies'], ['/wiki/a.html', 401, [], 'Basic of a file'], ['/wiki/a.html', 401, [basic(wiki => 'wrong')], 'Basic, wrong'],
    ['/nobody/a.html', 403, [], 'for nobody']) {
    my ($path, $status, $headers, $name) = @$one;
    for my $method (qw(GET HEAD POST)) {
        my @origin = map { $_ eq $server->origin ? $plain->origin : $_ } @$headers;
        my ($with, $without) = (ask($server, $method => $path, @$headers, Accept => '*/*'), ask($plain, $method => $path, @origin, Accept => '*/*'));
        is $with->{status}, $status, "$name, $method: the status stays";
        is $with->{text}, $without->{text}, '... and what a program is told, to the byte';
        is header_of($with, $_), header_of($without, $_), "... and $_" for qw(www-authenticate content-type);
        $with = ask($server, $method => $path, @$headers, @html);
        is $with->{status}, $status, '... the status stays in a browser';
        is header_of($with, 'www-authenticate'), header_of($without, 'www-authenticate'), '... and the challenge';
        like $with->{text}, qr{<main data-page="entry"}, '... which gets the page' if $method ne 'HEAD';
        unlike $with->{text}, qr{<b>}, '... where nothing of the request is HTML';
    }
    unlike ask($server, GET => $path, @$headers, @html, 'Sec-Fetch-Dest' => 'script')->{text}, qr/data-page/, "$name: no script or image gets a page";
}
$answer = ask($server, GET => '/ours/a.html?x=%3Cb%3E', @html);
like $answer->{text}, qr{<title>Sign in</title>.*is for people who sign in.*action="/v1/oauth/sign-in\?return=%2Fours%2Fa\.html%3Fx%3D%253Cb%253E".*name="password"}s,
    'a place of ours: the form, and back to what was asked for';
$answer = ask($server, GET => '/figures/a.html', @html, Cookie => $cookies);
like $answer->{text}, qr{<title>You may not see this page</title>.*signed in as <strong>\Q$bob->{name}\E</strong>.*mailto:help\@example\.org}s,
    'who lacks something is told as whom, and whom to ask';
like $answer->{text}, qr{action="/v1/oauth/sign-out\?return=%2Fv1%2Foauth%2Fsign-in%3Freturn%3D%252Ffigures%252Fa\.html"}, '... and can sign in as somebody else';
put("$folder/people", "wiki:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nj\xc3\xb6rg:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nj\xf6rg:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
like ask($server, GET => '/closed/a.html', @html, basic("j\xc3\xb6rg" => 'password'))->{text}, qr{signed in as <strong>j\xc3\xb6rg</strong>}, '... in whatever letters (A15)';
like ask($server, GET => '/closed/a.html', @html, basic("j\xf6rg" => 'password'))->{text}, qr{signed in as <strong>\?</strong>}, '... where they are letters';
unlike ask($server, GET => '/nobody/a.html', @html)->{text}, qr/name="password"|<form method/, 'where signing in helps nobody there is no form';
like ask($server, GET => '/wiki/a.html', @html)->{text}, qr{<title>Sign-in needed</title>.*window of your browser}s, 'a place of another kind: no form that would not help';
is ask($server, GET => '/wiki/a.html', @html, basic(wiki => 'password'))->{status}, 200, '... and its own way in works';
is_deeply [map { $_->{status}, $_->{text} } ask($server, GET => '/not-there', @html)], [map { $_->{status}, $_->{text} } ask($plain, GET => '/not-there', @html)], 'it stands in for nothing but 401 and 403';
is ask($server, GET => "/v1/oauth/$_", Accept => 'text/html')->{status}, 404, 'the API\'s own errors stay as they are' for 'nothing';

# httpd never calls the page of an error for the error of a page, and neither does ours.
my $shut = IdentityTest::Server->new(state => $server->state_folder, directives => <<"END");
    <Location />
        AuthType Identity
        AuthName All
        IdentityCookie On
        Require valid-user
        IdentityPublicCalls Off
        ErrorDocument 401 /v1/oauth/sign-in
        ErrorDocument 403 /v1/oauth/sign-in
    </Location>
END
is ask($shut, GET => $_, @html)->{status}, 401, "shut in: $_ is 401, once" for '/', '/v1/oauth/sign-in';
$shut->stop;

# ---- ways that are shut -----------------------------------------------------------------------------------------------------------------------------

$server->stop;
my $bare = IdentityTest::Server->new(state => $server->state_folder, directives => "IdentityPasswordGrant Off\n<Location /v1/oauth>\nIdentityCookie On\n</Location>\n");
$answer = ask($bare, GET => '/v1/oauth/sign-in', @html);
ok $answer->{text} !~ /name="password"/ && $answer->{text} =~ /Nobody can sign in here/, 'neither password nor provider: it says so';
$bare->stop;
my $named = IdentityTest::Server->new(state => $server->state_folder, directives => "IdentityUserName login\n<Location /v1/oauth>\nIdentityCookie On\n</Location>\n");
like ask($named, GET => '/v1/oauth/sign-in', @html)->{text}, qr/E-mail address or user name/, 'M19: where a login signs in the form says so';
$named->stop;
$answer = ask($plain, GET => '/v1/oauth/sign-in', @html);
ok $answer->{text} !~ /name="password"/ && $answer->{text} =~ /not configured for sign-in/, 'IdentityCookie Off: it says so';
$answer = $plain->http->request(POST => $plain->origin . '/v1/oauth/sign-in', {headers => {Accept => 'text/html', 'Content-Type' => 'application/x-www-form-urlencoded', Origin => $plain->origin}, content => 'username=ada@example.org&password=Correct1Horse'});
ok $answer->{status} == 403 && $answer->{content} !~ /name="password"|<span>/ && $answer->{content} =~ /role="alert">This server is not configured for sign-in/, '... also to a form that comes all the same' or diag $answer->{status};

# ---- the database is away -----------------------------------------------------------------------------------------------------------------------------

my $state = $plain->state_folder;
$plain->stop;
my $away = IdentityTest::Server->new(state => $state, directives => <<"END", start => 0);
    $places
    <Location /v1/oauth>
        IdentityCookie On
    </Location>
    ErrorDocument 403 /v1/oauth/sign-in
END
rename "$state/identity.db", "$state/away" or die $!;
expect_in_log("$state/identity.db does not exist");
system(@{$away->{command}}, '-k', 'start') == 0 or die 'httpd did not start';
my $status = 0;
for (1 .. 300) { $status = eval { ask($away, GET => '/nobody/a.html', @html)->{status} } // 0 and last; sleep 1 }
is $status, 403, 'without a database the status of a place that is not ours stays';
$away->stop;
rename "$state/away", "$state/identity.db" or die $!;

done_testing;
