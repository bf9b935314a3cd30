# SPDX-License-Identifier: Apache-2.0
# The commands of conf/operations.md, chapter by chapter, exactly as they stand there, and what each chapter promises. Only paths, ids and the controller of httpd are this test's.
# run on: event
use strict;
use warnings FATAL => 'all';
use POSIX ();
use Test::More;
use Time::HiRes 'sleep';
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Protected;
use IdentityTest::Server;

my $top = $ENV{IDENTITY_TOP};
my $folder = IdentityTest::Protected::folder();
my $backups = "$folder/backups";
mkdir $_ for "$folder/bin", "$folder/home", "$folder/control";

# ---- the book -------------------------------------------------------------------------------------------------------------------------------------

my (%blocks, @chapters);
{
    open my $in, '<', "$top/conf/operations.md" or die "conf/operations.md: $!";
    my ($chapter, $inside) = ('');
    while (<$in>) {
        if (/^## (.*)/) { push @chapters, $chapter = $1 }
        elsif (/^```/) { push @{$blocks{$chapter}}, '' if $inside = !$inside }
        elsif ($inside) { $blocks{$chapter}[-1] .= $_ }
    }
}
my %read;

# ---- what stands for the machine -----------------------------------------------------------------------------------------------------------------------

my $web = IdentityTest::Server->new(directives => "IdentityMailURL smtp://127.0.0.1:1\n<Location /private>\nAuthType Identity\nAuthName private\nIdentityCookie On\nRequire valid-user\n</Location>\n<Location /v1/oauth>\nIdentityCookie On\n</Location>\n");
my $state = $web->state_folder;
my $served = $web;
# httpd is told by a file: who types the commands may be nobody, who cannot.
put("$folder/bin/apachectl", "#!/bin/sh\necho \"\$1\" > '$folder/control/wish.new'\nmv '$folder/control/wish.new' '$folder/control/wish'\nwhile [ -e '$folder/control/wish' ]; do sleep 0.1; done\n", 0755);
put("$folder/bin/runuser", "#!/bin/sh\n[ \"\$1 \$3\" = '-u --' ] || exit 9\nshift 3\nexec \"\$@\"\n", 0755);
# The day on which a chapter is typed.
put("$folder/bin/date", "#!/bin/sh\n[ \"\$*\" = +%F ] && exec cat '$folder/control/day'\nexec /bin/date \"\$@\"\n", 0755);
put("$folder/bin/htidentity", "#!/bin/sh\nexec '$top/bin/htidentity' \"\$@\"\n", 0755);
my ($user, $group) = $> == 0 ? qw(nobody nogroup) : (scalar getpwuid $>, scalar getgrgid $));
my @user = $> == 0 ? ('setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups') : ();
system('chown', '-R', 'nobody:nogroup', $folder) == 0 or die 'chown' if @user;

# Runs block number n of a chapter, in a shell that was prepared as the first block says, with these words in place of others; what it printed.
sub typed
{
    my ($chapter, $number, %other) = @_;
    my $text = $blocks{$chapter}[$number] // die "$chapter has no block $number\n";
    $read{"$chapter $number"} = 1;
    my %machine = ('sudo -i' => ':', 'IDENTITY_ENTITY=example' => 'IDENTITY_ENTITY=default', '/var/lib/identity' => $state, '/var/backups/identity' => $backups,
        '-g www-data' => "-g $group", 'www-data' => $user);
    my $prepared = $chapter ? $blocks{''}[0] : '';
    for my $word (sort { length $b <=> length $a } keys %other) {
        $text =~ s/\Q$word\E/$other{$word}/g or fail("$chapter: $word stands there");
    }
    for my $word (sort { length $b <=> length $a } keys %machine) {
        s/\Q$word\E/$machine{$word}/g for $prepared, $text;
    }
    put("$folder/block", "exec 2>&1\nset -e\ncd '$folder/home'\n$prepared$text");
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        %ENV = (PATH => "$folder/bin:$ENV{PATH}");
        exec @user, 'bash', "$folder/block" or die "bash: $!";
    }
    my $said = '';
    while (1) {
        my $bits = '';
        vec($bits, fileno $out, 1) = 1;
        if (select($bits, undef, undef, 0.1)) { sysread($out, $said, 65536, length $said) or last }
        if (open my $wish, '<', "$folder/control/wish") {
            my $what = <$wish>;
            chomp $what;
            $served->$what;
            unlink "$folder/control/wish";
        }
    }
    close $out;
    is $?, 0, "$chapter: the commands do what they are for" or diag $text, $said;
    return $said;
}

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or return '';
    local $/;
    return scalar <$in>;
}

my @no_key = ('X-API-KEY' => undef);
my $password = 'Correct1Horse';
my $made = 0;

# An administrator who has signed in: name, id, bearer.
sub signed_in
{
    my $name = sprintf 'person%d@example.org', ++$made;
    my $id = $web->api(POST => '/v1/users', {username => $name, password => $password})->json->{id} // die 'no user';
    $web->api(POST => "/v1/users/$id/memberships", {account_id => $web->account_id, type => 'ADMIN'})->status == 201 or die 'no membership';
    return {name => $name, id => $id, bearer => token($name)};
}

sub token { my ($name) = @_; return [@no_key, Authorization => 'Bearer ' . ($web->login($name, $password)->json->{access_token} // die 'no token')] }
sub me { my ($who, @as) = @_; return $web->api(GET => "/v1/users/$who->{id}", undef, @as ? @as : @{$who->{bearer}}) }
sub comes { my ($status, $what, $ask) = @_; local $Test::Builder::Level = $Test::Builder::Level + 1; is heard($status, $ask)->status, $status, $what }

my $stays = signed_in();
typed('', 0);

# ---- each chapter ----------------------------------------------------------------------------------------------------------------------------------------

my %test = (
    'Somebody leaves' => sub {
        my $ada = signed_in();
        my $made = $web->api(POST => '/v1/api-keys', {}, @{$ada->{bearer}})->json;
        my $said = typed($_, 0, 'ada@example.org' => $ada->{name}, user_00000000000000000Ada => $ada->{id});
        like $said, qr/\tADD_MEMBERSHIP\tUSER\t$ada->{id}\t/, '... and what was done to her';
        like $said, qr/^$ada->{id}\tINACTIVE\t\S+\t\S+\t1\t0\t\["$made->{id}"\]$/m, '... saying what has ended';
        comes(401, '... the session is worth nothing', sub { me($ada) });
        comes(401, '... nor the key that was made', sub { $web->api(GET => '/v1/users', undef, 'X-API-KEY' => $made->{api_key}) });
        comes(200, '... nobody else is shut out', sub { me($stays) });
    },
    'A phone is lost' => sub {
        my $ada = signed_in();
        my @keys = map { $web->api(POST => "/v1/users/$ada->{id}/api-keys", {description => $_}, @{$ada->{bearer}})->json } qw(phone desk);
        comes(200, '... a personal key is good', sub { me($ada, 'X-API-KEY' => $keys[0]{api_key}) });
        my $said = typed($_, 0, 'ada@example.org' => $ada->{name}, apik_00000000000000000Phone => $keys[0]{id});
        comes(401, '... the session has ended', sub { me($ada) });
        comes(401, '... so has the key of the phone', sub { me($ada, 'X-API-KEY' => $keys[0]{api_key}) });
        comes(200, '... and no other', sub { me($ada, 'X-API-KEY' => $keys[1]{api_key}) });
        my ($new) = $said =~ /^(\S{12,})\s*\z/m;
        comes(401, '... the old password is none', sub { $web->login($ada->{name}, $password) });
        comes(200, '... the one that was printed is good', sub { $web->login($ada->{name}, $new) });
    },
    'Mail is down' => sub {
        my $ada = signed_in();
        $web->api(POST => '/v1/users/invite', {username => 'new@example.org'})->status == 200 or die 'invite';
        my ($invitation) = map { $_->{id} } grep { $_->{email} eq 'new@example.org' } @{$web->api(GET => '/v1/invitations')->json->{invitations} // $web->api(GET => '/v1/invitations')->json->{data}};
        my $said = typed($_, 0, 'ada@example.org' => $ada->{name}, '018BCFE5B6206FE2A501819774500D10' => $invitation);
        my ($reset) = $said =~ m{/v1/oauth/reset-password#token=(\S+)};
        my ($invited) = $said =~ m{/v1/oauth/activate-user#token=(\S+)};
        is $web->api(POST => '/v1/oauth/reset-password', {token => $reset, new_password => 'Another1Horse'}, @no_key)->status, 200, '... the link sets a password';
        is $web->login($ada->{name}, 'Another1Horse')->status, 200, '... which signs in';
        is $web->api(POST => '/v1/oauth/activate-user', {token => $invited, new_password => 'Another1Horse'}, @no_key)->status, 200, '... the other accepts the invitation';
    },
    "The last administrator's key is lost" => sub {
        my $lost = $web->api(POST => '/v1/api-keys', {description => 'lost'})->json;
        my $said = typed($_, 0, 'apik_000000000000000000Lost' => $lost->{id});
        open my $in, '<', "$folder/home/new-key" or die $!;
        is sprintf('%o', (stat $in)[2] & 07777), '600', '... the new key is for nobody else to read';
        chomp(my $new = <$in>);
        comes(200, '... the new key opens everything', sub { $web->api(GET => '/v1/api-keys', undef, 'X-API-KEY' => $new) });
        comes(401, '... the lost one nothing', sub { $web->api(GET => '/v1/api-keys', undef, 'X-API-KEY' => $lost->{api_key}) });
        unlike $said, qr/\Q$new\E/, '... and nothing else has told it';
    },
    'The signing key has leaked' => sub {
        my $ada = signed_in();
        my $kid = $web->api(GET => '/.well-known/jwks.json', undef, @no_key)->json->{keys}[0]{kid};
        typed($_, 0);
        comes(401, '... tokens of the old key are none', sub { me($ada) });
        my $keys = sub { map { $_->{kid} } @{$web->api(GET => '/.well-known/jwks.json', undef, @no_key)->json->{keys}} };
        for (1 .. 100) { last if ($keys->())[0] ne $kid; sleep 0.1 }
        isnt +($keys->())[0], $kid, '... another key signs';
        is scalar(my @all = $keys->()), 1, '... alone';
        comes(200, '... whoever signs in anew gets in', sub { me($ada, @{token($ada->{name})}) });
    },
    'Ending all sessions' => sub {
        my @people = map { signed_in() } 1 .. 3;
        my $said = typed($_, 0);
        like $said, qr/^sessions ended: [1-9]\d*\n\z/, '... none is left';
        for my $one (@people) { comes(401, '... nobody is signed in', sub { me($one) }) }
        comes(200, '... keys go on', sub { $web->api(GET => '/v1/users') });
    },
    'Requests for information or deletion (GDPR)' => sub {
        my $ada = signed_in();
        like typed($_, 0, 'ada@example.org' => $ada->{name}, user_00000000000000000Ada => $ada->{id}), qr/^$ada->{id}\tINACTIVE\t\S+\t\d{4}-\S+Z$/m, '... with a time when it will be erased';
        like slurp("$folder/home/ada.txt"), qr/^\Q$ada->{name}\E\n/, '... what is known is in a file';
        like slurp("$folder/home/ada-did.jsonl"), qr/\Q$ada->{id}\E/, '... what was done by her in another';
        like slurp("$folder/home/done-to-ada.jsonl"), qr/"ADD_MEMBERSHIP"/, '... and what was done to her in a third';
        comes(401, '... all access has ended', sub { me($ada) });
    },
    "Restoring yesterday's backup" => sub {
        my $ada = signed_in();
        for my $day ('2026-10-01', '2026-11-29', '2026-11-30') {
            put("$folder/control/day", "$day\n");
            typed($_, 0);
            ok -s "$backups/$day/identity.db", "... on $day, too";
            utime time - 40 * 86400, time - 40 * 86400, "$backups/$day" if $day eq '2026-10-01';
        }
        is_deeply [map { m{([^/]+)\z} } sort glob "$backups/*"], ['2026-11-29', '2026-11-30'], '... an old one goes';
        my $after = signed_in();
        my @keys = sort map { m{([^/]+)\z} } glob "$state/identity-signing-key*.pem";
        my $said = typed($_, 1);
        unlink glob "$state/identity-signing-key*.pem";
        typed($_, 2);
        is_deeply [sort map { m{([^/]+)\z} } glob "$state/identity-signing-key*.pem"], \@keys, '... signing keys are back';
        typed($_, 3);
        like $said, qr/^restored; the previous database is kept as /m, '... what was there is kept';
        comes(404, '... what came after the backup is gone', sub { $web->api(GET => "/v1/users/$after->{id}") });
        comes(200, '... what was in it is there', sub { $web->api(GET => "/v1/users/$ada->{id}") });
        comes(401, '... and sessions have ended', sub { me($ada) });
        is me($ada, @{token($ada->{name})})->status, 200, '... signing in goes on';
    },
    'Moving the server' => sub {
        my $ada = signed_in();
        typed($_, 0);
        my $new = IdentityTest::Server->new(start => 0, directives => "IdentityPublicURL @{[$web->origin]}\n");
        system("rm -f '@{[$new->state_folder]}'/identity*") == 0 or die;
        my $old = $state;
        ($state, $served) = ($new->state_folder, $new);
        typed($_, 1);
        $new->{keys} = $web->{keys};
        is $new->api(GET => "/v1/users/$ada->{id}", undef, @{$ada->{bearer}})->status, 200, '... nobody is signed out';
        is $new->api(GET => '/v1/users', undef, 'X-API-KEY' => $web->key)->status, 200, '... and keys are good';
        $new->stop;
        ($state, $served) = ($old, $web);
        $web->start;
    },
);
is_deeply [sort keys %test], [sort @chapters], 'every chapter of conf/operations.md has its test';
$test{$_}->() for @chapters;
is_deeply [grep { !$read{$_} } map { my $chapter = $_; map {"$chapter $_"} 0 .. $#{$blocks{$chapter}} } keys %blocks], [], 'every command in it was typed';

done_testing;
