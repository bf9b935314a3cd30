#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# `make run` as a person types it, in a copy of the tree: as the present user; where that is root also as nobody, and with a STATE that www-data cannot reach.
use strict;
use warnings FATAL => 'all';
use File::Path 'remove_tree';
use File::Temp 'tempdir';
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $root = $> == 0;
my $base = tempdir('identity-run.XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $base;
my @started;

sub free_port
{
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no port: $@";
    return $socket->sockport;
}

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return <$in> // '';
}

# A copy that `make` finds up to date.
sub copy_tree
{
    my ($name, $user) = @_;
    my $copy = "$base/$name";
    mkdir $copy or die "$copy: $!";
    system("cp -a Makefile mod_identity.c src include conf build '$copy/'") == 0 or die 'cp failed';
    system('chown', '-R', $user, $copy) == 0 or die 'chown failed' if $user;
    return $copy;
}

# Processes that have the text in their command line, without make itself (whose arguments name the STATE).
sub processes
{
    my ($text) = @_;
    my @found;
    for my $path (glob '/proc/[0-9]*/cmdline') {
        my $command = slurp($path);
        push @found, $path =~ /(\d+)/ if index($command, $text) >= 0;
    }
    return grep { $_ != $$ } @found;
}

# Starts `make run` in a process group of its own; its pid and the file of its output.
sub make_run
{
    my ($copy, $user, %variables) = @_;
    my $output = "$copy/output." . scalar @started;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp;
        # As in a terminal: who started the tests in the background had them ignored.
        @SIG{qw(INT QUIT)} = ('DEFAULT') x 2;
        chdir $copy or die;
        open STDOUT, '>', $output or die;
        open STDERR, '>&', \*STDOUT or die;
        # The outer make's flags are not for this one.
        delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
        my @as = $root && $user ne 'root' ? ('setpriv', "--reuid=$user", '--regid=' . getgrgid((getpwnam $user)[3]), '--clear-groups') : ();
        exec(@as, 'make', 'run', map { "$_=$variables{$_}" } sort keys %variables) or POSIX::_exit(127);
    }
    push @started, $pid;
    return ($pid, $output);
}

