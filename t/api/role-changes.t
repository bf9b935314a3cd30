# SPDX-License-Identifier: Apache-2.0
# One role over HTTP: get, change, delete.
# run on: event asan
# route get_role update_role delete_role
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('role');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my @other = ('X-API-KEY' => key());

sub make { my $answer = api(POST => '/v1/roles', {@_}, @key); die $answer->text unless $answer->status == 200; return $answer->json }
sub builtin { api(GET => '/v1/roles?name=' . $_[0] =~ s/ /%20/gr, undef, @key)->json->{data}[0] }
sub audit { [map { "$_->{action} $_->{message}" } db("SELECT action, message FROM audit_records WHERE target_id = '$_[0]' ORDER BY id")] }
sub held { my ($row) = db("SELECT name, version FROM roles WHERE id = '$_[0]'"); return $row ? "$row->{name} $row->{version}" : 'none' }

my $viewer = builtin('Quote Viewer');
my $clerk = make(name => 'Clerk', description => 'At the desk.', permissions => ['DESK.OPEN', 'QUOTE.VIEW'], child_role_ids => [$viewer->{id}]);
my $path = "/v1/roles/$clerk->{id}";
my $team_viewer = member('viewer', entity => $site, type => 'USER', roles => ['Role Viewer']);
my @reader = @{$team_viewer->{bearer}};

# ---- GET -----------------------------------------------------------------------------------------------------------------------------------

