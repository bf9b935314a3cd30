# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Node;
# Programs of t/node, which use packages of t/npm: node('verify.mjs', {...}) hands over JSON and gives back what was written. A file that uses it says
# `# needs: npm`.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use JSON::PP ();

our @EXPORT = qw(node);

my $json = JSON::PP->new->utf8->canonical;
my $count = 0;

sub node
{
    my ($program, $input) = @_;
    my $file = sprintf '%s/t/logs/node.%d.%d', $ENV{IDENTITY_TOP} // die("IDENTITY_TOP is not set: use t/run-httpd.sh\n"), $$, ++$count;
    open my $in, '>', $file or die "$file: $!";
    print {$in} $json->encode($input);
    close $in or die "$file: $!";
    open my $out, '-|', "node '$ENV{IDENTITY_TOP}/t/node/$program' < '$file'" or die "node: $!";
    my $text = do { local $/; <$out> } // '';
    close $out or die "$program: status $?\n";
    unlink $file;
    return $json->decode($text);
}

1;
