# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Database;
# Makes the state folder of a test server by htidentity: two entities, each with an account and an administrator's key.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use File::Path 'make_path';
use JSON::PP ();

our @EXPORT_OK = qw(make_state run_tool tool_rows);

my $top = $ENV{IDENTITY_TOP} // '.';

# Runs htidentity on a state folder. In list context its exit status, standard output and standard error.
sub run_tool
{
    my ($state, @arguments) = @_;
    my $errors = "$state/htidentity.err.$$";
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', $errors or die "$errors: $!";
        exec "$top/bin/htidentity", '--db', "sqlite3:$state/identity.db", @arguments or die "htidentity: $!";
    }
    my $text = do { local $/; <$out> } // '';
    close $out;
    my $status = $?;
    open my $in, '<', $errors or die "$errors: $!";
    my $error = do { local $/; <$in> } // '';
    unlink $errors;
    return ($status, $text, $error);
}

sub tool
{
    my ($status, $text, $error) = run_tool(@_);
    die "htidentity @_[1 .. $#_]: status $status\n$text$error" if $status;
    return $text;
}

# The rows of a list command: JSON Lines, or one array.
sub tool_rows
{
    my ($state, @arguments) = @_;
    my @values = JSON::PP->new->utf8->incr_parse(tool($state, '--json', @arguments));
    return map { ref $_ eq 'ARRAY' ? @$_ : $_ } @values;
}

sub write_key
{
    my ($path, $key) = @_;
    chomp $key;
    die "htidentity key add printed no key\n" unless $key =~ /\A\S+\z/;
    open my $out, '>', $path or die "$path: $!";
    chmod 0600, $path;
    print {$out} "$key\n";
    close $out or die "$path: $!";
}

sub make_state
{
    my ($state) = @_;
    umask 077;
    make_path("$state/mail");
    tool($state, 'migrate');
    for my $entity ([default => 'admin-api-key'], [other => 'other-api-key']) {
        my ($reference, $file) = @$entity;
        tool($state, 'entity', 'add', $reference, '--name', ucfirst $reference);
        tool($state, '--entity', $reference, 'account', 'add', $reference, '--environment', 'LIVE');
        write_key("$state/$file", tool($state, '--entity', $reference, 'key', 'add', '--description', 'tests'));
    }
}

1;