my $got = api(GET => $path, undef, @key);
answered_is $got, 200, 'get';
shape_is $got, 'role', 'the answer is a Role';
is_deeply $got->json, $clerk, 'as it was made, children in full';
is_deeply api(GET => "/v1/roles/$viewer->{id}", undef, @other)->json, $viewer, 'a built-in role is everybody\'s';
is api(GET => $path, undef, @reader)->status, 200, 'by a user who may view roles';
my $head = api(HEAD => $path, undef, @key);
is $head->status . $head->text, '200', 'HEAD';
refused_is api(GET => $path, undef, @no_key), 401, 'UNAUTHORISED', undef, 'get without a credential';
my $nobody = member('nobody', entity => $site, type => 'USER', roles => ['Quote Viewer']);
refused_is api(GET => $path, undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'get without the permission';
refused_is api(GET => $_->[0], undef, @{$_->[1]}), 404, 'RESOURCE_NOT_FOUND', undef, 'get'
    for [$path, \@other], ["/v1/roles/${\unknown_id('role')}", \@key], ["/v1/roles/$site->{id}", \@key], ['/v1/roles/clerk', \@key], ["$path/", \@key];
my $wrong = api(PUT => $path, {}, @key);
refused_is $wrong, 405, 'INVALID_OPERATION', undef, 'PUT';
is $wrong->header('Allow'), 'GET, HEAD, PATCH, DELETE, OPTIONS', 'with what is allowed';

# ---- PATCH ---------------------------------------------------------------------------------------------------------------------------------

my $changed = api(PATCH => $path, {name => 'Head Clerk', description => undef, permissions => ['DESK.CLOSE'], child_role_ids => []}, @key);
answered_is $changed, 200, 'change';
shape_is $changed, 'role', 'the answer is a Role';
my $now = {%$clerk, name => 'Head Clerk', description => '', permissions => ['DESK.CLOSE'], child_role_ids => [], child_roles => []};
is_deeply $changed->json, $now, 'all of it, but for the slug';
is_deeply api(GET => $path, undef, @key)->json, $now, 'and so it is read';
is held($clerk->{id}), 'Head Clerk 2', 'one version on';
is_deeply audit($clerk->{id}), ['CREATE A role was created.', 'UPDATE Changed: name description child_role_ids permissions'], 'on record';
is_deeply api(PATCH => $path, {%$now, child_roles => 'nonsense', entity_id => 'x', id => 'y', object_type => 'Z', description => 'Again.'}, @key)->json,
    {%$now, description => 'Again.'}, 'the whole object sent back with one change';
is held($clerk->{id}), 'Head Clerk 3', 'is one change';
is api(PATCH => $path, api(GET => $path, undef, @key)->text, @key)->status . held($clerk->{id}), '200Head Clerk 3', 'and none without one';

my $inner = make(name => 'Inner', child_role_ids => [$viewer->{id}]);
my $outer = make(name => 'Outer', child_role_ids => [$inner->{id}]);
is_deeply api(PATCH => $path, {child_role_ids => [$viewer->{id}, $inner->{id}]}, @key)->json->{child_roles}, [$viewer, $inner], 'other children, two deep';
my $before = held($clerk->{id}) . held($inner->{id}) . held($outer->{id});
for (
    [$path, {slug => 'other'}, 400, INVALID_FIELD => 'slug'],
    [$path, {name => 'outer'}, 409, RESOURCE_ALREADY_EXISTS => 'name'],
    [$path, {name => 'READ ONLY'}, 409, RESOURCE_ALREADY_EXISTS => 'name'],
    [$path, {name => "a\tb"}, 400, INVALID_FIELD => 'name'],
    [$path, {description => 'x' x 1025}, 400, INVALID_FIELD => 'description'],
    [$path, {permissions => ['DESK.OPEN', 'desk']}, 400, INVALID_FIELD => 'permissions.1'],
    [$path, {child_role_ids => [$viewer->{id}, unknown_id('role')]}, 400, INVALID_FIELD => 'child_role_ids.1'],
    [$path, {child_role_ids => [$clerk->{id}]}, 400, INVALID_FIELD => 'child_role_ids.0'],
    [$path, {child_role_ids => [$viewer->{id}, $outer->{id}]}, 400, INVALID_FIELD => 'child_role_ids.1'],
    ["/v1/roles/$inner->{id}", {child_role_ids => [$outer->{id}]}, 400, INVALID_FIELD => 'child_role_ids.0'],
    ["/v1/roles/$inner->{id}", {child_role_ids => [$clerk->{id}]}, 400, INVALID_FIELD => 'child_role_ids.0'],
    ["/v1/roles/$viewer->{id}", {description => 'x'}, 409, INVALID_OPERATION => undef],
    ["/v1/roles/${\unknown_id('role')}", {description => 'x'}, 404, RESOURCE_NOT_FOUND => undef]) {
    refused_is api(PATCH => $_->[0], $_->[1], @key), @$_[2 .. 4], 'change';
}
refused_is api(PATCH => $path, {description => 'x'}, @other), 404, 'RESOURCE_NOT_FOUND', undef, "change another entity's";
refused_is api(PATCH => $path, {description => 'x'}, @no_key), 401, 'UNAUTHORISED', undef, 'change without a credential';
refused_is api(PATCH => $path, {description => 'x'}, @reader), 403, 'USER_NOT_ALLOWED', undef, 'change without the permission';
refused_is api(PATCH => $path, undef, @key), 400, 'BAD_REQUEST', undef, 'change without a body';

# Nobody gives what they lack, nor takes what they could not give. (security 62)
make(name => 'Keeper', permissions => ['ROLE.UPDATE', 'ROLE.VIEW']);
my $keeper = member('keeper', entity => $site, type => 'USER', roles => ['Keeper']);
my ($own) = map { $_->{id} } builtin('Keeper');
refused_is api(PATCH => "/v1/roles/$own", {permissions => ['ROLE.UPDATE', 'ROLE.DELETE']}, @{$keeper->{bearer}}), 403, 'USER_NOT_ALLOWED', 'permissions', 'one\'s own role upward';
refused_is api(PATCH => "/v1/roles/$own", {child_role_ids => [builtin('Administrator')->{id}]}, @{$keeper->{bearer}}), 403, 'USER_NOT_ALLOWED', 'child_role_ids', 'by a child';
refused_is api(PATCH => $path, {permissions => []}, @{$keeper->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'a role that grants more';
is held($clerk->{id}) . held($inner->{id}) . held($outer->{id}), $before, 'nothing of these was kept';
is api(PATCH => "/v1/roles/$own", {permissions => ['ROLE.UPDATE']}, @{$keeper->{bearer}})->status, 200, 'downward it may go';
is api(GET => $path, undef, @{$keeper->{bearer}})->status, 403, 'and holds from the next request on';
is api(PATCH => "/v1/roles/$own", {child_role_ids => [builtin('Role Viewer')->{id}]}, @key)->status, 200, 'somebody who holds it gives it back';
is api(GET => $path, undef, @{$keeper->{bearer}})->status, 200, 'which holds from the next request on';

# Two changes at once never make a ring.
my ($left, $right) = map { make(name => $_)->{id} } qw(Left Right);
for my $round (1 .. 5) {
    my @pairs = ([$left, $right], [$right, $left]);
    my @statuses = together(2, sub { my ($of, $to) = @{$pairs[$_[0]]}; api(PATCH => "/v1/roles/$of", {child_role_ids => [$to]}, @key)->status });
    is join(' ', sort @statuses), '200 400', "each into the other, round $round: one is refused";
    is rows("SELECT 1 FROM role_children WHERE role_id IN ('$left', '$right')"), 1, 'and one is inside';
    api(PATCH => "/v1/roles/$_", {child_role_ids => []}, @key) for $left, $right;
}

# ---- DELETE --------------------------------------------------------------------------------------------------------------------------------

$before = join ' ', map { held($_) } $inner->{id}, $own, $viewer->{id}, $outer->{id};
unlike $before, qr/none/, 'four roles are there';
refused_is api(DELETE => "/v1/roles/$_->[0]", undef, @{$_->[1]}), @$_[2, 3], undef, 'delete' for (
    [$inner->{id}, \@key, 409, 'INVALID_OPERATION'],
    [$own, \@key, 409, 'INVALID_OPERATION'],
    [$viewer->{id}, \@key, 409, 'INVALID_OPERATION'],
    [unknown_id('role'), \@key, 404, 'RESOURCE_NOT_FOUND'],
    [$outer->{id}, \@other, 404, 'RESOURCE_NOT_FOUND'],
    [$outer->{id}, \@no_key, 401, 'UNAUTHORISED'],
    [$outer->{id}, \@reader, 403, 'USER_NOT_ALLOWED']);
is join(' ', map { held($_) } $inner->{id}, $own, $viewer->{id}, $outer->{id}), $before, 'and stay';
my $was = api(GET => "/v1/roles/$outer->{id}", undef, @key)->json;
my $deleted = api(DELETE => "/v1/roles/$outer->{id}", undef, @key);
answered_is $deleted, 200, 'delete';
shape_is $deleted, 'role', 'the answer is a Role';
is_deeply $deleted->json, $was, 'as it was';
is held($outer->{id}), 'none', 'it is gone';
is rows("SELECT 1 FROM role_children WHERE role_id = '$outer->{id}'"), 0, 'with what was in it';
is audit($outer->{id})->[-1], 'DELETE A role was deleted.', 'on record';
refused_is api(GET => "/v1/roles/$outer->{id}", undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'get what is gone';
is make(name => 'Outer')->{slug}, 'outer', 'its name and slug are free';

done_testing;
