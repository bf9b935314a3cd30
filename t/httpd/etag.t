# SPDX-License-Identifier: Apache-2.0
# Entity tags through a real httpd: with and without compression, whatever that does to the tag, and sixteen changes with one tag.
use strict;
use warnings FATAL => 'all';
use Compress::Zlib ();
use Test::More;
use IdentityTest;
use IdentityTest::Api;
use IdentityTest::Server;

my $compress = "AddOutputFilterByType DEFLATE application/json\nDeflateAlterETag";
my $brotli = "AddOutputFilterByType BROTLI_COMPRESS application/json\nBrotliAlterETag";

# What is asked of one server; coding: what the client accepts, mark: what comes with the tag.
sub try_with
{
    my ($name, $server, $coding, $mark) = @_;
    my $id = $server->api(POST => '/v1/users', {username => $server->address('tag'), password => 'Correct1Horse'})->json->{id};
    my $path = "/v1/users/$id";
    my $plain = $server->api(GET => $path);
    is $plain->status, 200, "$name: GET";
    my $bare = $plain->header('ETag');
    like $bare, qr/^"[0-9a-f]{32}"$/, 'has a strong tag';
    is $plain->header('Content-Encoding'), undef, 'and is as it is';

    my @accept = ('Accept-Encoding' => $coding);
    my $packed = $server->api(GET => $path, undef, @accept);
    is $packed->header('Content-Encoding') // 'none', $coding, "$name: compressed";
    is Compress::Zlib::memGunzip($packed->text), $plain->text, 'it is the same' if $coding eq 'gzip';
    my $tag = $packed->header('ETag');
    is $tag, $bare =~ s/"$/$mark"/r, 'the tag is what was configured';

    for my $none_match ($tag, "W/$tag", "\"x\", $tag", $bare) {
        my $answer = $server->api(GET => $path, undef, @accept, 'If-None-Match' => $none_match);
        is join(' ', $answer->status, length $answer->text), '304 0', "If-None-Match: $none_match";
        is $answer->header('Content-Encoding'), undef, 'nothing is compressed';
        like $answer->header('ETag') // 'none', qr/^"[0-9a-f]{32}(?:\Q$mark\E)?"$/, 'with the tag';
        is $answer->header('Content-Type'), undef, 'and of no type';
    }
    is $server->api(HEAD => $path, undef, @accept, 'If-None-Match' => $tag)->status, 304, 'HEAD alike';
    is $server->api(GET => $path, undef, @accept, 'If-None-Match' => '"x"')->status, 200, 'another tag';

    my $changed = $server->api(PATCH => $path, {status => 'INACTIVE'}, @accept, 'If-Match' => $tag);
    is $changed->status, 200, "$name: If-Match with the tag";
    is $changed->header('ETag'), $server->api(GET => $path, undef, @accept)->header('ETag'), 'the answer has the next one';
    refused_is $server->api(PATCH => $path, {status => 'ACTIVE'}, 'If-Match' => $tag), 412, 'INVALID_OPERATION', undef, 'the old one is of no use any more';
    refused_is $server->api(PATCH => $path, {status => 'ACTIVE'}, 'If-Match' => 'W/' . $changed->header('ETag')), 412, 'INVALID_OPERATION', undef, 'a weak one never is';
    is $server->api(PATCH => $path, {status => 'ACTIVE'}, 'If-Match' => $changed->header('ETag'))->status, 200, 'the next one is';
    is $server->api(GET => $path, undef, 'If-None-Match' => $bare)->status, 304, 'back where it was: the tag is the same';
    return $path;
}

my $state;
for (
    ['as it is shipped' => deflate => "$compress NoChange", gzip => ''], ['marked by mod_deflate' => deflate => "$compress AddSuffix", gzip => '-gzip'],
    ['as mod_brotli is shipped' => brotli => "$brotli NoChange", br => ''], ['marked by mod_brotli' => brotli => "$brotli AddSuffix", br => '-br']) {
    my ($name, $module, $directives, $coding, $mark) = @$_;
    my $server = IdentityTest::Server->new(modules => ['filter', $module], directives => "$directives\n", ($state ? (state => $state) : ()));
    $state //= $server->state_folder;
    try_with($name, $server, $coding, $mark);
    $server->stop;
}

# What the shipped file says is in force where nobody says otherwise.
my $shipped = IdentityTest::Server->new(modules => ['filter', 'deflate'], directives => "AddOutputFilterByType DEFLATE application/json\n", state => $state);
try_with('by the shipped file alone', $shipped, 'gzip', '');
$shipped->stop;

# ---- one tag, sixteen changes ------------------------------------------------------------------------------------------------------------------

for my $round (1 .. 3) {
    my %made = (users => {username => address('race'), password => 'Correct1Horse'}, roles => {name => 'Race ' . address()});
    my %change = (users => {status => 'INACTIVE'}, roles => {description => 'changed'});
    for my $kind (sort keys %made) {
        my $id = api(POST => "/v1/$kind", $made{$kind})->json->{id};
        my $tag = api(GET => "/v1/$kind/$id")->header('ETag');
        my @answers = together(16, sub { my $answer = api(PATCH => "/v1/$kind/$id", $change{$kind}, 'If-Match' => $tag); [$answer->status, $answer->header('ETag')] });
        my @won = grep { $_->[0] == 200 } @answers;
        is scalar @won, 1, "$kind, round $round: one of sixteen changes with one tag is made";
        is scalar(grep { $_->[0] == 412 } @answers), 15, 'the others are told' or diag join ' ', map { $_->[0] } @answers;
        is $won[0][1], api(GET => "/v1/$kind/$id")->header('ETag'), "the winner's tag is that of what is there";
        is rows("SELECT 1 FROM audit_records WHERE target_id = '$id' AND action = 'UPDATE'"), 1, 'one record';
    }
}

done_testing;
