# SPDX-License-Identifier: Apache-2.0
# Every command of htidentity's table: what it does, what it refuses, and its exit status.
# run on: event
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::More;
use Time::HiRes 'sleep';
use IdentityTest;
use IdentityTest::Api;

my $site = entity('commands');
my @key = @{$site->{key}};
my $state = server()->{state};

# Exit status, standard output, standard error; the first argument is what comes on standard input.
sub run_with
{
    my ($input, @arguments) = @_;
    open my $in, '+>', "$state/input.$$" or die $!;
    print {$in} $input;
    seek $in, 0, 0;
    open my $kept, '<&', \*STDIN or die $!;
    open STDIN, '<&', $in or die $!;
    sysseek STDIN, 0, 0;
    my ($status, $out, $error) = tool(@arguments);
    open STDIN, '<&', $kept or die $!;
    unlink "$state/input.$$";
    return ($status & 127 ? "signal $status" : $status >> 8, $out, $error);
}
my %alone = map { $_ => 1 } 'alias add', 'entity list', 'entity show', 'entity add', 'entity set', 'entity delete', qw(check migrate calibrate purge), qw(stats backup restore), 'mail list', 'mail retry', 'mail preview';
sub run
{
    my ($noun, $verb) = @_;
    return run_with('', $alone{$noun} || $alone{join ' ', $noun, $verb // ''} ? () : ('--entity', $site->{reference}), @_);
}

# Done, with that on standard output, and nothing on standard error but `notes`.
my %tried;
sub done
{
    my ($out, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $text, $error) = run(@arguments);
    $tried{$_}++ for map { join ' ', @arguments[0 .. $_] } 0 .. ($#arguments > 2 ? 2 : $#arguments);
    my ($last) = $text =~ /^(\S+)/;
    ok $status == 0 && $text =~ $out, "M7: htidentity @arguments" or diag "status $status\n$text$error";
    return $last;
}
sub says
{
    my ($wanted, $said, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $text, $error) = run(@arguments);
    ok $status == $wanted && $text eq '' && $error =~ $said && $error =~ tr/\n// == 1, "M7: htidentity @arguments: exit $wanted"
        or diag "status $status\n$text$error";
}

# ---- exit statuses ---------------------------------------------------------------------------------------------------------------------------

my ($status, undef, $error) = run_with('', '--db', "sqlite3:$state/nothing.db", qw(user list));
ok $status == 3 && $error =~ /nothing\.db is not there/, 'M7: exit 3 where there is no database' or diag $error;
says(4, qr/no user/, qw(user deactivate nobody@example.org));
says(4, qr/no team Nothing/, qw(team delete Nothing));
says(4, qr/no role nothing/, qw(role show nothing));
says(4, qr/no account nowhere/, qw(account show nowhere));
says(4, qr/./, qw(key show apik_00000000000000000000));
says(4, qr/no entity nowhere/, qw(entity show nowhere));
says(5, qr/reference/, qw(account add), $site->{reference});

# ---- users -----------------------------------------------------------------------------------------------------------------------------------

my $member = member('carol', entity => $site, type => 'USER');
my ($carol, $token) = ($member->{username}, $member->{bearer});
my $renamed = "new-$carol";
is api(GET => "/v1/users/$member->{id}", undef, @$token)->status, 200, 'carol is signed in';
says(2, qr/no password on standard input/, qw(user set-password), $carol);
my (undef, $refused, $why) = run_with("short\n", '--entity', $site->{reference}, 'user', 'set-password', $carol);
like $why, qr/password/, 'M7: a password that the rules refuse is refused here';
is((run_with("short\n", '--entity', $site->{reference}, 'user', 'set-password', $carol))[0], 6, 'M7: exit 6 where a rule refuses');
done(qr/^\S{23}\n\z/, qw(user set-password), $carol, '--generate');
my ($one, $made) = run('user', 'set-password', $carol, '--generate');
chomp $made;
is login($carol, $made)->status, 200, 'M7: the password that was made signs in, and was printed alone';
is heard(401, sub { api(GET => "/v1/users/$member->{id}", undef, @$token) })->status, 401, 'M7: the sessions before have ended';
is((run_with("Another1Horse\n", '--entity', $site->{reference}, 'user', 'set-password', $carol))[0], 0, 'M7: or read from standard input');
login($carol, 'Another1Horse');
done(qr/^sess_\w+\t$member->{id}\t/, qw(session list --user), $carol);
my $personal = api(POST => "/v1/users/$member->{id}/api-keys", {description => 'git'}, @key)->json;
done(qr/^$personal->{id}\tACTIVE\tidk_\S*\t\S+\t-\t\S+\tgit$/, qw(key list --user), $carol);
done(qr/\A\z/, qw(key list --status INACTIVE --user), $carol);
my $lost = api(POST => "/v1/users/$member->{id}/api-keys", {description => 'phone'}, @key)->json;
done(qr/^$lost->{id}\tINACTIVE\t/, qw(key revoke), $lost->{id}, '--user', $carol);
is heard(401, sub { api(GET => "/v1/users/$member->{id}", undef, 'X-API-KEY' => $lost->{api_key}) })->status, 401, 'M7: a personal key that was revoked opens nothing';
says(4, qr/./, qw(key revoke apik_00000000000000000000 --user), $carol);
done(qr/^$member->{id}\tINACTIVE\t\Q$carol\E\t\S+\t1\t1\t\[\]$/, qw(user deactivate), $carol);
is login($carol, 'Another1Horse')->status, 401, 'M7: nobody signs in with it any more';
is_deeply [map { $_->{id} } @{api(GET => '/v1/users?status=INACTIVE', undef, @key)->json->{data}}], [$member->{id}], 'the server shows it';
done(qr/\A$member->{id}\tINACTIVE\t[^\n]*\n\z/, qw(user list --status INACTIVE));
done(qr/^$member->{id}\tACTIVE\t/, qw(user activate), $carol);
done(qr/^$member->{id}\tACTIVE\t\Q$renamed\E\t/, qw(user rename), $carol, $renamed);
my $second = login($renamed, 'Another1Horse');
is $second->status, 200, 'M7: the new name signs in';
says(6, qr/username/, qw(user rename), $renamed, 'no address');
done(qr/^\Q$renamed\E\n/, qw(user show), $renamed);
done(qr/^sessions ended: 1$/, qw(session end --user), $renamed);
is heard(401, sub { api(GET => "/v1/users/$member->{id}", undef, bearer_of($second)) })->status, 401, 'M7: and it has ended';
login($renamed, 'Another1Horse');
my $session = done(qr/^sess_/, qw(session list --all));
done(qr/^sessions ended: 1$/, qw(session end --user), $renamed, '--session', $session);
login($renamed, 'Another1Horse');
done(qr/^sessions ended: 1$/, qw(session end --all));
done(qr/\A\z/, qw(session list --all));
says(2, qr/--user USER or --all/, qw(session list));
done(qr/^$member->{id}\tACTIVE\t\Q$renamed\E\t/, qw(user unlock), $renamed);
done(qr/^$member->{id}\tACTIVE\t/, qw(user unlock --address 192.0.2.7), $renamed);
says(6, qr/nowhere is not an IP address/, qw(user unlock --address nowhere), $renamed);
says(4, qr/no user/, qw(user unlock nobody@example.org));

# Whoever leaves: what ended is said, and what goes on.
my $other = entity('leaving');
my $leaver = member('leaver', entity => $other);
my $stays = member('stays', entity => $other);
my @there = ('--entity', $other->{reference});
my ($left) = api(POST => '/v1/api-keys', {description => 'made'}, @{$leaver->{bearer}})->json->{id};
my ($exit, $shut, $note) = run(qw(user deactivate), @there, $leaver->{username});
like $shut, qr/^$leaver->{id}\tINACTIVE\t\S+\t\S+\t1\t0\t\["$left"\]$/, 'M4: keys of the entity that somebody made are named';
is "$exit $note", "0 htidentity: 1 API key of the entity that the user created remains valid: end it by key revoke, or all by user deactivate --revoke-keys\n", 'M4: and that they go on';
run(qw(user activate), @there, $leaver->{username});
done(qr/\t0\t0\t\["$left"\]$/, qw(user deactivate --revoke-keys), $leaver->{username}, @there);
done(qr/^$left\tINACTIVE\t/, qw(key show), $left, @there);
done(qr/^$leaver->{id}\tINACTIVE\t\S+\t\d{4}-\S+Z$/, qw(user delete), $leaver->{username}, @there);
says(5, qr/was deleted/, qw(user delete), $leaver->{username}, @there);
says(5, qr/was deleted/, qw(user activate), $leaver->{username}, @there);
done(qr/^$leaver->{id}\tINACTIVE\t/, qw(user restore), $leaver->{username}, @there);
says(5, qr/nothing to restore/, qw(user restore), $leaver->{username}, @there);
says(4, qr/no user/, qw(user restore nobody@example.org));
done(qr/\t\d{4}-\S+Z$/, qw(user delete), $leaver->{username}, @there);

# A link that is handed over. The server keeps its public URL in the database within a second of its start.
for (1 .. 100) { last if (run(qw(user link), $renamed, 'reset'))[0] == 0; sleep 0.1 }
done(qr{^http://\S+/v1/oauth/reset-password#token=\S+\n\z}, qw(user link), $renamed, 'reset');
my ($reset) = (run(qw(user link), $renamed, 'reset'))[1] =~ /token=(\S+)/;
is api(POST => '/v1/oauth/reset-password', {token => $reset, new_password => 'Handed1Horse'})->status, 200, 'M7: it sets a password';
is login($renamed, 'Handed1Horse')->status, 200, '... which signs in';
is((run_with("Another1Horse\n", '--entity', $site->{reference}, qw(user set-password), $renamed))[0], 0, 'and back');
says(2, qr/elsewhere is not one of activate\|reset/, qw(user link), $renamed, 'elsewhere');
says(5, qr/kind: This user has no open invitation/, qw(user link), $renamed, 'activate');
says(4, qr/no user/, qw(user link nobody@example.org reset));

my (undef, $dave) = run_with("Correct1Horse\n", '--entity', $site->{reference}, qw(user add), "dave-$$\@example.org", '--password-stdin');
($dave) = $dave =~ /^(user_\w+)/;
$tried{'user add'}++;
is scalar(split /\n/, (run(qw(user list)))[1]), 2, 'two users';
is scalar(split /\n/, (run(qw(user list --limit 1)))[1]), 1, 'M7: --limit';
is_deeply [run(qw(user list --limit 1))], [run(qw(--limit 1 user list))], 'M7: options stand anywhere';

# ---- memberships, teams ----------------------------------------------------------------------------------------------------------------------

my $account = $site->{reference};
done(qr/^memb_\w+\t$site->{account}\t\Q$account\E\tUSER\tRead Only$/, qw(membership add), $dave, $account, '--role', 'read-only');
done(qr/\t\Q$account\E\tPARTNER\tRead Only$/, qw(membership set), $dave, $account, '--type', 'PARTNER');
done(qr/\tADMIN\t/, qw(membership set), $dave, $account, '--type', 'ADMIN');
says(2, qr/requires --type or --role/, qw(membership set), $dave, $account);
says(4, qr/no role Nothing/, qw(membership set), $dave, $account, '--role', 'Nothing');
is api(GET => "/v1/users/$dave", undef, @key)->json->{account_memberships}[0]{type}, 'ADMIN', 'the server shows it';
done(qr/^$dave\t\S+\t\Q$account\E\tmembership ADMIN$/m, qw(who-is-in), $account);
done(qr/^$dave\t\S+\t\Q$account\E\tmembership ADMIN$/m, qw(who-can ROLE.CREATE));
done(qr/^apik_\w+\t\S+\t-\tkey ADMINISTRATOR$/m, qw(who-can ROLE.CREATE));
says(2, qr/is not the name of a permission/, 'who-can', 'not a name');
says(5, qr/without an administrator/, qw(membership remove), $dave, $account);
done(qr/\tADMIN\t/, qw(membership set), $renamed, $account, '--type', 'ADMIN');
done(qr/\A\z/, qw(membership remove), $dave, $account);
says(4, qr/has no membership/, qw(membership remove), $dave, $account);
my $team = done(qr/^team_\w+\tSupport$/, qw(team add Support));
done(qr/^$team\tHelp$/, qw(team rename support Help));
done(qr/^$team\tHelp$/, qw(team grant Help), $account, '--role', 'Read Only');
done(qr/^$team\tHelp\n$site->{account}\t\Q$account\E\tUSER\tRead Only\n\z/, qw(team show help));
done(qr/^$dave\t\S+\tACTIVE\t\S+Z\t-\ttrue$/, qw(team member add Help), $dave);
says(5, qr/already in this team/, qw(team member add Help), $dave);
done(qr/^$dave\t\S+\tACTIVE\t\S+Z\t2099-01-01T00:00:00Z\ttrue$/, qw(team member set Help), $dave, '--end', '2099-01-01T00:00:00Z');
done(qr/\t-\ttrue$/, qw(team member set Help), $dave, '--end', 'none');
says(2, qr/--end must be a time/, qw(team member set Help), $dave, '--end', 'soon');
done(qr/\A$dave\t[^\n]*\n\z/, qw(team member list Help));
done(qr/^$dave\t\S+\t-\tteam Help$/, qw(who-is-in Help));
done(qr/^$dave\t\S+\t\Q$account\E\tteam Help: membership USER$/m, qw(who-has read-only));
done(qr/^$dave\t\S+\t\Q$account\E\tteam Help: role Read Only$/m, qw(who-can ROLE.VIEW));
done(qr/\A\z/, qw(team member remove Help), $dave);
done(qr/\A\z/, qw(team member list Help));
done(qr/\A\z/, qw(team revoke Help), $account);
says(4, qr/has no membership/, qw(team revoke Help), $account);
done(qr/^$team\t/, qw(team list));
done(qr/\A\z/, qw(team delete Help));

# ---- roles, keys -----------------------------------------------------------------------------------------------------------------------------

my $role = done(qr/^role_\w+\tnight-shift\tNight Shift\t/, qw(role add), 'Night Shift', qw(--permission SITE.OPEN --child read-only));
done(qr/^$role\tnight-shift\tNight Shift\tAt night$/, qw(role set night-shift --description), 'At night');
done(qr/^$role\tnight-shift\tNight Shift\tAt night\t\["SITE\.OPEN"\]\t\["role_\w+"\]$/, qw(role show), 'night shift');
says(2, qr/role set requires/, qw(role set night-shift));
done(qr/^$role\t/m, qw(role list));
done(qr/\A\z/, qw(role delete night-shift));
says(4, qr/no role night-shift/, qw(role show night-shift));
done(qr/^idk_/, qw(key add --only ROLE.VIEW --description narrow));
my ($done, $narrow, $said) = run(qw(key add --only ROLE.VIEW --description narrow --expires 1d));
chomp $narrow;
like $said, qr/^htidentity: the key apik_\w+ is restricted: of what ADMINISTRATOR holds it keeps only ROLE\.VIEW$/, 'M17: --only says that it narrows';
my ($id) = $said =~ /(apik_\w+)/;
says(2, qr/does not accept --permission/, qw(key add --permission ROLE.VIEW));
is api(GET => '/v1/roles?limit=1', undef, 'X-API-KEY' => $narrow)->status, 200, 'it holds that';
my $lacks = api(GET => '/v1/users', undef, 'X-API-KEY' => $narrow);
is $lacks->status, 403, 'and nothing else';
is $lacks->json->{message}, 'This needs the permission USER.MORTAL.VIEW. The key is restricted: its own list of permissions does not include it.', 'M17: a key that lacks because it is narrowed is told so';
done(qr/^$id\tACTIVE\tADMINISTRATOR\t.*\["ROLE\.VIEW"\]$/, qw(key show), $id);
done(qr/^$id\tACTIVE\tREAD_ONLY\t.*\tother$/, qw(key set), $id, qw(--role READ_ONLY --description other));
says(2, qr/key set requires/, qw(key set), $id);
done(qr/^$id\tINACTIVE\t/, qw(key revoke), $id);
is heard(401, sub { api(GET => '/v1/roles?limit=1', undef, 'X-API-KEY' => $narrow) })->status, 401, 'M7: a revoked key opens nothing any more';
done(qr/\A$id\tINACTIVE\t[^\n]*\n\z/, qw(key list --status INACTIVE));
done(qr/\A\z/, qw(key delete), $id);
says(4, qr/./, qw(key delete), $id);
done(qr/\A\z/, qw(key list --status INACTIVE));

# ---- the rest --------------------------------------------------------------------------------------------------------------------------------

my $provider = done(qr/^auth_\w+\tSSO\tENABLED\tWork\t/, qw(provider add OIDC --name Work --issuer https://x.example --client-id shop));
done(qr/^$provider\tSSO\tDISABLED\tOffice\t/, qw(provider set work --name Office --status DISABLED));
done(qr/^$provider\t/, qw(provider show Office));
done(qr/^$provider\t/, qw(provider list));
says(2, qr/provider set requires/, qw(provider set Office));
done(qr/"client_id":"till"/, qw(provider set Office --client-id till --issuer https://y.example));
done(qr/"allowed_domains":\["a\.example","b\.example"\]/, qw(provider set Office --domain a.example --domain b.example));
done(qr/"allowed_domains":\[\].*"issuer":"https:\/\/y\.example"/, qw(provider set Office --domain none));
says(6, qr/sso\.issuer/, qw(provider set Office --issuer http://y.example));
my $wiki = done(qr/^clnt_\w+\tCONFIDENTIAL\tENABLED\tWiki\t\["https:\/\/wiki\.example\/cb"\]\t-\t\S+\tido_\S+$/, qw(client add Wiki --redirect https://wiki.example/cb));
done(qr/^$wiki\t/, qw(client show wiki));
done(qr/^$wiki\t/, qw(client list));
done(qr/^$wiki\t.*"permission":"WIKI\.USE".*\["openid"\]/, qw(client set Wiki --require WIKI.USE --scope openid));
done(qr/^$wiki\t.*"role":"role_/, qw(client set Wiki --require role:full-access));
done(qr/^$wiki\tCONFIDENTIAL\tDISABLED\tWiki\t\S+\t-\t/, qw(client set Wiki --require none --status DISABLED));
says(2, qr/client set requires/, qw(client set Wiki));
says(4, qr/no team Nobody/, qw(client set Wiki --require team:Nobody));
says(6, qr/redirect_uris/, qw(client set Wiki --redirect http://wiki.example/cb));
done(qr/^$wiki\t.*\tido_\S+$/, qw(client rotate Wiki --expires 1h));
done(qr/^clnt_\w+\tPUBLIC\t.*\]\t-$/, qw(client add Page --public --claims --redirect https://page.example/));
says(6, qr/require_pkce/, qw(client add Other --public --no-pkce --redirect https://page.example/));
done(qr/^clnt_/, qw(client delete Page));
says(4, qr/no client Page/, qw(client delete Page));
my $okta = done(qr/^auth_/, qw(provider add OKTA --name Okta --connection one));
done(qr/"okta":\{"connection":"two"\}/, qw(provider set Okta --connection two));
done(qr/\A\z/, qw(provider delete Okta));
says(4, qr/no authentication provider Okta/, qw(provider delete Okta));
says(4, qr/no authentication provider auth_/, qw(provider delete), $okta);
my $eve = "eve-$$\@example.org";
done(qr/^\Q$eve\E\t$site->{id}$/, qw(invitation send), $eve, '--account', $account, '--type', 'ADMIN');
my $invitation = done(qr/^\S+\tinvited\t\Q$eve\E\t/, qw(invitation list));
done(qr/^\Q$invitation\E\tinvited\t/, qw(invitation show), $invitation);
done(qr/^\Q$invitation\E\tinvited\t/, qw(invitation resend), $invitation);
done(qr{^http://\S+/v1/oauth/activate-user#token=\S+\n\z}, qw(invitation link), $invitation);
my ($accept) = (run(qw(invitation link), $invitation))[1] =~ /token=(\S+)/;
is api(POST => '/v1/oauth/describe-link', {token => $accept})->status, 200, 'M7: it opens the invitation';
done(qr/^\Q$invitation\E\trevoked\t/, qw(invitation revoke), $invitation);
says(5, qr/this invitation is revoked/, qw(invitation link), $invitation);
says(4, qr/./, qw(invitation link), $invitation =~ s/.{5}$/00000/r);
done(qr/^ida_|^\S+\n\z/, qw(alias add), $dave);
my $alias = done(qr/^alia_\w+\tdave-/, qw(alias list));
done(qr/\A\z/, qw(alias revoke), $alias);
says(5, qr/ended already/, qw(alias revoke), $alias);
says(4, qr/no token alias/, qw(alias revoke alia_00000000000000000000));
done(qr/^$site->{id}\t\Q$site->{reference}\E\t/m, qw(entity list));
done(qr/\A$site->{id}\t/, qw(entity show), $site->{reference});
done(qr/\Aplat_\w+\tsecond\t/, qw(account add second));
done(qr/\Aplat_\w+\tsecond\t/, qw(account show second));
done(qr/\tsecond\t/, qw(account list));
done(qr/\Aplat_\w+\tthird\tTEST\tSHOP\tplat_/, qw(account set second --reference third --environment TEST --type SHOP --parent), $account);
says(6, qr/An account cannot be below itself/, qw(account set), $account, '--parent', 'third');
says(6, qr/There is no account nowhere/, qw(account set third --parent nowhere));
says(5, qr/An account with this reference already exists/, qw(account set third --reference), $account);
says(2, qr/LIVE\|TEST/, qw(account set third --environment NEITHER));
says(2, qr/account set requires/, qw(account set third));
says(5, qr/\Q$account\E still has 1 sub-account, \d+ memberships?\.$/, qw(account delete), $account);
done(qr/\Aplat_\w+\tthird\tTEST\tSHOP\t-\t/, qw(account set third --parent none));
done(qr/\A\z/, qw(account delete third));
says(4, qr/no account third/, qw(account delete third));
done(qr/\Aenti_/, qw(entity add), "made-$$");
done(qr/\Aenti_\w+\tmore-$$\tMore\t/, qw(entity set), "made-$$", '--reference', "more-$$", '--name', 'More');
says(5, qr/An entity with this reference already exists/, qw(entity set), "more-$$", '--reference', $site->{reference});
says(6, qr/reference/, qw(entity set), "more-$$", '--reference', 'no blanks');
says(2, qr/entity set requires/, qw(entity set), "more-$$");
says(5, qr/\Q$site->{reference}\E still has 1 account, \d+ users, .*\d+ API keys?, 1 authentication provider, 1 client\.$/, qw(entity delete), $site->{reference});

# An entity is emptied, and goes.
my @in = ('--entity', "more-$$");
run_with('', @in, qw(account add only));
run_with("Correct1Horse\n", @in, qw(user add), "last-$$\@example.org", qw(--account only --type ADMIN --password-stdin));
is((run_with('', @in, qw(user delete), "last-$$\@example.org"))[0], 5, 'M7: the last administrator is not deleted');
($status, undef, $error) = run_with('', @in, qw(account delete only));
ok $status == 5 && $error =~ /still has 1 membership; --memberships ends them as well/, 'M7: an account with members stays' or diag $error;
is((run_with('', @in, qw(account delete only --memberships)))[0], 0, 'M7: unless they may go with it');
($status, undef, $error) = run_with('', qw(entity delete), "more-$$");
ok $status == 5 && $error =~ /more-$$ still has 1 user\.$/, 'M7: what is left is named' or diag $error;
done(qr/\Aenti_/, qw(entity add), "empty-$$");
done(qr/\A\z/, qw(entity delete), "empty-$$");
says(4, qr/no entity/, qw(entity delete), "empty-$$");
done(qr/\A\{"/, qw(audit export --limit 1));
done(qr/\Aaudi_\w+\t/, qw(audit list --limit 1));
my @records = JSON::PP->new->utf8->incr_parse((run(qw(audit export --limit 3)))[1]);
is scalar(@records), 3, 'M18: JSON Lines';
done(qr/./, qw(check));
done(qr/already/, qw(migrate));
done(qr/^answers\t\d+\n.*^users\t0\naudit\t0\nsessions\t0\nrefresh_tokens\t0\nsecrets\t0\nmails\t0\n\z/ms, qw(purge));
done(qr/IdentityPasswordHash/, qw(calibrate --time 10));
done(qr/^Subject/, qw(mail preview invite));
done(qr/./s, qw(mail retry));
$tried{'mail list'}++ if (run(qw(mail list)))[0] == 0;

# M19: a second, short name, in whatever way the user comes in; it stands for the user in every command.
my @named = map { "named$_-$$\@example.org" } 0 .. 3;
my ($hash) = '$2y$05$abcdefghijklmnopqrstuut3CYJcJzK0OXF40fU9tgfp3q7x3/1vu';
is((run_with("Correct1Horse\n", '--entity', $site->{reference}, qw(user add), $named[0], '--login', 'Named.0', '--password-stdin'))[0], 0, 'M19: user add --login with a password');
is((run_with("$hash\n", '--entity', $site->{reference}, qw(user add), $named[1], '--login', 'named.1', '--hash-stdin', qw(--type USER --account), $site->{reference}))[0], 0, 'M19: ... with a hash');
my ($invited) = run_with('', '--entity', $site->{reference}, qw(user add), $named[2], '--login', 'named.2', qw(--type USER --account), $site->{reference});
is $invited, 0, 'M19: ... or invited';
for my $number (0 .. 2) {
    my $user = api(GET => "/v1/users?username=$named[$number]", undef, @key)->json->{data}[0];
    is lc $user->{login}, "named.$number", 'M19: it has the login';
    is scalar @{$user->{account_memberships}}, $number ? 1 : 0, 'M19: ... and the membership';
    done(qr/^  login    named\.$number$/mi, qw(user show), "NAMED.$number");
}
done(qr/^\S+\tINACTIVE\t\Q$named[0]\E\t/, qw(user deactivate named.0));
my ($made_alias, $printed) = run_with('', qw(alias add), "$site->{reference}/NAMED.1");
like "$made_alias $printed", qr/^0 \S{20,}\n\z/, 'M19: an alias is made for a login behind its entity\'s reference';
my ($taken, undef, $whose) = run_with("$hash\n", '--entity', $site->{reference}, qw(user add), $named[3], qw(--login NAMED.1 --hash-stdin));
like "$taken $whose", qr/^5 .*login is taken/, 'M19: one that is taken';
($taken, undef, $whose) = run_with("Correct1Horse\n", '--entity', $site->{reference}, qw(user add), $named[3], qw(--login named.2 --password-stdin));
like "$taken $whose", qr/^5 .*login is taken/, 'M19: ... also with a password';
($taken, undef, $whose) = run_with("$hash\n", '--entity', $site->{reference}, qw(user add), $named[3], '--login', 'no login', '--hash-stdin');
like "$taken $whose", qr/^6 .*login must be/, 'M19: what is none';
says(4, qr/no user/, qw(user show), $named[3]);
says(4, qr/no user named\.9/, qw(user show named.9));

# A heading is for people: on a terminal alone.
SKIP: {
    skip 'script is not there', 2 unless -x '/usr/bin/script';
    my $shown = `script -qec '$ENV{IDENTITY_TOP}/bin/htidentity --db sqlite3:$state/identity.db --entity $site->{reference} user list' /dev/null < /dev/null`;
    like $shown, qr/\AID\tSTATUS\tUSERNAME\tCREATED AT\r?\nuser_/, 'M7: a heading on a terminal';
    my $json = `script -qec '$ENV{IDENTITY_TOP}/bin/htidentity --db sqlite3:$state/identity.db --entity $site->{reference} --json user list' /dev/null < /dev/null`;
    like $json, qr/\A\{/, 'M7: none over JSON';
}
$tried{$_}++ for qw(help completion stats backup restore import export), "signing-key list", "signing-key rotate", "config check"; # tool_usage.t, tool_backup.t, tool_import.t, tool_keys.t, tool_check.t
open my $table, '<', "$ENV{IDENTITY_TOP}/src/tool/commands.def" or die "commands.def: $!";
is_deeply [grep { !$tried{$_} } do { local $/; <$table> } =~ /^COMMAND\("([^"]+)"/mg], [], 'M7: every command of the table has been run';

done_testing;
