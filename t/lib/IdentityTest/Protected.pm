# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Protected;
# What the tests of protected content share: a folder of files and CGI programs, a backend that tells what it was sent, and short requests.
#
#     my $folder = IdentityTest::Protected::folder('name');         with files/, cgi/echo.cgi (its environment, a line each)
#     my $backend = IdentityTest::Protected->backend;               http://127.0.0.1:PORT, ends with the test
#     my $events = IdentityTest::Protected->events;                 the same, for what lasts: see there
#     my $answer = ask($server, GET => '/files/a.html', @headers);  status, text, headers->{lower-case name}
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use File::Path 'make_path';
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 'encode_base64';
use IdentityTest::Server;
use POSIX ();

our @EXPORT = qw(ask put line_of cgi_modules somebody basic);

sub put
{
    my ($path, $text, $mode) = @_;
    make_path($path =~ s{/[^/]*\z}{}r);
    open my $out, '>', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    chmod $mode // 0644, $path;
    return $path;
}

my $folders = 0;

sub folder
{
    my $folder = sprintf '%s/t/servers/protected.%d.%d', $ENV{IDENTITY_TOP}, $$, ++$folders;
    put("$folder/files/a.html", 'x' x 600);
    put("$folder/files/index.html", 'the index');
    put("$folder/cgi/echo.cgi", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec env\n", 0755);
    return $folder;
}

# CGI by a daemon of threads, or by each process itself.
sub cgi_modules { ($ENV{IDENTITY_CONFIG} // '') eq 'prefork' ? 'cgi' : 'cgid' }

# Answers with the head of each request, as it came; to a WebSocket's with 101 and that.
sub backend
{
    my ($class) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 32, ReuseAddr => 1) or die "backend: $!";
    my $pid = fork() // die "fork: $!";
    if (!$pid) {
        $SIG{TERM} = sub { POSIX::_exit(0) };
        while (my $client = $listener->accept) {
            my $head = '';
            while ($head !~ /\r\n\r\n/ && sysread $client, my $part, 65536) { $head .= $part }
            print {$client} $head =~ /^Upgrade: websocket/mi
                ? "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n$head"
                : "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " . length($head) . "\r\n\r\n$head";
            close $client;
        }
        POSIX::_exit(0);
    }
    return bless {url => 'http://127.0.0.1:' . $listener->sockport, pid => $pid, made_by => $$}, $class;
}

# Server-sent events ten times a second; to a WebSocket's request whatever comes is sent back; ?quiet: one event and then nothing.
sub events
{
    my ($class) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 64, ReuseAddr => 1) or die "backend: $!";
    my $pid = fork() // die "fork: $!";
    if (!$pid) {
        setpgrp;
        $SIG{CHLD} = 'IGNORE';
        $SIG{TERM} = $SIG{PIPE} = sub { POSIX::_exit(0) };
        while (1) {
            my $client = $listener->accept or next;
            next if fork();
            close $listener;
            $client->autoflush(1);
            my $head = '';
            while ($head !~ /\r\n\r\n/ && sysread $client, my $part, 4096) { $head .= $part }
            if ($head =~ /^Upgrade: websocket/mi) {
                syswrite $client, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
                while (sysread $client, my $part, 4096) { syswrite $client, $part }
                POSIX::_exit(0);
            }
            syswrite $client, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            for (1 .. 3000) {
                syswrite $client, "data: $_\n\n" or last;
                IO::Select->new($client)->can_read($head =~ /\?quiet/ ? 600 : 0.1) and last;
            }
            POSIX::_exit(0);
        }
    }
    return bless {url => 'http://127.0.0.1:' . $listener->sockport, pid => $pid, group => 1, made_by => $$}, $class;
}

# The same by FastCGI: answers with the parameters, a line NAME=VALUE each.
sub fastcgi
{
    my ($class) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 8, ReuseAddr => 1) or die "backend: $!";
    my $pid = fork() // die "fork: $!";
    if (!$pid) {
        $SIG{TERM} = sub { POSIX::_exit(0) };
        while (my $client = $listener->accept) {
            my ($parameters, $id) = ('', 1);
            while (read($client, my $head, 8) == 8) {
                (my $type, $id, my $length, my $padding) = unpack 'xCnnC', $head;
                read $client, my $content, $length + $padding if $length + $padding;
                $parameters .= substr $content, 0, $length if $type == 4 && $length;
                last if $type == 5 && !$length;
            }
            my $text = "Content-Type: text/plain\r\n\r\n";
            while (length $parameters) {
                my @sizes = map { my $size = unpack 'C', $parameters; $parameters =~ s/^.//s; $size > 127 ? do { $size = unpack 'N', pack('C', $size & 127) . substr $parameters, 0, 3, ''; $size } : $size } 1, 2;
                my ($name, $value) = map { substr $parameters, 0, $_, '' } @sizes;
                $text .= "$name=$value\n";
            }
            print {$client} pack('CCnnCx', 1, 6, $id, length $text, 0) . $text, pack('CCnnCx', 1, 3, $id, 8, 0) . "\0" x 8;
            close $client;
        }
        POSIX::_exit(0);
    }
    return bless {url => 'fcgi://127.0.0.1:' . $listener->sockport, pid => $pid, made_by => $$}, $class;
}

sub url { $_[0]{url} }

sub DESTROY
{
    my ($self) = @_;
    return unless $self->{made_by} == $$;
    local ($?, $@);
    kill TERM => $self->{group} ? -$self->{pid} : $self->{pid};
    waitpid $self->{pid}, 0;
}

sub ask
{
    my ($server, $method, $path, @headers) = @_;
    my %given;
    while (my ($name, $value) = splice @headers, 0, 2) { $given{$name} = $value }
    my $answer = $server->http->request($method, $server->origin . $path, {headers => \%given});
    die "$method $path: $answer->{content}\n" if $answer->{status} == 599;
    return {status => $answer->{status}, text => $answer->{content}, headers => $answer->{headers}};
}

my $made = 0;
my $password = 'Correct1Horse';

# An active USER of the account with one role of these permissions (and further members of the membership): id, name, password, role, bearer (header and value).
sub somebody
{
    my ($server, $permissions, %given) = @_;
    my $number = ++$made;
    my $name = "person$number\@protect.example";
    my $role = $server->api(POST => '/v1/roles', {name => "Role $number", permissions => $permissions})->json->{id};
    my $user = $server->api(POST => '/v1/users', {username => $name, password => $password})->json;
    my $joined = $server->api(POST => "/v1/users/$user->{id}/memberships", {account_id => $server->account_id, type => 'USER', role_ids => [$role], %given});
    die 'a membership: ', $joined->status, ' ', $joined->text, "\n" unless $joined->status < 300;
    return {
        id => $user->{id}, name => $name, password => $password, role => $role, memb => $joined->json->[0]{id},
        bearer => [Authorization => 'Bearer ' . $server->login($name, $password)->json->{access_token}]};
}

sub basic { my ($user, $secret) = @_; return (Authorization => 'Basic ' . encode_base64("$user:$secret", '')) }

# The value of a line NAME=VALUE or `Name: value` of what a backend told.
sub line_of
{
    my ($answer, $name) = @_;
    return $answer->{text} =~ /^\Q$name\E(?:=|: )([^\r\n]*)/mi ? $1 : undef;
}

1;
