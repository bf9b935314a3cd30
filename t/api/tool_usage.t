# SPDX-License-Identifier: Apache-2.0
# htidentity's table of commands: help, completion, and every command with a word too many or missing, or an option that is not its own.
# run on: event
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $state = server()->{state};

# Exit status, standard output, standard error.
sub run
{
    my ($status, $out, $error) = tool(@_);
    return ($status & 127 ? "signal $status" : $status >> 8, $out, $error);
}
sub says
{
    my ($wanted, $said, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $text, $error) = run(@arguments);
    ok $status == $wanted && $text eq '' && $error =~ $said && $error =~ tr/\n// == 1, "M7: htidentity @arguments: exit $wanted"
        or diag "status $status\n$text$error";
}

# ---- the table -------------------------------------------------------------------------------------------------------------------------------

my $top = $ENV{IDENTITY_TOP};
open my $table, '<', "$top/src/tool/commands.def" or die "commands.def: $!";
my @commands = do { local $/; <$table> } =~ /^COMMAND\("([^"]+)",\s*"([^"]*)",\s*"([^"]*)",\s*(\w+),\s*"([^"]*)"\)/mg;
my (@rows, %takes);
while (my ($name, $arguments, $options, undef, $text) = splice @commands, 0, 5) {
    push @rows, {name => $name, arguments => $arguments, options => $options, text => $text};
}
cmp_ok scalar(@rows), '>', 50, 'the table is read';
my $help = (run('help'))[1];
for my $row (@rows) {
    my @words = split ' ', $row->{name};
    my $arguments = $row->{arguments} =~ s/(^| )=/$1/gr;
    like $help, qr/^  \Q$row->{name}\E(?: \Q$arguments\E)?(?:\n)? +\Q$row->{text}\E$/m, "M7: help has $row->{name}";
    my ($status, $text) = run('help', @words);
    ok $status == 0 && $text =~ /^usage: htidentity \Q$row->{name}\E/, "M7: help $row->{name}";
    like $text, qr/^  --\Q$_\E\b/m, "M7: help $row->{name} has --$_" for map { s/=.*//r } split ' ', $row->{options};
    is_deeply [run(@words, '--help')], [0, $text, ''], "M7: $row->{name} --help is the same";
    my @needed = grep { !/^\[/ } split ' ', $arguments;
    says(2, qr/\Q$row->{name}\E requires \Q$needed[0]\E/, @words) if @needed;
    my @samples = map { s/^=// ? (split /\|/)[0] : $_ } grep { !/^\[/ } split ' ', $row->{arguments};
    my @more = map { 'x' } grep { /^\[/ } split ' ', $row->{arguments};
    says(2, qr/^htidentity: \Q$row->{name}\E: unexpected argument \S+$/, @words, $row->{arguments} eq '=bash' ? 'bash' : @samples, @more, 'surplus')
        unless $row->{arguments} =~ /\.\.\./;
    says(2, qr/is empty/, @words, '', @samples[1 .. $#samples]) if @needed && $row->{arguments} !~ /^=/;
    my ($strange) = grep { $row->{options} !~ /\b$_\b/ } qw(message connection);
    my @value = $strange eq 'connection' ? ('x') : ();
    says(2, qr/^htidentity: \Q$row->{name}\E does not accept --$strange$/, @words, @samples, "--$strange", @value);
}
says(2, qr/there is no command frobnicate/, 'frobnicate');
says(2, qr/frobnicate is not one of add, list, show/, qw(user frobnicate));
says(2, qr/^htidentity: team member requires one of add, list, set, remove$/, qw(team member));
says(2, qr/there is no option --nothing/, qw(user list --nothing));
says(2, qr/--account requires ACCOUNT/, qw(user add x@example.org --account));
says(2, qr/--type: BOSS is not one of ADMIN\|USER\|PARTNER/, qw(membership add x y --type BOSS));
says(2, qr/--name is given twice/, qw(entity add x --name a --name b));
says(2, qr/--json does not accept a value/, qw(--json=yes user list));
says(2, qr/--limit must be a number/, qw(user list --limit 0));
says(2, qr/there is no command frobnicate/, qw(help frobnicate));
my ($printed, $page) = run(qw(help --man));
ok $printed == 0 && $page =~ /\A\.TH HTIDENTITY 8 /, 'M7: help --man';
is scalar `'$ENV{IDENTITY_TOP}/bin/htidentity' help --man | mandoc -T lint 2>&1`, '', 'M7: a manual page without a fault';
(my $plain = $page) =~ s/\\-/-/g;
is_deeply [grep { $plain !~ /^\.B \Q$_->{name}\E(?: |$)/m } @rows], [], 'M7: the manual page has every command';
is_deeply [grep { !/^\.(?:TH|SH|TP|PP|B|BR)\b/ } grep { /^['.]/ } split /\n/, $page], [], 'M7: no line of it is taken for a request';
says(2, qr/--man does not accept COMMAND/, qw(help --man user));
is_deeply [run('--version')], [0, "htidentity 0.9.0\n", ''], 'M7: --version';
is_deeply [(run('completion', 'bash'))[0, 2]], [0, ''], 'M7: completion bash';

# What a shell would offer, by the completion itself.
sub offered
{
    my (@words) = @_;
    my $last = $#words;
    my $script = (run('completion', 'bash'))[1];
    open my $out, '>', "$state/completion.$$" or die $!;
    print {$out} $script;
    close $out;
    my $list = join ' ', map { "'$_'" } @words;
    my $said = `bash -c '. $state/completion.$$; COMP_WORDS=('"$list"'); COMP_CWORD=$last; _htidentity; echo "\${COMPREPLY[@]}"' 2>&1`;
    chomp $said;
    return $said;
}
is offered('htidentity', 'membership', ''), 'add set remove', 'M7: completion of a word';
is offered('htidentity', 'team', 'member', 'r'), 'remove', 'M7: and of a third';
is offered('htidentity', '--entity', 'user', 'audit', 'e'), 'export', 'M7: the value of an option is no word';
like offered('htidentity', 'user', 'add', 'x', '--has'), qr/^--hash-memory --hash-stdin$/, 'M7: of an option';
is offered('htidentity', 'membership', 'set', 'a', 'b', '--type', ''), 'ADMIN USER PARTNER', 'M7: of the value of one';
is offered('htidentity', 'completion', ''), 'bash --config --db --json --help --version', 'M7: of an argument';
is offered('htidentity', 'user', 'link', 'x', 'r'), 'reset', 'M7: of a second one';

done_testing;
