#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A Debian httpd that serves other sites, built from Debian's own configuration in a private root: make install, a2enmod identity, a reload as logrotate does it, and
# make uninstall change no byte of what they answer. (M2, M25)
use strict;
use warnings FATAL => 'all';
use File::Path 'make_path';
use File::Temp 'tempdir';
use HTTP::Tiny;
use IO::Socket::INET;
use Test::More;
use Time::HiRes 'sleep';

my $base = tempdir('identity-neighbours.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $base;
my $root = $> == 0;
my $user = $root ? 'nobody' : getpwuid $>;
my $group = getgrgid((getpwnam $user)[3]);
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};

sub run
{
    my ($command) = @_;
    my $said = `$command 2>&1`;
    die "$command\n$said" if $?;
    return $said;
}

sub put
{
    my ($path, $text) = @_;
    make_path($path =~ s{/[^/]*\z}{}r);
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die $!;
    return $path;
}

sub port { my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die; return $socket->sockport }

# ---- Debian's packages, of which only files are taken: nothing is installed, and no service starts -----------------------------------------------------

my ($php) = `apt-cache depends php-fpm` =~ /Depends: (php[\d.]+-fpm)/ or die "apt knows no php-fpm\n";
my $packages = 'build/debian';
make_path($packages);
for my $package ('apache2', $php) {
    run("cd $packages && apt-get download $package") unless glob "$packages/${package}_*.deb";
    run("dpkg-deb -x $packages/${package}_*.deb '$base/$package'");
}
my $conf = "$base/etc/apache2";
make_path("$base/etc", "$base/run", "$base/logs", "$base/state");
run("cp -a '$base/apache2/etc/apache2' '$base/etc/' && cp '$base/$php/etc/apache2/conf-available/'* '$conf/conf-available/'");
make_path(map { "$conf/$_-enabled" } qw(mods sites conf));

# ---- the sites ----------------------------------------------------------------------------------------------------------------------------------------

my $port = port();
my $www = "$base/www";
my @paths = ('/', '/v1', '/v1/', '/v1/users', '/v1/oauth/token', '/v2/', '/v2/list.html', '/vx', '/vx/a', '/v10/a', '/.well-known/jwks.json', '/.well-known/oauth-authorization-server',
    '/.well-known/acme-challenge/token', '/missing', '/page.html', '/info.php', '/v1/api.php/users');
put("$www/index.html", 'a site');
put("$www/v1/index.html", 'version one of another program');
put("$www/v1/users", 'its users');
put("$www/v2/list.html", 'x' x 5000);
put("$www/.well-known/jwks.json", '{"keys":["theirs"]}');
put("$www/.well-known/acme-challenge/token", 'challenge');
put("$www/page.html", 'word ' x 2000);
put("$www/info.php", '<?php echo "php ", $_SERVER["HTTP_AUTHORIZATION"] ?? "-", " ", $_SERVER["REQUEST_URI"], " ", $_SERVER["HTTP_X_API_KEY"] ?? "-";');
put("$www/v1/api.php", '<?php header("ETag: \"theirs\""); echo "api ", $_SERVER["PATH_INFO"];');
put("$www/$_/index.html", "$_ content") for 'dbd', 'form';
put("$www/login.html", '<form method="post"></form>');
# A file that is younger than a second has a weak ETag.
run("find '$www' -exec touch -d '1 hour ago' {} +");
run("sqlite3 '$base/state/people.db' \"CREATE TABLE people (name TEXT, password TEXT); INSERT INTO people VALUES ('ada', '" . crypt('secret', 'ab') . "')\"");
put("$base/state/passwords", 'bob:' . crypt('secret', 'ab') . "\n");
my $socket = "$base/run/php.sock";
put("$base/php.conf", "[global]\nerror_log = $base/logs/php\ndaemonize = no\n[www]\n" . ($root ? "user = $user\ngroup = $group\n" : '') . "listen = $socket\nlisten.mode = 0666\npm = static\npm.max_children = 1\n");
run("sed -i 's#/run/php/[^|]*sock#$socket#' '$conf/conf-available/$php.conf'");
put("$conf/ports.conf", "Listen 127.0.0.1:$port\n");
put("$conf/sites-available/shop.conf", <<"END");
DBDriver sqlite3
DBDParams $base/state/people.db
<VirtualHost 127.0.0.1:$port>
    ServerName shop.example
    DocumentRoot $www
    <Directory $www>
        Require all granted
    </Directory>
    <Location /dbd>
        AuthType Basic
        AuthName dbd
        AuthBasicProvider dbd
        AuthDBDUserPWQuery "SELECT password FROM people WHERE name = %s"
        Require valid-user
    </Location>
    <Location /form>
        AuthType form
        AuthName form
        AuthFormProvider file
        AuthUserFile $base/state/passwords
        AuthFormLoginRequiredLocation /login.html
        Session On
        SessionCookieName session path=/
        Require valid-user
    </Location>
