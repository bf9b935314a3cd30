# SPDX-License-Identifier: Apache-2.0
# Teams over HTTP, and who is in them.
# run on: event asan
# route list_teams create_team get_team add_team_membership list_user_teams add_user_team
# route update_team delete_team delete_team_membership update_user_team delete_user_team
use strict;
use warnings FATAL => 'all';
use Test::More;
use IdentityTest;
use IdentityTest::Api;

my $site = entity('teams');
my @key = @{$site->{key}};
my @no_key = ('X-API-KEY' => undef);
my $other = entity('other');
my $foreign = api(POST => '/v1/teams', {name => 'Theirs'}, @{$other->{key}})->json->{id};
my $nobody = member('nobody', type => 'USER', entity => $site);
my %account = (id => $site->{account}, reference => $site->{reference}, environment => 'TEST');
my ($viewer) = @{api(GET => '/v1/roles?name=Quote%20Viewer', undef, @key)->json->{data}};

# ---- POST /v1/teams ------------------------------------------------------------------------------------------------------------------------

my $made = api(POST => '/v1/teams', {name => 'Night Shift', entity_id => $site->{id}}, @key);
answered_is $made, 201, 'create';
shape_is $made, 'team', 'the answer is a Team';
my $team = $made->json->{id};
is_deeply $made->json, {id => $team, entity_id => $site->{id}, name => 'Night Shift', account_memberships => []}, 'as it was asked for';
is_deeply [db("SELECT name, entity_id FROM teams WHERE id = '$team'")], [{name => 'Night Shift', entity_id => $site->{id}}], 'and is in the database';
is rows("SELECT 1 FROM audit_records WHERE action = 'CREATE' AND target_resource_type = 'TEAM' AND target_id = '$team'"), 1, 'with a record # security 82';
refused_is api(POST => '/v1/teams', {}, @key), 400, 'MISSING_FIELD', 'name', 'create without a name';
refused_is api(POST => '/v1/teams', {name => "a\tb"}, @key), 400, 'INVALID_FIELD', 'name', 'create with a tab in the name';
refused_is api(POST => '/v1/teams', {name => 'x', entity_id => $other->{id}}, @key), 400, 'INVALID_FIELD', 'entity_id', 'create in another entity # security 60';
refused_is api(POST => '/v1/teams', {name => 'x'}, @no_key), 401, 'UNAUTHORISED', undef, 'create without a credential';
refused_is api(POST => '/v1/teams', {name => 'x'}, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'create without the permission';

# ---- POST /v1/teams/{id}/memberships ---------------------------------------------------------------------------------------------------------

my $path = "/v1/teams/$team/memberships";
my $given = api(POST => $path, {account_id => $site->{account}, type => 'USER', roles => [{name => 'Quote Viewer'}]}, @key);
answered_is $given, 201, 'a team is given a membership';
shape_is $given, '[membership]', 'the answer is a list of AccountMembership';
is_deeply $given->json, [membership_json($given->json->[0]{id}, \%account, 'USER', $viewer)], 'as it was asked for';
is rows("SELECT 1 FROM memberships WHERE team_id = '$team' AND account_id = '$site->{account}' AND type = 'USER'"), 1, 'and is in the database';
refused_is api(POST => $path, {account_id => $site->{account}, type => 'USER'}, @key), 409, 'RESOURCE_ALREADY_EXISTS', 'account_id', 'a second one';
refused_is api(POST => $path, {type => 'USER'}, @key), 400, 'MISSING_FIELD', 'account_id', 'without an account';
refused_is api(POST => $path, {account_id => $other->{account}, type => 'USER'}, @key), 400, 'INVALID_FIELD', 'account_id', 'an account of others # security 60';
refused_is api(POST => "/v1/teams/$foreign/memberships", {account_id => $site->{account}, type => 'USER'}, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'a team of others # security 60';
refused_is api(POST => $path, {account_id => $site->{account}, type => 'USER'}, @no_key), 401, 'UNAUTHORISED', undef, 'without a credential';
refused_is api(POST => $path, {account_id => $site->{account}, type => 'USER'}, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'without the permission';

# ---- GET /v1/teams, /v1/teams/{id} -------------------------------------------------------------------------------------------------------------

my $got = api(GET => "/v1/teams/$team", undef, @key);
answered_is $got, 200, 'get';
shape_is $got, 'team', 'the answer is a Team';
is_deeply $got->json, {%{$made->json}, account_memberships => $given->json}, 'with what it gives';
my $list = api(GET => '/v1/teams', undef, @key);
answered_is $list, 200, 'list';
is_deeply $list->json, [$got->json], 'a bare array of the own ones # security 60';
refused_is api(GET => "/v1/teams/$foreign", undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'get one of others # security 60';
refused_is api(GET => '/v1/teams/' . unknown_id('team'), undef, @key), 404, 'RESOURCE_NOT_FOUND', undef, 'get an unknown one';
refused_is api(GET => '/v1/teams?limit=501', undef, @key), 400, 'INVALID_FIELD', 'limit', 'list too many';
for my $where ('/v1/teams', "/v1/teams/$team") {
    refused_is api(GET => $where, undef, @no_key), 401, 'UNAUTHORISED', undef, "$where without a credential";
    refused_is api(GET => $where, undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, "$where without the permission";
}
api(POST => '/v1/teams', {name => "Team $_"}, @key) for 1 .. 4;
my ($next, @seen) = '/v1/teams?limit=2&order_direction=asc';
while ($next && @seen < 20) {
    my $page = api(GET => $next, undef, @key);
    push @seen, map { $_->{name} } @{$page->json};
    ($next) = ($page->header('Link') // '') =~ /<([^>]+)>; rel="next"/;
}
is "@seen", 'Night Shift Team 1 Team 2 Team 3 Team 4', 'page by page each once, by the Link header';

# ---- /v1/users/{id}/teams ---------------------------------------------------------------------------------------------------------------------

my $person = member('person', type => 'USER', entity => $site);
my $teams = "/v1/users/$person->{id}/teams";
refused_is api(GET => '/v1/teams', undef, @{$person->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'before: may not look at teams';
my $joined = api(POST => $teams, {team_id => $team, start_at => '2026-01-02T03:04:05+01:00', end_at => undef}, @key);
answered_is $joined, 201, 'join';
shape_is $joined, '[team_member]', 'the answer is a list of TeamMember';
is_deeply $joined->json, [{team_id => $team, start_at => '2026-01-02T02:04:05Z', end_at => undef, account_memberships => $given->json}], 'as it was asked for';
is rows("SELECT 1 FROM team_members WHERE team_id = '$team' AND user_id = '$person->{id}' AND end_at = 0"), 1, 'and is in the database';
my $shown = api(GET => $teams, undef, @key);
answered_is $shown, 200, 'list the teams of a user';
shape_is $shown, 'teams of a user', 'the answer is an object of data alone';
is_deeply $shown->json, {data => $joined->json}, 'what was joined';
is_deeply api(GET => "/v1/users/$person->{id}", undef, @key)->json->{team_memberships}, $joined->json, 'as the user shows it';
refused_is api(POST => $teams, {team_id => $team}, @key), 409, 'RESOURCE_ALREADY_EXISTS', 'team_id', 'join twice';
refused_is api(POST => $teams, {team_id => $foreign}, @key), 400, 'INVALID_FIELD', 'team_id', 'a team of others # security 60';
refused_is api(POST => $teams, {}, @key), 400, 'MISSING_FIELD', 'team_id', 'join nothing';
refused_is api(POST => $teams, {team_id => $team, start_at => '2026-01-02T03:04:05.5Z'}, @key), 400, 'INVALID_FIELD', 'start_at', 'a fraction of a second';
refused_is api(POST => $teams, {team_id => $team, start_at => '2026-01-02T03:04:05Z', end_at => '2026-01-02T03:04:05Z'}, @key), 400, 'INVALID_FIELD', 'end_at', 'no window';
for my $method (qw(GET POST)) {
    my $body = $method eq 'POST' ? {team_id => $team} : undef;
    refused_is api($method => $teams, $body, @no_key), 401, 'UNAUTHORISED', undef, "$method without a credential";
    refused_is api($method => $teams, $body, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, "$method without the permission";
    refused_is api($method => $teams, $body, @{$other->{key}}), 404, 'USER_NOT_FOUND', undef, "$method of a user of others # security 60";
    refused_is api($method => '/v1/users/' . unknown_id('user') . '/teams', $body, @key), 404, 'USER_NOT_FOUND', undef, "$method of an unknown user";
}

# What a team is given, its members have from the next request on, and no longer than they are members.
api(POST => '/v1/users/' . $nobody->{id} . '/teams', {team_id => api(POST => '/v1/teams', {name => 'Later'}, @key)->json->{id}}, @key);
my ($later) = grep { $_->{name} eq 'Later' } @{api(GET => '/v1/teams', undef, @key)->json};
refused_is api(GET => '/v1/teams', undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'a team that gives nothing';
is api(POST => "/v1/teams/$later->{id}/memberships", {account_id => $site->{account}, type => 'USER', roles => [{name => 'Role Viewer'}]}, @key)->status, 201, 'is given something';
is api(GET => '/v1/teams', undef, @{$nobody->{bearer}})->status, 200, 'its members hold it at once';
alter_rights("UPDATE team_members SET end_at = 1 WHERE team_id = '$later->{id}'");
refused_is api(GET => '/v1/teams', undef, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'and not beyond the end of their time';

# ---- M3: out again -------------------------------------------------------------------------------------------------------------------------

my $window = "$teams/$team";
my $ended = api(PATCH => $window, {end_at => '2026-01-03T00:00:00Z'}, @key);
answered_is $ended, 200, 'M3: an end of a time in a team';
shape_is $ended, 'teams of a user', 'M3: the answer is an object of data alone';
is $ended->json->{data}[0]{end_at}, '2026-01-03T00:00:00Z', '... with the end';
is api(PATCH => $window, {end_at => undef}, @key)->json->{data}[0]{end_at}, undef, 'M3: null opens it again';
refused_is api(PATCH => $window, {end_at => 'soon'}, @key), 400, 'INVALID_FIELD', 'end_at', 'M3: what is no time';
my $left = api(DELETE => $window, undef, @key);
answered_is $left, 200, 'M3: out of the team';
is_deeply $left->json, {data => []}, 'M3: what is left';
is rows("SELECT 1 FROM team_members WHERE user_id = '$person->{id}'"), 0, 'M3: DELETE leaves no row';
for my $method (qw(PATCH DELETE)) {
    my $body = $method eq 'PATCH' ? {} : undef;
    refused_is api($method => $window, $body, @key), 404, 'RESOURCE_NOT_FOUND', undef, "M3: $method of who is not in it";
    refused_is api($method => $window, $body, @no_key), 401, 'UNAUTHORISED', undef, "M3: $method without a credential";
    refused_is api($method => $window, $body, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, "M3: $method without the permission";
    refused_is api($method => $window, $body, @{$other->{key}}), 404, 'USER_NOT_FOUND', undef, "M3: $method of a user of others # security 60";
}

my $fresh = api(POST => '/v1/teams', {name => 'Evening'}, @key)->json->{id};
api(POST => "/v1/teams/$fresh/memberships", {account_id => $site->{account}, type => 'USER', roles => [{name => 'Role Viewer'}]}, @key);
api(POST => $teams, {team_id => $fresh}, @key);
is api(GET => '/v1/teams', undef, @{$person->{bearer}})->status, 200, '(its members may look at teams)';
refused_is api(POST => '/v1/teams', {name => 'evening'}, @key), 409, 'RESOURCE_ALREADY_EXISTS', 'name', 'M3: create with a taken name';
refused_is api(PATCH => "/v1/teams/$fresh", {name => 'Night Shift'}, @key), 409, 'RESOURCE_ALREADY_EXISTS', 'name', 'M3: rename to a taken name';
my $renamed = api(PATCH => "/v1/teams/$fresh", {name => 'Dusk'}, @key);
answered_is $renamed, 200, 'M3: rename';
shape_is $renamed, 'team', 'M3: the answer is a Team';
is_deeply [db("SELECT name FROM teams WHERE id = '$fresh'")], [{name => 'Dusk'}], 'M3: and is in the database';
my $taken = api(DELETE => "/v1/teams/$fresh/memberships/" . $renamed->json->{account_memberships}[0]{id}, undef, @key);
answered_is $taken, 200, 'M3: a membership is taken from a team';
is_deeply $taken->json, [], 'M3: what is left';
refused_is api(GET => '/v1/teams', undef, @{$person->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, 'M3: its members have it no longer # security 37';
my $gone = api(DELETE => "/v1/teams/$fresh", undef, @key);
answered_is $gone, 200, 'M3: delete';
shape_is $gone, 'team', 'M3: the answer is a Team';
is rows("SELECT 1 FROM teams WHERE id = '$fresh'"), 0, 'M3: and gone from the database';
is rows("SELECT 1 FROM audit_records WHERE target_id = '$fresh' AND action IN ('UPDATE', 'REMOVE_MEMBERSHIP', 'DELETE')"), 3, 'M3: each with a record # security 82';
for my $call ([PATCH => "/v1/teams/$fresh", {}], [DELETE => "/v1/teams/$fresh"], [DELETE => "/v1/teams/$fresh/memberships/" . unknown_id('memb')]) {
    my ($method, $where, $body) = @$call;
    refused_is api($method => $where, $body, @key), 404, 'RESOURCE_NOT_FOUND', undef, "M3: $method of none";
    refused_is api($method => $where, $body, @no_key), 401, 'UNAUTHORISED', undef, "M3: $method without a credential";
    refused_is api($method => $where, $body, @{$nobody->{bearer}}), 403, 'USER_NOT_ALLOWED', undef, "M3: $method without the permission";
}

done_testing;
