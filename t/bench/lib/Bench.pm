# SPDX-License-Identifier: Apache-2.0
# What run.pl, its rows and count.pl share: the machine, databases that are seeded once and kept, and the table.
package Bench;
use strict;
use warnings FATAL => 'all';
use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use POSIX ();

our @EXPORT = qw(run remark median slurp write_file in_turn row wanted fail succeeded seeded database $build $users $rounds $seconds $folder $user @pinned);
our ($build, $users, $rounds, $seconds, $folder, @pinned);
# As whom servers run.
our $user = $> ? undef : 'nobody';

my (%wanted, $failed);

sub run { system(@_) == 0 or die "bench: @_ failed\n" }
sub remark { print STDERR "bench: @_\n" }
sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[@sorted / 2] }
sub fail { remark(@_); $failed = 1 }
sub succeeded { return !$failed }
sub wanted { return grep { $wanted{$_} } @_ }

sub slurp
{
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!\n";
    local $/;
    return <$in>;
}

sub write_file
{
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!\n";
    print {$out} $text;
    close $out or die "$path: $!\n";
}

# ---- the machine ---------------------------------------------------------------------------------------------------

# On some virtual machines a core's clock ticks in milliseconds: there no figure is worth anything.
sub good_core
{
    my @cores = `taskset -pc $$` =~ /:\s*(.*)/ ? map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $1 : (0);
    my $clock = 'my ($n, $last) = (0, 0); for (1 .. 20000) { my $now = clock_gettime(CLOCK_MONOTONIC); $n += $now != $last; $last = $now } print $n';
    for my $core (@cores) {
        my $values = `taskset -c $core $^X -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e '$clock'`;
        return $core if $values > 18_000;
    }
    remark('no core has a clock that moves; figures mean little');
    return $cores[0];
}

# The build, and how many users by default. Once, before anything else.
sub prepare
{
    my ($where, $many) = @_;
    $build = $where =~ m{^/} ? $where : POSIX::getcwd() . "/$where";
    $users = $ENV{USERS} // $many;
    $folder = tempdir('identity-bench.XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{KEEP});
    chmod 0755, $folder;
}

# The same, and the rows that are measured where ROWS names none.
sub begin
{
    my ($where, @rows) = @_;
    prepare($where, 1_000_000);
    ($rounds, $seconds) = ($ENV{ROUNDS} // 5, $ENV{SECONDS} // 2);
    my %known = map { $_ => 1 } @rows;
    %wanted = map { $known{$_} ? ($_ => 1) : die "bench: there is no row $_; there are: @rows\n" } split ' ', $ENV{ROWS} // "@rows";
    my $core = good_core();
    @pinned = ('taskset', '-c', $core);
    remark("$users users, core $core, $rounds rounds of $seconds s");
}

# ---- databases -----------------------------------------------------------------------------------------------------

# The folder of a database of so many users: identity.db, and what bench-seed says of it. Made once for each schema, and never written to.
sub seeded
{
    my ($where, $count) = @_;
    my $kept = "$where/seeded/$count-" . substr sha256_hex(map { slurp($_) } 't/bench/seed.c', 'src/store/schema.def'), 0, 16;
    return $kept if -e "$kept/done";
    # Of another schema, or begun and not finished.
    remove_tree(glob "$where/seeded/$count-*");
    make_path($kept);
    run("'$where/htidentity' --db 'sqlite3:$kept/identity.db' migrate > '$kept/said'");
    run("$where/t/bench-seed", "$kept/identity.db", $kept, $count, 10_001);
    write_file("$kept/done", '');
    return $kept;
}

# A copy of it that may be written to, in a folder of its own.
sub database
{
    my ($kept, $name) = @_;
    my $state = "$folder/$name";
    make_path($state);
    run('cp', '--reflink=auto', "$kept/identity.db", "$state/identity.db");
    run('chown', '-R', "$user:nogroup", $state) if $user;
    return "$state/identity.db";
}

# ---- the table -----------------------------------------------------------------------------------------------------

# The sides in turn, so many rounds: their medians.
sub in_turn
{
    my (@sides) = @_;
    my @values;
    for my $round (1 .. $rounds) {
        push @{$values[$_]}, $sides[$_]->() for 0 .. $#sides;
    }
    return map { median(@$_) } @values;
}

# target: '>= 0.9' or '<= 100', of the ratio of value and limit, or by => 'difference' of their difference; none for a yardstick.
sub row
{
    my ($row, $work, %is) = @_;
    my ($value, $limit, $format, $by) = (@is{qw(value limit)}, $is{format} // '%.0f', $is{by} // 'ratio');
    my $number = sub { defined $_[0] ? sprintf $_[1], $_[0] : '' };
    my $compared = !defined $limit ? undef : $by eq 'ratio' ? $value / $limit : $value - $limit;
    my $met = '';
    if (my ($sign, $target) = ($is{target} // '') =~ /^(>=|<=) (\S+)$/) {
        $met = ($sign eq '>=' ? $compared >= $target : $compared <= $target) ? 'yes' : 'no';
        $failed = 1 if $met eq 'no' && $ENV{BENCH_STRICT};
    }
    local $| = 1;
    print join(' | ', "| $row", $work, $number->($value, $format), $number->($limit, $format), $number->($compared, $by eq 'ratio' ? '%.2f' : $format), $is{target} // '', $met), " |\n";
}

1;
