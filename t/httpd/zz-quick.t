use strict; use warnings FATAL=>'all'; use Test::More; use IdentityTest; use IdentityTest::Api; use IdentityTest::Server;
for my $d ("DBDPersist Off\n", "DBDMax 1\nDBDKeep 1\n", "Mutex fcntl identity-write\n", "Mutex sysvsem identity-write\n", "Mutex flock identity-write\n", "DBDMin 0\n") {
  my $s = IdentityTest::Server->new(directives=>$d);
  my @r = together(8, sub { my $i=shift; join ' ', map { ($s->api(GET=>'/v1/users')->status, $s->api(POST=>'/v1/users/invite',{username=>"p$i.$_\@example.com"})->status) } 1..10 });
  my %c; $c{$_}++ for map { split } @r; is join(',', map {"$_:$c{$_}"} sort keys %c), '200:160', $d =~ tr/\n/ /r;
  $s->stop; unlike $s->error_log, qr/exit signal|Assert|ID05(?!23|29|20)/, 'log' or diag $s->error_log =~ /(.*(?:exit signal|Assert|ID05(?!23|29|20)).*)/;
}
my $s = IdentityTest::Server->new(modules=>['remoteip'], directives=>"RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n");
$s->api(POST=>'/v1/users/invite',{username=>'r@example.com'}, 'X-Forwarded-For'=>'203.0.113.9');
my ($row)=$s->db("SELECT client_address FROM audit ORDER BY created_at DESC LIMIT 1"); is $row->{client_address}, '203.0.113.9', 'remoteip';
done_testing;
