# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Smtp;
# npm's smtp-server on loopback (t/smtp/server.mjs, which says what rules are). A file that uses it says `# needs: npm`.
#
#     my $smtp = IdentityTest::Smtp->new;
#     ... directives => $smtp->directives('plain')            or 'auth'
#     $smtp->rules({stage => 'rcpt', does => 450, times => 1});
#     my @mails = $smtp->wait_mails('ada@example.com', 1);    parsed, and with tls, user, helo and utf8 of t/smtp/server.mjs
#     $smtp->stop;                                            else at the end of the test
use strict;
use warnings FATAL => 'all';
use Encode ();
use HTTP::Tiny;
use IPC::Open2 'open2';
use JSON::PP ();
use Time::HiRes qw(sleep);
use IdentityTest::Mail ();

my ($user, $password) = ('identity', 'smtp-canary');
my $number = 0;

sub new
{
    my ($class) = @_;
    my $top = $ENV{IDENTITY_TOP} // die "IDENTITY_TOP is not set: use t/run-httpd.sh\n";
    die "there is no smtp-server: the file needs a line `# needs: npm`\n" unless -d "$top/node_modules/smtp-server";
    my $base = sprintf '%s/t/servers/smtp.%d.%d', $top, $$, ++$number;
    my $self = bless {made_by => $$, secret => "$base.secret"}, $class;
    open my $out, '>', $self->{secret} or die "$self->{secret}: $!";
    print {$out} "$password\n";
    close $out or die $!;
    chmod 0600, $self->{secret};
    $self->{pid} = open2($self->{out}, $self->{in}, "exec node '$top/t/smtp/server.mjs' '$user' '$password' 2> '$base.log'");
    my $line = readline($self->{out}) // die "smtp-server does not start:\n", `tail -n 20 '$base.log'`;
    $self->{ports} = JSON::PP::decode_json($line);
    return $self;
}

sub directives
{
    my ($self, $port) = @_;
    my $who = $port eq 'auth' ? "$user\@" : '';
    return "IdentityMailURL smtp://${who}127.0.0.1:$self->{ports}{$port}\n" . ($who ? "IdentityMailSecret $self->{secret}\n" : '');
}

sub ask
{
    my ($self, $method, $path, $body) = @_;
    my $answer = HTTP::Tiny->new(timeout => 20)->request($method, "http://127.0.0.1:$self->{ports}{control}$path", {defined $body ? (content => $body) : ()});
    die "smtp-server: $answer->{status} $answer->{content}\n" unless $answer->{success};
    return JSON::PP::decode_json($answer->{content});
}

# Replaces all rules; what hung goes on.
sub rules { my ($self, @rules) = @_; return $self->ask(POST => '/rules', JSON::PP::encode_json(\@rules)) }
sub seen { $_[0]->ask(GET => '/seen') }
sub forget { $_[0]->ask(DELETE => '/seen') }

sub mails
{
    my ($self, $to) = @_;
    return map { {%$_, %{IdentityTest::Mail::parse(Encode::encode('UTF-8', $_->{raw}))}} } grep { !defined $to || $_->{to} eq $to } @{$self->seen->{mails}};
}

# Until what returns something true does; dies after 30 seconds.
sub wait_for
{
    my ($self, $what, $code) = @_;
    for (1 .. 600) {
        my $got = $code->();
        return $got if $got;
        sleep 0.05;
    }
    die "waited in vain for $what\n";
}

sub wait_mails
{
    my ($self, $to, $count) = @_;
    $self->wait_for("$count mails to $to", sub { $self->mails($to) >= $count });
    return $self->mails($to);
}

sub stop
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    close $self->{in};
    for (1 .. 50) {
        return if waitpid($pid, 1) != 0;
        sleep 0.1;
    }
    kill KILL => $pid;
    waitpid $pid, 0;
}

sub DESTROY
{
    my ($self) = @_;
    local ($@, $?);
    $self->stop if $self->{made_by} == $$;
}

1;