</VirtualHost>
END

my %env = (APACHE_RUN_USER => $user, APACHE_RUN_GROUP => $group, APACHE_PID_FILE => "$base/run/pid", APACHE_RUN_DIR => "$base/run", APACHE_LOCK_DIR => "$base/run", APACHE_LOG_DIR => "$base/logs");
put("$conf/envvars", join '', map { "export $_=$env{$_}\n" } sort keys %env);
put("$conf/apache2.conf", do { open my $in, '<', "$conf/apache2.conf" or die; local $/; <$in> =~ s{<Directory /var/www/>}{<Directory $www>}r } . "ServerName neighbours.example\n");
@ENV{keys %env} = values %env;
@ENV{qw(APACHE_CONFDIR APACHE_STATE_DIRECTORY)} = ($conf, "$base/state/apache");
make_path("$base/state/apache");
run("chown -R $user:$group '$base/state' '$www' '$base/run'") if $root;

sub a2 { my ($tool, @names) = @_; run("perl '$base/apache2/usr/sbin/$tool' -q @names") }
# The program is one file, which acts by the name that it is called by.
a2('a2enmod', qw(mpm_event authn_core authz_core authz_host authz_user auth_basic authn_file alias dir env filter mime negotiation setenvif deflate reqtimeout dbd authn_dbd
    request session session_cookie auth_form proxy proxy_fcgi));
a2('a2ensite', 'shop');
a2('a2enconf', $php);

my ($binary) = map { chomp(my $folder = `apxs -q SBINDIR`); chomp(my $target = `apxs -q TARGET`); "$folder/$target" } 1;
my @httpd = ($binary, '-d', $conf, '-f', "$conf/apache2.conf");
my $fpm = fork // die;
if (!$fpm) {
    my ($program) = glob "$base/$php/usr/sbin/php-fpm*";
    open STDERR, '>', '/dev/null';
    exec $program, '-n', '-y', "$base/php.conf" or die;
}
END { my $status = $?; kill TERM => $fpm if $fpm; if (open my $in, '<', "$base/run/pid") { my $pid = <$in>; kill TERM => $pid + 0 if $pid } sleep 1; $? = $status }