sub wait_ready
{
    my ($pid, $output) = @_;
    for (1 .. 900) {
        return $1 if slurp($output) =~ m{^ready (http://\S+)$}m;
        last if waitpid($pid, POSIX::WNOHANG()) != 0;
        sleep 0.1;
    }
    diag slurp($output);
    return '';
}

# The exit status once the process has ended; undef after 30 seconds.
sub wait_end
{
    my ($pid) = @_;
    for (1 .. 300) {
        return $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.1;
    }
    return;
}

sub call
{
    my ($port, $key, $method, $path, $body) = @_;
    my $answer = HTTP::Tiny->new(timeout => 20)->request($method, "http://127.0.0.1:$port$path",
        {headers => {'X-API-KEY' => $key, ($body ? ('Content-Type' => 'application/json') : ())}, ($body ? (content => encode_json($body)) : ())});
    $answer->{json} = eval { decode_json($answer->{content}) };
    return $answer;
}

sub key_of
{
    my ($state) = @_;
    my $key = slurp("$state/admin-api-key");
    chomp $key;
    return $key;
}

# README's first minute: a page for everybody, and one for people who sign in.
sub seen_by_a_person
{
    my ($name, $port, $copy, $user, $state) = @_;
    my $http = HTTP::Tiny->new(timeout => 20);
    my $at = "http://127.0.0.1:$port";
    my $start = $http->get("$at/");
    is $start->{status}, 200, "M10: $name: the page at /";
    like $start->{content}, qr{<a href="/private/">}, "M10: $name: leads to /private/";
    my $closed = $http->get("$at/private/", {headers => {Accept => 'text/html'}});
    is $closed->{status}, 401, "M10: $name: /private/ asks who it is";
    like $closed->{content}, qr{<h1 [^>]*>Sign in</h1>}, "M10: $name: by a page to sign in";
    unlike $closed->{content}, qr{<h1>You are signed in</h1>}, "M10: $name: and shows nothing of it";
    my $said = `printf 'Correct1Horse' | '$copy/build/htidentity' --db 'sqlite3:$state/identity.db' --entity default user add run\@example.org --account default --type ADMIN --password-stdin 2>&1`;
    is $?, 0, "M10: $name: somebody is made as README says" or diag $said;
    my $signed = $http->post("$at/v1/oauth/token", {headers => {'Content-Type' => 'application/json'}, content => '{"username":"run@example.org","password":"Correct1Horse"}'});
    is $signed->{status}, 200, "M10: $name: signs in" or diag $signed->{content};
    my ($cookie) = map { /^((?:__Host-)?identity_access=[^;]+)/ ? $1 : () } map { ref $_ ? @$_ : $_ } $signed->{headers}{'set-cookie'} // ();
    my $open = $http->get("$at/private/", {headers => {Cookie => $cookie // ''}});
    is $open->{status}, 200, "M10: $name: and gets in by the cookie";
    like $open->{content}, qr{<h1>You are signed in</h1>}, "M10: $name: to the page";
}

# Everything there may be left of a server on this state.
sub nothing_left
{
    my ($state, $name) = @_;
    my @left;
    for (1 .. 100) {
        last unless @left = processes("$state/httpd.conf");
        sleep 0.1;
    }
    is "@left", '', $name;
}

sub whole_life
{
    my ($name, $copy, $user, $state) = @_;
    my $port = free_port();
    my %settings = (PORT => $port, STATE => $state);

    my ($pid, $output) = make_run($copy, $user, %settings);
    is wait_ready($pid, $output), "http://127.0.0.1:$port/v1", "$name: ready" or return;
    my $key = key_of($state);
    my $said = slurp($output);
    ok $key ne '' && index($said, $key) < 0, "$name: the key is in its file and not on the screen";
    is sprintf('%o', (stat "$state/admin-api-key")[2] & 07777), '600', "$name: only the owner reads it";
    is call($port, $key, GET => '/v1/users')->{status}, 200, "$name: the key opens";
    seen_by_a_person($name, $port, $copy, $user, $state);
    my $invited = call($port, $key, POST => '/v1/users/invite', {username => 'ada@example.com'});
    is $invited->{status}, 200, "$name: an invitation" or diag $invited->{content};
    my @mails;
    for (1 .. 200) {
        last if @mails = glob "$state/mail/new/*";
        sleep 0.1;
    }
    like slurp($mails[0] // ''), qr/^To: .*ada\@example\.com/m, "$name: its mail is in STATE/mail";
    if ($root) {
        my @owners = sort map { getpwuid((stat "/proc/$_")[4] // 0) // '' } processes("$state/httpd.conf");
        my %owners = map { $_ => 1 } @owners;
        is join(' ', sort keys %owners), $user eq 'root' ? 'root www-data' : $user, "$name: who runs it";
    }

    my ($second, $words) = make_run($copy, $user, PORT => $port, STATE => "$state.other");
    isnt wait_end($second), 0, "$name: a port in use is an error";
    like slurp($words), qr/^make run: port $port is in use; [^\n]*\.$/m, "$name: in one sentence";
    ok !-e "$state.other", "$name: before anything is made";
    ($second, $words) = make_run($copy, $user, PORT => free_port(), STATE => $state);
    isnt wait_end($second), 0, "$name: a STATE in use is an error";
    like slurp($words), qr/in use by another make run\.$/m, "$name: in one sentence";
    is call($port, $key, GET => '/v1/users')->{status}, 200, "$name: the first one is not disturbed";

    kill TERM => $pid;
    ok defined wait_end($pid), "$name: SIGTERM ends make";
    nothing_left($state, "$name: and every process");

    my $conf = "$copy/further.conf";
    open my $out, '>', $conf or die;
    print {$out} "ServerTokens Full\nServerSignature Off\nAddDefaultCharset Off\nHeader always set X-Further yes\n<Location /status>\nSetHandler identity-status\nRequire all granted\n</Location>\n";
    close $out;
    chmod 0644, $conf;
    ($pid, $output) = make_run($copy, $user, %settings, CONF => 'further.conf');
    is wait_ready($pid, $output), "http://127.0.0.1:$port/v1", "$name: a second start";
    is key_of($state), $key, "$name: has the same key";
    my $list = call($port, $key, GET => '/v1/users?username=ada@example.com');
    is eval { $list->{json}{data}[0]{username} }, 'ada@example.com', "$name: and the data";
    is $list->{headers}{'x-further'}, 'yes', "$name: CONF is read";
    is call($port, $key, GET => '/status?auto')->{status}, 200, "B15: $name: SetHandler identity-status in CONF answers";

    # All at once and with no chance to tidy up.
    my $group = join ' ', processes("$state/httpd.conf");
    kill KILL => -$pid, split ' ', $group;
    wait_end($pid);
    nothing_left($state, "$name: killed");
    unlink "$state/admin-api-key";
    ($pid, $output) = make_run($copy, $user, %settings);
    is wait_ready($pid, $output), "http://127.0.0.1:$port/v1", "$name: starts after SIGKILL, with the key file lost";
    isnt key_of($state), $key, "$name: makes another key";
    is call($port, key_of($state), GET => '/v1/users')->{status}, 200, "$name: which opens";

    # Ctrl-C goes to the whole group.
    kill INT => -$pid;
    ok defined wait_end($pid), "$name: Ctrl-C ends make";
    nothing_left($state, "$name: and every process again");
}

# A first start that is cut short, wherever, is completed by the next one.
sub cut_short
{
    my ($copy, $user, $state) = @_;
    my %settings = (PORT => free_port(), STATE => $state);
    for my $seconds (0.25, 0.35, 0.45, 0.55, 0.65, 0.8) {
        my ($pid, $output) = make_run($copy, $user, %settings);
        sleep $seconds;
        kill KILL => -$pid, processes("$state/httpd.conf");
        wait_end($pid);
        nothing_left($state, "cut short after $seconds s: nothing is left");
    }
    my ($pid, $output) = make_run($copy, $user, %settings);
    is wait_ready($pid, $output), "http://127.0.0.1:$settings{PORT}/v1", 'cut short: completed';
    is call($settings{PORT}, key_of($state), GET => '/v1/users')->{status}, 200, 'cut short: the key opens';
    kill TERM => $pid;
    wait_end($pid);
    my $rows = `sqlite3 '$state/identity.db' "SELECT (SELECT count(*) FROM entities) || ' ' || (SELECT count(*) FROM accounts)"`;
    is $rows, "1 1\n", 'cut short: one entity, one account';
}

my $me = getpwuid $>;
my $copy = copy_tree('own');
whole_life($me, $copy, $me, "$copy/run");
cut_short($copy, $me, "$copy/short");
if ($root) {
    my $other = copy_tree('nobody', 'nobody:' . getgrgid((getpwnam 'nobody')[3]));
    whole_life('nobody', $other, 'nobody', "$other/run");

    mkdir "$base/closed", 0700 or die;
    my $closed = "$base/closed/state";
    whole_life('closed folder', $copy, 'root', $closed);
    ok -l "$closed/identity.db" && -l "$closed/mail", 'closed folder: links to a folder of www-data';
    my $real = readlink "$closed/mail";
    like $real, qr{^/var/lib/mod_identity/run\.\w+/mail$}, 'closed folder: under /var/lib';
    is getpwuid((stat $real)[4]), 'www-data', 'closed folder: owned by www-data';
    is sprintf('%o', (stat $real =~ s{/mail$}{}r)[2] & 07777), '700', 'closed folder: and closed to others';
    remove_tree($real =~ s{/mail$}{}r) if $real =~ m{^/var/lib/mod_identity/run\.\w+/mail$};
    remove_tree(($real =~ s{/mail$}{}r) . '.htdocs') if $real =~ m{^/var/lib/mod_identity/run\.\w+/mail$};
}

# ---- whose the STATE is (A10) ----------------------------------------------------------------------------------------------------------------

# A folder with what is to be found there: text, or a reference to where a link leads to.
sub state_with
{
    my ($folder, %there) = @_;
    mkdir $folder, 0755 or die "$folder: $!";
    for my $name (sort keys %there) {
        my $value = $there{$name};
        if (ref $value) {
            symlink $$value, "$folder/$name" or die "$name: $!";
        } elsif ($name =~ m{/$}) {
            mkdir "$folder/$name" or die "$name: $!";
        } else {
            open my $out, '>', "$folder/$name" or die "$name: $!";
            print {$out} $value;
            close $out;
        }
    }
    return $folder;
}

# Refused in one sentence, and what stands outside is as it was.
sub refused_state
{
    my ($name, $state, $sentence) = @_;
    my $before = join ' ', map { join ':', (lstat)[1, 2, 4, 7] } "$base/victim", glob "$state/* $state/.l*";
    my ($pid, $output) = make_run($copy, $me, PORT => free_port(), STATE => $state);
    isnt wait_end($pid), 0, "A10: refused: $name";
    like slurp($output), qr/^make run: [^\n]*$sentence[^\n]*name another folder by STATE\.$/m, "A10: in one sentence: $name";
    is slurp("$base/victim"), 'dear', "A10: nothing is written elsewhere: $name";
    is join(' ', map { join ':', (lstat)[1, 2, 4, 7] } "$base/victim", glob "$state/* $state/.l*"), $before, "A10: nor in it: $name";
}

open my $victim, '>', "$base/victim" or die $!;
print {$victim} 'dear';
close $victim;
my $to = \"$base/victim";
my $case = 0;
for my $link ('.lock', 'admin-api-key', 'httpd.conf', 'logs', 'htdocs') {
    refused_state("$link is a link", state_with("$base/state" . ++$case, $link => $to), 'is a link');
}
refused_state('a link in logs', state_with("$base/state" . ++$case, 'logs/' => '', 'logs/error_log' => $to), 'links in');
my $shared = state_with("$base/state" . ++$case);
chmod 0777, $shared;
refused_state('others may write', $shared, 'others may write into');
# The old name of the key while it was made.
my $old = state_with("$base/state" . ++$case, 'admin-api-key.new' => $to);
my %old = (PORT => free_port(), STATE => $old);
my ($old_pid, $old_output) = make_run($copy, $me, %old);
is wait_ready($old_pid, $old_output), "http://127.0.0.1:$old{PORT}/v1", 'A10: a link of the name that the key had while it was made is left alone';
is slurp("$base/victim"), 'dear', 'A10: what it leads to is not written';
is call($old{PORT}, key_of($old), GET => '/v1/users')->{status}, 200, 'A10: the key opens';
kill TERM => $old_pid;
wait_end($old_pid);
if ($root) {
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    for my $there ([], ['admin-api-key.new' => $to], ['.lock' => $to], ['httpd.conf' => 'Listen 1']) {
        my $foreign = state_with("$base/state" . ++$case, @$there);
        chown $uid, $gid, $foreign or die $!;
        refused_state("somebody else's, with @{[map { ref ? $$_ : $_ } @$there]}", $foreign, 'belongs to somebody else');
    }
    my $given = state_with("$base/state" . ++$case, 'httpd.conf' => 'Listen 1');
    chown $uid, $gid, "$given/httpd.conf" or die $!;
    refused_state('a file of somebody else', $given, 'belongs to somebody else');
    $given = state_with("$base/state" . ++$case, 'identity.db' => $to);
    system('chown', '-h', 'nobody', "$given/identity.db") == 0 or die;
    refused_state('a link of somebody else', $given, "is somebody else's link");
    # What www-data may write to by itself.
    $given = state_with("$base/state" . ++$case, 'data/' => '', 'data/identity.db' => $to, 'identity.db' => \'data/identity.db');
    refused_state('a link where www-data writes', $given, 'is a link');
}

for (['PORT=0'], ['PORT=http'], ['PORT=70000'], ['CONF=nowhere.conf']) {
    my ($pid, $output) = make_run($copy, $me, PORT => free_port(), STATE => "$copy/never", map { split /=/ } @$_);
    isnt wait_end($pid), 0, "@$_ is refused";
    like slurp($output), qr/^make run: [^\n]*(?:PORT|CONF)[^\n]*\.$/m, "@$_: in one sentence";
}
ok !-e "$copy/never", 'and nothing was made';

END {
    my $status = $?;
    for my $pid (@started) {
        kill KILL => -$pid;
    }
    kill KILL => $_ for $base ? processes("$base/") : ();
    $? = $status;
}
done_testing;
