# SPDX-License-Identifier: Apache-2.0
# Audit records over HTTP.
# run on: event asan
# route list_audit_records get_audit_record
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('audit');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my $other = entity('other');
my $nobody = member('nobody', type => 'USER', entity => $site);
my $auditor = member('auditor', type => 'USER', roles => ['Audit Record Viewer'], entity => $site);
my $role = api(POST => '/v1/roles', {name => 'Recorded'}, @key);
my $all = '/v1/audit-records';

sub escape { $_[0] =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger }
sub records { api(GET => "$all?limit=500&$_[0]", undef, $_[1] ? @{$_[1]} : @key)->json->{data} }
sub ids { join ' ', map { $_->{id} } @{records(@_)} }
sub wanted { join ' ', map { $_->{id} } db("SELECT id FROM audit_records WHERE entity_id = '$site->{id}' AND $_[0] ORDER BY created_at DESC, id DESC") }

# ---- GET /v1/audit-records -------------------------------------------------------------------------------------------------------------------

my $list = api(GET => "$all?limit=500", undef, @key);
answered_is $list, 200, 'list';
shape_is $list, 'page of audit_record', 'the answer is a page of audit records';
is ids(''), wanted('1'), 'all of the entity, the newest first';
my ($row) = db("SELECT id, user_id FROM audit_records WHERE target_id = '@{[$role->json->{id}]}'");
my ($actor) = db("SELECT description FROM api_keys WHERE id = '$row->{user_id}'");
my ($record) = grep { $_->{id} eq $row->{id} } @{$list->json->{data}};
is_deeply $record, {
    object_type => 'AUDIT_RECORD', id => $row->{id}, user_id => $row->{user_id}, target_entity_id => $site->{id}, target_platform_id => undef,
    target_resource_type => 'ROLE', target_id => $role->json->{id}, target_environment => undef, action => 'CREATE', created_at => $record->{created_at},
    message => 'A role was created.', reference => $role->header('X-REQUEST-ID'), idempotency_key => undef,
    actor_name => $actor->{description}, target_name => $role->json->{name}, client_address => '127.0.0.1', user_agent => $record->{user_agent}, changes => []},
    'M18: one of them, with names, address and agent';
like $row->{user_id}, qr/^apik_/, 'names the key that acted';
ok abs(seconds_of($record->{created_at}) - time) < 60, 'and when';
is ids("user_id=$row->{user_id}"), wanted("user_id = '$row->{user_id}'"), 'what one did';
is ids("target_id=$nobody->{id}"), wanted("target_id = '$nobody->{id}'"), 'what was done to one';
is ids('target_type=SESSION'), wanted("target_resource_type = 'SESSION'"), 'or to things of a kind';
is ids("target_type=USER&user_id=$row->{user_id}&target_id=$nobody->{id}&target_entity_id=$site->{id}"),
    wanted("target_resource_type = 'USER' AND user_id = '$row->{user_id}' AND target_id = '$nobody->{id}'"), 'all of it at once';
is ids("target_entity_id=$other->{id}"), '', 'nothing that was done to another entity';

my $hour = IdentityTest::Api::seconds_of($record->{created_at}) - 3600;
my ($old) = db("SELECT id FROM audit_records WHERE entity_id = '$site->{id}' ORDER BY created_at LIMIT 1");
alter_db("UPDATE audit_records SET created_at = $hour * 1000000 + 500000 WHERE id = '$old->{id}'");
my @time = gmtime $hour;
my $then = sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $time[5] + 1900, $time[4] + 1, @time[3, 2, 1, 0];
is ids('created_at=' . escape("[$then,$then]")), $old->{id}, 'in one second, both ends included';
is ids('created_at=' . escape("[,$then]")), $old->{id}, 'until then';
is ids('created_at=' . escape("[$then,]")), wanted('1'), 'since then';
refused_is api(GET => "$all?created_at=" . escape($_), undef, @key), 400, 'INVALID_FIELD', 'created_at', "created_at=$_"
    for $then, "[$then]", "[$then,tomorrow]", "[$then,2001-01-01T00:00:00Z]", '[]';

my ($next, @seen) = "$all?limit=2&target_type=USER";
while ($next && @seen < 100) {
    my $page = api(GET => $next, undef, @key);
    is $page->status, 200, "$next is answered" or last;
    push @seen, map { $_->{id} } @{$page->json->{data}};
    $next = $page->json->{links}{next};
}
is "@seen", wanted("target_resource_type = 'USER'"), 'every one once by following next';
refused_is api(GET => "$all?$_->[0]", undef, @key), 400, 'INVALID_FIELD', $_->[1], $_->[0] for ['limit=501' => 'limit'], ['order_by=action' => 'order_by'], ['cursor=x' => 'cursor'];
refused_is api(GET => $all, undef, @no_key), 401, 'UNAUTHORISED', undef, 'list without a credential';
refused_is api(GET => $all, undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'list without the permission';
is ids('', $auditor->{bearer}), wanted('1'), 'who may read them in the only account reads the whole';
is scalar(grep { $_->{target_entity_id} eq $site->{id} } @{records('', $other->{key})}), 0, 'another entity reads none # security 60';

# ---- GET /v1/audit-records/{id} --------------------------------------------------------------------------------------------------------------

my $got = api(GET => "$all/$row->{id}", undef, @key);
answered_is $got, 200, 'get';
shape_is $got, 'audit_record', 'the answer is an AuditRecord';
is_deeply $got->json, $record, 'as it was listed';
refused_is api(GET => "$all/$row->{id}", undef, @{$other->{key}}), 404, 'RESOURCE_NOT_FOUND', undef, 'get of another entity # security 60';
refused_is api(GET => "$all/" . unknown_id('audi'), undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'get of an unknown one';
refused_is api(GET => "$all/$row->{id}", undef, @no_key), 401, 'UNAUTHORISED', undef, 'get without a credential';
refused_is api(GET => "$all/$row->{id}", undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'get without the permission';
refused_is api(DELETE => "$all/$row->{id}", undef, @key), 405, 'INVALID_OPERATION', undef, 'delete: records stay # security 83';

# ---- with a second account -------------------------------------------------------------------------------------------------------------------

my (undef, $text) = tool('--json', '--entity', $site->{reference}, 'account', 'add', 'second', '--environment', 'LIVE');
my $second = JSON::PP::decode_json($text)->{id};
my $joined = api(POST => "/v1/users/$nobody->{id}/memberships", {account_id => $second, type => 'USER', role_ids => []}, @key);
is $joined->status, 201, 'somebody joins another account';
is ids('', $auditor->{bearer}), wanted("target_platform_id = '$site->{account}'"), 'who may read those of one account reads these only # security 60';
my ($theirs) = db("SELECT id, target_environment FROM audit_records WHERE target_platform_id = '$second' AND action = 'ADD_MEMBERSHIP'");
is $theirs->{target_environment}, 'LIVE', 'those of the other name its environment';
refused_is api(GET => "$all/$theirs->{id}", undef, @{$auditor->{bearer}}), 404, 'RESOURCE_NOT_FOUND', undef, 'and are not to be seen';
is ids('', [@key, 'X-Platform-Id' => $second]), wanted("target_platform_id = '$second'"), 'a key may ask for those of one account';
refused_is api(GET => $all, undef, @{$auditor->{bearer}}, 'X-Platform-Id' => $second), 403, 'USER_NOT_ALLOWED', undef, 'a stranger to the account may not';

done_testing;
