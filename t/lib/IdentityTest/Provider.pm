# SPDX-License-Identifier: Apache-2.0
package IdentityTest::Provider;
# npm's oidc-provider on loopback (t/sso/provider.mjs), and a browser that goes through its forms:
#
#     my $provider = IdentityTest::Provider->new('client', 'secret', 'http://127.0.0.1:3000/sso');
#     my %back = $provider->visit($url, 'ada@example.com');      # what the redirect_uri gets: code, state, iss
#     $provider->stop;                                           # else at the end of the test
use strict;
use warnings FATAL => 'all';
use HTTP::Cookies;
use IPC::Open2 'open2';
use JSON::PP ();
use LWP::UserAgent;
use URI;

sub new
{
    my ($class, $client, $secret, @redirects) = @_;
    my $top = $ENV{IDENTITY_TOP} // die "IDENTITY_TOP is not set: use t/run-httpd.sh\n";
    die "there is no oidc-provider: the file needs a line `# needs: npm`\n" unless -d "$top/node_modules/oidc-provider";
    my $self = bless {redirects => \@redirects, made_by => $$}, $class;
    # Its warnings about what is for tests only.
    my $log = "$top/t/logs/provider.$$.log";
    $self->{pid} = open2($self->{out}, $self->{in}, "exec node '$top/t/sso/provider.mjs' '$client' '$secret' @redirects 2> '$log'");
    my $line = readline($self->{out}) // die "oidc-provider does not start:\n", `tail -n 20 '$log'`;
    my $ports = JSON::PP::decode_json($line);
    @$self{qw(issuer control)} = map { "http://127.0.0.1:$ports->{$_}" } qw(port control);
    return $self;
}

sub issuer { $_[0]{issuer} }

sub is_down
{
    my ($self, $down) = @_;
    LWP::UserAgent->new->get($self->{control} . ($down ? '/down' : '/up'))->is_success or die "oidc-provider does not hear\n";
}

# A browser without memory, from the URL to the page of the client: logs in as that person and consents. `seen` counts the forms.
sub visit
{
    my ($self, $url, $person) = @_;
    my $browser = LWP::UserAgent->new(cookie_jar => HTTP::Cookies->new, requests_redirectable => [], timeout => 20);
    my $answer = $browser->get($url);
    my $seen = 0;
    for (1 .. 20) {
        if (my $next = $answer->header('Location')) {
            my $to = URI->new_abs($next, $answer->request->uri);
            return ($to->query_form, seen => $seen) if grep { index($to, "$_?") == 0 } @{$self->{redirects}};
            $answer = $browser->get($to);
            next;
        }
        my $page = $answer->decoded_content;
        my ($action) = $page =~ /<form[^>]* action="([^"]+)"/ or die 'no form: ', $answer->status_line, "\n$page\n";
        my %form = $page =~ /<input type="hidden" name="([^"]+)" value="([^"]*)"/g;
        @form{qw(login password)} = ($person, 'any') if $page =~ /name="login"/;
        $seen++;
        $answer = $browser->post(URI->new_abs($action, $answer->request->uri), \%form);
    }
    die "the provider leads in a circle\n";
}

sub stop
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    close $self->{in};
    for (1 .. 50) {
        return if waitpid($pid, 1) != 0;
        select undef, undef, undef, 0.1;
    }
    kill KILL => $pid;
    waitpid $pid, 0;
}

sub DESTROY
{
    my ($self) = @_;
    local ($@, $?);
    $self->stop if $self->{made_by} == $$;
}

1;
