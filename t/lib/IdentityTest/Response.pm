# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Response;
# An answer: status, header(NAME), headers (hash, lower case; a list where one came twice), text (bytes), json, keys_of(PATH), cookie(NAME).
# Where it is told to which request ("GET /v1/users"), it is kept, and held against conf/openapi.json at the end of the run (t/answers/check.py); front: see
# IdentityTest::Server.
use strict;
use warnings FATAL => 'all';
use IO::Handle ();
use IO::Uncompress::Gunzip ();
use JSON::PP ();

my $json = JSON::PP->new->utf8->allow_nonref;

sub new
{
    my ($class, $answer, $request, $front) = @_;
    die 'no answer to ', $request // 'a request', ": $answer->{content}\n" if $answer->{status} == 599;
    my $self = bless {status => 0 + $answer->{status}, headers => $answer->{headers}, text => $answer->{content} // ''}, $class;
    $self->record($request, $front) if $request && $ENV{IDENTITY_ANSWERS};
    return $self;
}

my ($kept, $keeper);

# What is ours by conf/identity.conf; a file of its own for each process.
sub record
{
    my ($self, $request, $front) = @_;
    my ($method, $path, $query) = $request =~ m{^(\S+) ([^?]+)(.*)$}s or return;
    # What httpd does to a path before it looks whose it is.
    $path =~ s/%(?!2[Ff]|00)([0-9A-Fa-f]{2})/chr hex $1/ge;
    $path =~ s{//+}{/}g;
    $path =~ s{/\.(?=/|$)}{}g;
    1 while $path =~ s{/[^/]+/\.\.(?=/|$)}{};
    return unless $path =~ m{^/(?:v(?:[0-9]+|x)(?:/|$)|\.well-known/(?:jwks\.json|oauth-authorization-server|openid-configuration)$)};
    if (!$kept || $keeper != $$) {
        (my $name = $0) =~ s{.*/}{};
        open $kept, '>>', "$ENV{IDENTITY_ANSWERS}/$name.$$.jsonl" or die "$ENV{IDENTITY_ANSWERS}: $!";
        $kept->autoflush(1);
        $keeper = $$;
    }
    my $type = $self->header('Content-Type');
    my %line = (from => $0, method => $method, target => "$path$query", status => $self->{status}, type => $type, headers => $self->{headers});
    $line{front} = JSON::PP::true if $front;
    # Bytes that are no UTF-8 are kept as they look, and complained about as no JSON would be.
    if (!defined $type || $type =~ m{^application/json} || $method eq 'HEAD') {
        my $text = $self->{text};
        my $coding = $self->header('Content-Encoding') // '';
        IO::Uncompress::Gunzip::gunzip(\$self->{text} => \$text) or die "no gzip: $IO::Uncompress::Gunzip::GunzipError" if $coding eq 'gzip' && length $text;
        utf8::decode($text);
        # Perl itself reads no other coding; the same answer without it is seen by other tests.
        $line{body} = $text unless $coding && $coding ne 'gzip';
    }
    print {$kept} $json->encode(\%line), "\n";
}

sub status { $_[0]{status} }
sub headers { $_[0]{headers} }
sub header { $_[0]{headers}{lc $_[1]} }
sub text { $_[0]{text} }
# undef where it is no JSON.
sub json { $_[0]{json} //= eval { $json->decode($_[0]{text}) } }
sub code { ref $_[0]->json eq 'HASH' ? $_[0]->json->{code} : undef }
sub field { ref $_[0]->json eq 'HASH' ? $_[0]->json->{field} : undef }

# Names of an object's members in the order they came in, joined by spaces: keys_of(), keys_of('data', 0).
sub keys_of
{
    my ($self, @path) = @_;
    return join ' ', keys_in_order($self->{text}, @path);
}

# `name=value` of a cookie that is set, for a Cookie header; undef where it is not.
sub cookie
{
    my ($self, $name) = @_;
    my $set = $self->header('Set-Cookie') // return;
    for my $one (ref $set ? @$set : $set) {
        return $1 if $one =~ /^(\Q$name\E=[^;]*)/;
    }
    return;
}

# The members' names of the object at path (names and positions) in a JSON text, in their order there. Dies where there is no object.
sub keys_in_order
{
    my ($text, @path) = @_;
    my $value = ordered(\$text);
    for my $step (@path) {
        if (ref $value eq 'ARRAY') {
            $value = $value->[$step];
        } elsif (ref $value eq 'HASH') {
            my ($at) = grep { $value->{keys}[$_] eq $step } 0 .. $#{$value->{keys}};
            $value = defined $at ? $value->{values}[$at] : undef;
        } else {
            $value = undef;
        }
    }
    die "there is no object at @path in $text\n" unless ref $value eq 'HASH';
    return @{$value->{keys}};
}

# Reads one value: objects become {keys, values}, lists arrays, all else its text. JSON::PP has checked the text or will.
sub ordered
{
    my ($text) = @_;
    my $string = qr/"((?:[^"\\]|\\.)*)"/s;
    if ($$text =~ /\G\s*\{/gc) {
        my $object = {keys => [], values => []};
        until ($$text =~ /\G\s*\}/gc) {
            $$text =~ /\G\s*,?\s*$string\s*:/gc or die "no JSON: $$text\n";
            push @{$object->{keys}}, $1;
            push @{$object->{values}}, ordered($text);
        }
        return $object;
    }
    if ($$text =~ /\G\s*\[/gc) {
        my @list;
        until ($$text =~ /\G\s*\]/gc) {
            $$text =~ /\G\s*,/gc;
            push @list, ordered($text);
        }
        return \@list;
    }
    return $1 if $$text =~ /\G\s*$string/gc || $$text =~ /\G\s*([^\s,\]\}"]+)/gc;
    die "no JSON: $$text\n";
}

1;
