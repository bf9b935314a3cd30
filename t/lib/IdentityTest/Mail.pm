# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Mail;
# Reads mails of a Maildir: hashes of id, path, to, from, subject, date, headers (lower case), text, html, link, token, raw.
use strict;
use warnings FATAL => 'all';
use Encode qw(decode);
use MIME::QuotedPrint qw(decode_qp);

sub read_folder
{
    my ($folder, $address) = @_;
    my @mails;
    # Named after ids, which sort by time.
    for my $path (sort { name($a) cmp name($b) } glob "$folder/new/* $folder/cur/*") {
        open my $in, '<:raw', $path or die "$path: $!";
        my $mail = parse(do { local $/; <$in> });
        $mail->{path} = $path;
        push @mails, $mail if !defined $address || lc $mail->{to} eq lc $address;
    }
    return @mails;
}

sub name { my ($name) = $_[0] =~ m{([^/]+)\z}; $name }

sub split_part
{
    my ($raw) = @_;
    my ($head, $body) = split /\r?\n\r?\n/, $raw, 2;
    $head =~ s/\r?\n[ \t]+/ /g;
    my %headers = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1 => $2) : () } split /\r?\n/, $head;
    return (\%headers, $body // '');
}

sub content
{
    my ($headers, $body) = @_;
    my $encoding = lc($headers->{'content-transfer-encoding'} // '7bit');
    $body =~ s/\r\n/\n/g;
    $body = decode_qp($body) if $encoding eq 'quoted-printable';
    die "encoding $encoding\n" unless $encoding =~ /^(?:7bit|8bit|quoted-printable)$/;
    return decode('UTF-8', $body, Encode::FB_CROAK);
}

sub parse
{
    my ($raw) = @_;
    my ($headers, $body) = split_part($raw);
    my %mail = (raw => $raw, headers => $headers, map { $_ => decode('MIME-Header', $headers->{$_} // '') } qw(to from subject date));
    $mail{to} =~ s/^.*<|>.*$//g;
    if (($headers->{'content-type'} // '') =~ m{^multipart/alternative;.*boundary="?([^";]+)}i) {
        my (undef, @parts) = split /(?:^|\r?\n)--\Q$1\E(?:--)?[ \t]*\r?\n/, $body;
        for my $part (@parts) {
            my ($own, $text) = split_part($part);
            $mail{text} = content($own, $text) if ($own->{'content-type'} // '') =~ m{^text/plain}i;
            $mail{html} = content($own, $text) if ($own->{'content-type'} // '') =~ m{^text/html}i;
        }
    } else {
        $mail{text} = content($headers, $body);
    }
    ($mail{link}) = ($mail{text} // '') =~ m{(https?://\S+\#token=[\w-]+)};
    ($mail{token}) = ($mail{link} // '') =~ /#token=([\w-]+)/;
    return \%mail;
}

1;
