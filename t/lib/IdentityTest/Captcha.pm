# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Captcha;
# A captcha service on loopback (t/lib/siteverify.py), and what IdentityCaptcha needs for it:
#
#     my $captcha = IdentityTest::Captcha->new;
#     ... directives => $captcha->directive
#     my ($last) = reverse $captcha->asked;                   the forms that it got, oldest first
#     $captcha->stop;                                         else at the end of the test
use strict;
use warnings FATAL => 'all';
use IPC::Open2 'open2';
use JSON::PP ();

my $number = 0;

sub new
{
    my ($class) = @_;
    my $base = sprintf '%s/t/servers/captcha.%d.%d', $ENV{IDENTITY_TOP}, $$, ++$number;
    open my $secret, '>', "$base.secret" or die "$base.secret: $!";
    print {$secret} "captcha-canary\n";
    close $secret or die $!;
    chmod 0600, "$base.secret";
    my $pid = open2(my $out, my $in, '/usr/bin/python3', '-E', "$ENV{IDENTITY_TOP}/t/lib/siteverify.py", "$base.forms");
    my $port = <$out> // die "siteverify.py does not start\n";
    chomp $port;
    return bless {base => $base, pid => $pid, in => $in, out => $out, port => $port, made_by => $$}, $class;
}

sub url { "http://127.0.0.1:$_[0]{port}/siteverify" }
sub secret_file { "$_[0]{base}.secret" }
sub directive { sprintf "IdentityCaptcha %s %s\n", $_[0]->url, $_[0]->secret_file }

sub asked
{
    my ($self) = @_;
    open my $in, '<', "$self->{base}.forms" or return;
    return map { JSON::PP::decode_json($_) } <$in>;
}

sub stop
{
    my ($self) = @_;
    my $pid = delete $self->{pid} // return;
    local $?;
    kill TERM => $pid;
    waitpid $pid, 0;
}

sub DESTROY
{
    my ($self) = @_;
    $self->stop if $self->{made_by} == $$;
}

1;