# Every answer with its headers, but for what changes with time.
sub answers
{
    my %seen;
    my $http = HTTP::Tiny->new(max_redirect => 0, timeout => 20);
    my $ask = sub {
        my ($name, $method, $path, $headers, $content) = @_;
        my $answer = $http->request($method, "http://127.0.0.1:$port$path", {headers => $headers // {}, defined $content ? (content => $content) : ()});
        delete $answer->{headers}{date};
        # httpd lists methods in the order in which it happened to meet them.
        $answer->{headers}{allow} = join ',', sort split /,/, $answer->{headers}{allow} if $answer->{headers}{allow};
        $answer->{headers}{'set-cookie'} =~ s/=.*// if $answer->{headers}{'set-cookie'};
        $seen{"$name $method $path"} = [$answer->{status}, $answer->{headers}, $answer->{content}];
    };
    for my $path (@paths) {
        $ask->('plain', $_, $path) for qw(GET HEAD OPTIONS);
        $ask->('gzip', GET => $path, {'Accept-Encoding' => 'gzip'});
        $ask->('post', POST => $path, {'Content-Type' => 'application/json', Authorization => 'Bearer theirs', 'X-API-KEY' => 'theirs'}, '{}');
    }
    $ask->('dbd', GET => '/dbd/', {Authorization => $_}) for 'Basic YWRhOnNlY3JldA==';
    $ask->('dbd wrong', GET => '/dbd/', {Authorization => 'Basic YWRhOndyb25n'});
    $ask->('dbd nobody', GET => '/dbd/');
    $ask->('form', GET => '/form/');
    return \%seen;
}

sub settled
{
    for (1 .. 100) {
        my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 1);
        return if $socket;
        sleep 0.1;
    }
    die "httpd does not answer\n", run("tail -20 '$base/logs/error.log'");
}

# As `invoke-rc.d apache2 reload` after logrotate: the configuration is tested first.
sub reload
{
    my ($name) = @_;
    my $said = `@httpd -t 2>&1`;
    is $?, 0, "$name: the configuration is taken" or diag $said;
    run("@httpd -k graceful");
    sleep 2;
    settled();
}

sub tree { return run("cd '$base/etc' && find . | sort | while read -r f; do [ -f \"\$f\" ] && sha256sum \"\$f\" || echo \"\$f\"; done") }

# ---- before and after ---------------------------------------------------------------------------------------------------------------------------------------

run("@httpd -k start");
settled();
my $before = answers();
is $before->{'plain GET /v1/users'}[2], 'its users', 'another program\'s /v1';
like $before->{'plain GET /info.php'}[2], qr/^php /, 'PHP by php-fpm';
like $before->{'post POST /info.php'}[2], qr/^php Bearer theirs .* theirs$/, 'which gets what Debian\'s configuration passes on';
is $before->{'dbd GET /dbd/'}[0], 200, 'mod_authn_dbd';
is $before->{'dbd wrong GET /dbd/'}[0], 401, '... asks its database';
is $before->{'form GET /form/'}[0], 302, 'mod_auth_form';
is_deeply answers(), $before, 'the answers are the same a second time';
my $tree = tree();

my $said = run("make --no-print-directory install DESTDIR='$base'");
run("sed -i 's#/usr/lib/apache2/modules/mod_identity.so#$base/usr/lib/apache2/modules/mod_identity.so#' '$conf/mods-available/identity.load'");
reload('M2: installed');
is_deeply answers(), $before, 'M2: make install changes no byte of any answer';
a2('a2enmod', 'identity');
reload('M2: enabled');
is_deeply answers(), $before, 'M2: a2enmod identity changes no byte of any answer';
rename "$base/logs/error.log", "$base/logs/error.log.1" or die;
reload('M2: logrotate');
is_deeply answers(), $before, 'M2: nor does the reload of logrotate';
like run("@httpd -M"), qr/identity_module/, 'M2: the module is there';
is join('', run("cat '$base/logs/error.log.1' '$base/logs/error.log'") =~ /^.*(?:identity:|AH006[23]\d).*$/mg), '', 'M2: it has said nothing';

run("sed -i 's#$base/usr/lib#/usr/lib#' '$conf/mods-available/identity.load'");
a2('a2dismod', 'identity');
$said = run("make --no-print-directory uninstall DESTDIR='$base'");
reload('M25: uninstalled');
is_deeply answers(), $before, 'M25: make uninstall leaves the sites as they were';
is tree(), $tree, 'M25: and the configuration';
is run("cd '$base' && find usr -type f 2>/dev/null || true"), '', 'M25: no file of it is left';
done_testing;
