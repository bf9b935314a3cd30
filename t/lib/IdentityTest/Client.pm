# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Client;
# Talks to one server and reads its state folder. The functions of IdentityTest are this object's methods for the server of the suite.
use strict;
use warnings FATAL => 'all';
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(sleep time);
use IdentityTest::Database ();
use IdentityTest::Mail ();
use IdentityTest::Response ();

my $json = JSON::PP->new->utf8->canonical;
my $made = 0;

# host: 127.0.0.1:port; state: the folder of database, mail and keys
sub new
{
    my ($class, %given) = @_;
    return bless {%given, http => undef, owner => 0}, $class;
}

sub host { $_[0]{host} }
sub state_folder { $_[0]{state} }
sub origin { "http://$_[0]{host}" }

# A connection is not shared with a process that was forked.
sub http
{
    my ($self) = @_;
    if (!$self->{http} || $self->{owner} != $$) {
        $self->{http} = HTTP::Tiny->new(keep_alive => 1, timeout => 60, max_redirect => 0, agent => 'identity-test');
        $self->{owner} = $$;
    }
    return $self->{http};
}

sub key
{
    my ($self, $name) = @_;
    $name //= 'admin';
    return $self->{keys}{$name} //= do {
        open my $in, '<', "$self->{state}/$name-api-key" or die "$self->{state}/$name-api-key: $!";
        my $key = <$in>;
        chomp $key;
        $key;
    };
}

# api(METHOD, PATH, BODY, HEADER => VALUE, ...). BODY: undef for none, a reference (sent as JSON), or the bytes themselves. Without a credential among the
# headers the administrator's key is sent; 'X-API-KEY' => undef sends none. An IdentityTest::Response.
sub api
{
    my ($self, $method, $path, $body, %headers) = @_;
    my %lower = map { lc $_ => 1 } keys %headers;
    $headers{'X-API-KEY'} = $self->key unless $lower{'x-api-key'} || $lower{authorization};
    if (defined $body) {
        $body = $json->encode($body) if ref $body;
        $headers{'Content-Type'} = 'application/json' unless $lower{'content-type'};
    }
    delete @headers{grep { !defined $headers{$_} } keys %headers};
    my $answer = $self->http->request($method, "http://$self->{host}$path", {headers => \%headers, (defined $body ? (content => $body) : ())});
    return IdentityTest::Response->new($answer, "$method $path", $self->{front});
}

# Sends these bytes over a connection of their own and returns everything that comes back.
sub raw
{
    my ($self, $bytes, $seconds) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => $self->{host}, Timeout => 10) or die "cannot connect to $self->{host}: $@";
    local $SIG{PIPE} = 'IGNORE';
    print {$socket} $bytes;
    $socket->flush;
    my $answer = '';
    my $end = time + ($seconds // 10);
    while ((my $left = $end - time) > 0) {
        my $bits = '';
        vec($bits, fileno $socket, 1) = 1;
        last unless select $bits, undef, undef, $left;
        last unless sysread $socket, $answer, 65536, length $answer;
    }
    return $answer;
}

# Rows of a query on the database file, as hashes. Read only.
sub db
{
    my ($self, $sql) = @_;
    open my $out, '-|', 'sqlite3', '-readonly', '-json', '-cmd', '.timeout 5000', "$self->{state}/identity.db", $sql or die "sqlite3: $!";
    my $text = do { local $/; <$out> } // '';
    close $out or die "sqlite3 failed on: $sql\n$text";
    return $text eq '' ? () : @{$json->decode($text)};
}

# htidentity on this server's database: exit status, standard output, standard error.
sub tool
{
    my ($self, @arguments) = @_;
    return IdentityTest::Database::run_tool($self->{state}, @arguments);
}

sub account_id
{
    my ($self, $reference) = @_;
    $reference //= 'default';
    return $self->{accounts}{$reference} //= do {
        my ($row) = grep { $_->{reference} eq $reference } IdentityTest::Database::tool_rows($self->{state}, '--entity', $reference, 'account', 'list');
        $row->{id} // die "no account $reference\n";
    };
}

# ---- mail ----------------------------------------------------------------------------------------------------------------------------------

# All mails, or those to an address, oldest first.
# Mails with a link; and notices, which have none.
sub mails
{
    my ($self, $address) = @_;
    return grep { defined $_->{link} } IdentityTest::Mail::read_folder("$self->{state}/mail", $address);
}

sub notices
{
    my ($self, $address) = @_;
    return grep { !defined $_->{link} } IdentityTest::Mail::read_folder("$self->{state}/mail", $address);
}

# The newest mail with a link to the address once there are at least count; dies after 20 seconds.
sub wait_mail
{
    my ($self, $address, $count) = @_;
    $count //= 1;
    for (1 .. 200) {
        my @mails = $self->mails($address);
        return $mails[-1] if @mails >= $count;
        sleep 0.1;
    }
    die "no mail number $count to $address came\n";
}

# The newest notice, the same.
sub wait_notice
{
    my ($self, $address, $count) = @_;
    $count //= 1;
    for (1 .. 200) {
        my @notices = $self->notices($address);
        return $notices[-1] if @notices >= $count;
        sleep 0.1;
    }
    die "no notice number $count to $address came\n";
}

# ---- people --------------------------------------------------------------------------------------------------------------------------------

# An address that no test has used.
sub address
{
    my ($self, $name) = @_;
    return sprintf '%s.%d.%d.%d@example.com', $name // 'person', time, $$, ++$made;
}

# Invites an address into the entity's account: type (ADMIN, USER, PARTNER; default ADMIN), roles (names). The response.
sub invite
{
    my ($self, $address, %given) = @_;
    my $membership = {account_id => $self->account_id, type => $given{type} // 'ADMIN'};
    $membership->{roles} = [map { {name => $_} } @{$given{roles}}] if $given{roles};
    return $self->api(POST => '/v1/users/invite', {username => $address, account_memberships => [$membership]});
}

sub activate
{
    my ($self, $token, $password) = @_;
    return $self->api(POST => '/v1/oauth/activate-user', {token => $token, new_password => $password}, 'X-API-KEY' => undef);
}

sub login
{
    my ($self, $username, $password) = @_;
    return $self->api(POST => '/v1/oauth/token', {username => $username, password => $password}, 'X-API-KEY' => undef);
}

# Somebody who was invited, has activated and is logged in: username, password, id, token, bearer (header and value), cookie (header and value).
sub person
{
    my ($self, %given) = @_;
    my $username = $given{username} // $self->address($given{name});
    my $password = $given{password} // 'Correct1Horse';
    my $invited = $self->invite($username, %given);
    die 'invite: ', $invited->status, ' ', $invited->text, "\n" unless $invited->status == 200;
    my $active = $self->activate($self->wait_mail($username)->{token}, $password);
    die 'activate: ', $active->status, ' ', $active->text, "\n" unless $active->status == 200;
    my $in = $self->login($username, $password);
    die 'login: ', $in->status, ' ', $in->text, "\n" unless $in->status == 200;
    return {
        username => $username,
        password => $password,
        id => $active->json->{id},
        token => $in->json->{access_token},
        bearer => [Authorization => 'Bearer ' . $in->json->{access_token}],
        cookie => [Cookie => $in->cookie('identity_refresh')],
    };
}

1;
