#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The operations of the interface, one line each, from the route table: which of them a real httpd has answered with success in this run of `make test`, and what
# else it answered (t/run-httpd.sh leaves CONFIG.seen in the folder IDENTITY_ANSWERS).
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::More;
use lib 't/lib';
use IdentityGuard qw(slurp code_of);

# How many the published interface has, by the first part of their paths.
my @parts = ([oauth => 9], [users => 12], [roles => 5], [teams => 4], ['api-keys' => 6], ['authentication-providers' => 5], ['audit-records' => 2]);
# Ours, and those of the invitations interface, beside the published ones.
my $beside = qr{^\w+ /v1/invitations|^GET /v1/(?:oauth/|openapi\.json$|reference$)|^POST /v1/oauth/(?:introspect|revoke|describe-link|confirm-address|sign-in|sign-out)$|^GET /\.well-known/|/v1/clients(?:/|$)|/v1/oidc/|/sessions(?:/|$)|^DELETE /v1/(?:users|teams|api-keys)/|/users/\{user\}/api-keys|^PATCH /v1/(?:teams/|users/\{user\}/teams/)|/(?:restore|link|holders)$};

my $folder = $ENV{IDENTITY_ANSWERS} // die('IDENTITY_ANSWERS names no folder: make test sets it');
# The suites may still be at work beside this file.
for (my $patience = 1200; $patience > 0 && grep({ !-e "$folder/event-$_.seen" } qw(api httpd)); $patience--) { sleep 1 }
my %seen;
for my $file (glob "$folder/*.seen") {
    my $counts = JSON::PP->new->decode(slurp($file));
    for my $operation (keys %$counts) {
        $seen{$operation}{$_} += $counts->{$operation}{$_} for keys %{$counts->{$operation}};
    }
}
ok scalar keys %seen, 'what the servers answered was kept' or diag "no file $folder/*.seen";

my (%of_part, @others);
my $table = code_of('src/service/routes.def', strings => 1);
while ($table =~ /\bROUTE\((\w+),\s*"([A-Z]+)",\s*"([^"]+)"/g) {
    my ($operation, $name, $path) = ($1, "$2 $3", $3);
    my ($part) = $path =~ m{^/v1/([^/]+)};
    push @{$name =~ $beside ? \@others : ($of_part{$part // $path} //= [])}, [$operation, $name];
}

# What leads the browser elsewhere.
my %elsewhere = (authorize => 302, sign_in => 303, oidc_authorize => 303, oidc_authorize_form => 303);

# prove shows what comes on standard error.
sub say_line { print STDERR '# ', @_, "\n" }

sub judge
{
    my ($operation, $name) = @_;
    my $statuses = $seen{$operation} // {};
    my $told = join ', ', map { "$_ x$statuses->{$_}" } sort keys %$statuses;
    my $held = ok scalar(grep { /^2/ || $_ eq ($elsewhere{$operation} // '') } keys %$statuses), "$name ($operation)";
    say_line sprintf '%-6s %-48s %-34s %s', $held ? 'ok' : 'NOT OK', $name, $operation, $told || 'was never asked';
}

my $total = 0;
say_line '';
for my $part (@parts) {
    my ($name, $published) = @$part;
    my $rows = delete $of_part{$name} // [];
    judge(@$_) for @$rows;
    is scalar @$rows, $published, "$published operations of $name";
    $total += @$rows;
}
is $total, 43, '43 operations in all';
is join(' ', sort keys %of_part), '', 'and no others';
say_line "$total operations of the published interface; beside them:";
judge(@$_) for @others;
done_testing;
