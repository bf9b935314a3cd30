#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# usage, from the project's root: perl src/pages/reference.pl conf/openapi.json src/pages/reference.css > reference.html          (embed.sh does it)
# The page of GET /v1/reference: the description of the interface for people. It has one <style>, no script, and nothing from elsewhere.
use strict;
use warnings FATAL => 'all';

my ($document_path, $style_path) = @ARGV;
sub slurp { my ($path) = @_; open my $in, '<:encoding(UTF-8)', $path or die "$path: $!\n"; local $/; return scalar <$in> }

# ---- JSON, whose members keep the order that they are written in ------------------------------------------------------------------------------

my %order;
my %escape = (n => "\n", t => "\t", r => "\r", b => "\b", f => "\f", '"' => '"', '\\' => '\\', '/' => '/');

sub read_string
{
    my ($text) = @_;
    $$text =~ /\G\s*"((?:[^"\\]|\\.)*)"/gc or die "$document_path: a string is wanted at " . (pos($$text) // 0) . "\n";
    return $1 =~ s{\\(?:u([0-9A-Fa-f]{4})|(.))}{defined $1 ? chr hex $1 : $escape{$2}}ger;
}

sub read_value
{
    my ($text) = @_;
    if ($$text =~ /\G\s*\{/gc) {
        my (%members, @names);
        until ($$text =~ /\G\s*\}/gc) {
            push @names, my $name = read_string($text);
            $$text =~ /\G\s*:/gc or die "$document_path: no : behind $name\n";
            $members{$name} = read_value($text);
            $$text =~ /\G\s*,/gc;
        }
        $order{0 + \%members} = \@names;
        return \%members;
    }
    if ($$text =~ /\G\s*\[/gc) {
        my @items;
        until ($$text =~ /\G\s*\]/gc) { push @items, read_value($text); $$text =~ /\G\s*,/gc }
        return \@items;
    }
    return $1 eq 'null' ? undef : $1 if $$text =~ /\G\s*(true|false|null|-?[0-9][-+.0-9eE]*)/gc;
    return read_string($text);
}

my $text = slurp($document_path);
my $document = read_value(\$text);
my $components = $document->{components};
sub names_of { my ($object) = @_; return @{$order{0 + ($object // {})} // []} }

# What a $ref stands for, and its name.
sub resolved
{
    my ($value) = @_;
    my $reference = $value->{'$ref'} // return ($value, undef);
    my ($kind, $name) = $reference =~ m{^#/components/(\w+)/(\w+)$} or die "$document_path: $reference\n";
    return ($components->{$kind}{$name} // die("$document_path: $reference is not there\n"), $name);
}

# ---- words ---------------------------------------------------------------------------------------------------------------------------------------

my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
sub escaped { my ($plain) = @_; return $plain =~ s/([&<>"])/$entity{$1}/gr }
sub code { return '<code>' . escaped($_[0]) . '</code>' }
# `...` is code.
sub worded { my ($plain) = @_; return join '', map { /^`(.*)`$/ ? code($1) : escaped($_) } split /(`[^`]+`)/, $plain // '' }
sub paragraphs { my ($plain) = @_; return join '', map { '<p>' . worded($_) . "\n" } split /\n\n+/, $plain // '' }
sub shown { my ($value) = @_; return code(ref $value ? '...' : $value // 'null') }

# What a value is, in a line.
sub type_of
{
    my ($schema) = @_;
    my ($target, $name) = resolved($schema);
    return qq{<a href="#schema-$name">$name</a>} if defined $name;
    return join ' or ', map { type_of($_) } @{$schema->{oneOf} // $schema->{anyOf}} if $schema->{oneOf} || $schema->{anyOf};
    return join ' and ', map { type_of($_) } grep { $_->{'$ref'} } @{$schema->{allOf}} if $schema->{allOf} && grep { $_->{'$ref'} } @{$schema->{allOf}};
    return shown($schema->{const}) if exists $schema->{const};
    my @types = ref $schema->{type} ? @{$schema->{type}} : $schema->{type} // 'any value';
    my $said = $schema->{enum} ? join(', ', map { shown($_) } @{$schema->{enum}}) : join ' or ', map { $_ eq 'array' && $schema->{items} ? 'array of ' . type_of($schema->{items}) : $_ } @types;
    my @limits = map { defined $schema->{$_->[0]} ? "$_->[1] $schema->{$_->[0]}" : () } ['minLength', 'at least'], ['maxLength', 'at most'], ['minimum', 'from'], ['maximum', 'to'],
        ['minItems', 'at least'], ['maxItems', 'at most'];
    push @limits, escaped($schema->{format}) if $schema->{format} && $schema->{format} ne 'password';
    push @limits, 'default ' . shown($schema->{default}) if exists $schema->{default};
    return $said . (@limits ? ' (' . join(', ', @limits) . ')' : '');
}

# The members of an object, those of objects within it as outer.inner.
sub member_rows
{
    my ($schema, $prefix) = @_;
    my %needed = map { $_ => 1 } @{$schema->{required} // []};
    my $rows = '';
    for my $name (names_of($schema->{properties})) {
        my $member = $schema->{properties}{$name};
        my $inner = $member->{properties} ? $member : ref $member->{items} && $member->{items}{properties} ? $member->{items} : undef;
        $rows .= row(code("$prefix$name") . ($needed{$name} ? ' <em>required</em>' : ''), type_of($member), worded($member->{description}));
        $rows .= member_rows($inner, $prefix . $name . ($inner == $member ? '.' : '[].')) if $inner;
    }
    return $rows;
}
sub rows_of
{
    my ($schema) = @_;
    return join '', member_rows($schema, ''), map { rows_of($_) } grep { ref $_ && !$_->{'$ref'} } @{$schema->{allOf} // []};
}
# End tags of cells and rows are left out, as HTML allows: there are thousands.
sub row { return '<tr><td>' . join('<td>', @_) . "\n" }
sub table { my ($heads, $rows) = @_; return $rows && '<table><tr><th>' . join('<th>', @$heads) . "\n$rows</table>\n" }

# ---- operations ----------------------------------------------------------------------------------------------------------------------------------

# Parameters that many operations have stand once, behind them all.
my %uses;
for my $path (values %{$document->{paths}}) {
    $uses{$_->{'$ref'}}++ for grep { $_->{'$ref'} } map { @{$_->{parameters} // []} } values %$path;
}
sub shared { my ($name) = @_; return ($uses{"#/components/parameters/$name"} // 0) >= 4 }

sub parameter_row
{
    my ($parameter) = @_;
    return row(code($parameter->{name}) . " <em>$parameter->{in}</em>", type_of($parameter->{schema}), worded($parameter->{description}));
}

sub parameters_of
{
    my ($operation) = @_;
    my ($rows, @often) = ('');
    for my $given (@{$operation->{parameters} // []}) {
        my ($parameter, $name) = resolved($given);
        if (defined $name && shared($name)) { push @often, qq{<a href="#parameter-$name">} . code($parameter->{name}) . "</a> <em>$parameter->{in}</em>" }
        else { $rows .= parameter_row($parameter) }
    }
    return table(['Parameter', 'Type', 'Meaning'], $rows) . (@often && '<p>' . ($rows ? 'Also: ' : 'Parameters: ') . join(', ', @often) . ".\n");
}

sub body_of
{
    my ($operation) = @_;
    my ($body) = resolved($operation->{requestBody} // return '');
    my $said = '';
    for my $type (names_of($body->{content})) {
        my $schema = $body->{content}{$type}{schema};
        my ($target, $name) = resolved($schema);
        $said .= '<h4>Body: ' . code($type) . (($body->{required} // '') eq 'true' ? '' : ', may be left out') . "</h4>\n";
        $said .= defined $name || !rows_of($schema) ? '<p>' . type_of($schema) . "</p>\n" : table(['Member', 'Type', 'Meaning'], rows_of($schema));
    }
    return $said;
}

sub answers_of
{
    my ($operation) = @_;
    my ($rows, @shared) = ('');
    for my $status (names_of($operation->{responses})) {
        my ($response, $name) = resolved($operation->{responses}{$status});
        push(@shared, qq{<a href="#answer-$name">$status</a>}), next if defined $name;
        my @types = map { my $schema = $response->{content}{$_}{schema}; $_ eq 'application/json' ? type_of($schema) : code($_) } names_of($response->{content});
        $rows .= row($status, join(' or ', @types) || 'no body', worded($response->{description}));
    }
    return table(['Status', 'Answer', 'Meaning'], $rows) . (@shared && '<p>Else: ' . join(', ', @shared) . ".\n");
}

my %credential = (api_key => 'X-API-KEY', bearer => 'Authorization: Bearer', api_key_scheme => 'Authorization: ApiKey', client => 'Authorization: Basic');
sub needs
{
    my ($operation) = @_;
    my @ways = map { names_of($_) ? join(' and ', map { code($credential{$_} // $_) } names_of($_)) : 'none' } @{$operation->{security} // []};
    my $usual = join(' ', map { names_of($_) } @{$operation->{security} // []}) eq 'api_key bearer api_key_scheme' && @ways == 3;
    my $said = 'Credential: ' . ($usual ? '<a href="#credentials">needed</a>' : @ways ? join(', ', @ways) : 'none') . '.';
    $said .= ' Permission: ' . code($operation->{'x-identity-permission'}) . (($operation->{'x-identity-self'} // '') eq 'true' ? ', not needed on the own record' : '') . '.' if $operation->{'x-identity-permission'};
    return "<p class=needs>$said\n";
}

my %of_tag;
for my $path (names_of($document->{paths})) {
    for my $method (names_of($document->{paths}{$path})) {
        my $operation = $document->{paths}{$path}{$method};
        push @{$of_tag{$operation->{tags}[0]}}, {%$operation, call => uc($method) . " $path"};
    }
}

sub print_operations
{
    my ($tag) = @_;
    printf "<h2 id=\"%s\">%s</h2>\n%s", $tag->{name} =~ s/ /-/gr, escaped($tag->{name}), paragraphs($tag->{description});
    for my $operation (@{$of_tag{$tag->{name}}}) {
        print qq{<section id="$operation->{operationId}">\n<h3>}, code($operation->{call}), "</h3>\n<p><strong>", worded($operation->{summary}), "</strong>\n", paragraphs($operation->{description}),
            needs($operation), parameters_of($operation), body_of($operation), answers_of($operation), "</section>\n";
    }
}

sub print_parameters
{
    my @often = grep { shared($_) } names_of($components->{parameters});
    print "<h2 id=\"parameters\">Parameters that many calls have</h2>\n";
    print qq{<section id="parameter-$_">\n}, table(['Parameter', 'Type', 'Meaning'], parameter_row($components->{parameters}{$_})), "</section>\n" for @often;
}

sub print_answers
{
    print "<h2 id=\"answers\">Answers that many calls have</h2>\n";
    for my $name (names_of($components->{responses})) {
        my $response = $components->{responses}{$name};
        my ($content) = map { $response->{content}{$_}{schema} } names_of($response->{content});
        my @codes = $content ? codes_in($content) : ();
        print qq{<section id="answer-$name">\n<h3>$name</h3>\n}, paragraphs($response->{description}), @codes ? '<p>' . code('code') . ': ' . join(', ', map { code($_) } @codes) . "</p>\n" : (), "</section>\n";
    }
}
sub codes_in
{
    my ($schema) = @_;
    return map { codes_in($_) } @$schema if ref $schema eq 'ARRAY';
    return () unless ref $schema;
    my $code = ref $schema->{properties} && $schema->{properties}{code};
    return (($code ? @{$code->{enum} // [$code->{const} // ()]} : ()), map { codes_in($schema->{$_}) } grep { $_ eq 'allOf' || $_ eq 'anyOf' || $_ eq 'oneOf' } names_of($schema));
}

sub print_schemas
{
    print "<h2 id=\"schemas\">Types</h2>\n";
    for my $name (names_of($components->{schemas})) {
        my $schema = $components->{schemas}{$name};
        my $rows = rows_of($schema);
        print qq{<section id="schema-$name">\n<h3>$name</h3>\n}, paragraphs($schema->{description}), $rows ? table(['Member', 'Type', 'Meaning'], $rows) : '<p>' . type_of($schema) . "</p>\n", "</section>\n";
    }
}

binmode STDOUT, ':encoding(UTF-8)';
my $title = escaped("$document->{info}{title} $document->{info}{version}");
print qq{<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>$title</title>\n<style>}, slurp($style_path), "</style>\n</head>\n<body>\n",
    "<main>\n<h1>$title</h1>\n", paragraphs($document->{info}{description}), "<p>For programs: <a href=\"/v1/openapi.json\">OpenAPI $document->{openapi}</a>.\n<p id=\"credentials\">A credential is one of ", join(', ', map { code($credential{$_}) } qw(api_key bearer api_key_scheme)), " where nothing else is said.\n<nav>\n";
for my $tag (@{$document->{tags}}) {
    printf "<h2><a href=\"#%s\">%s</a></h2>\n<ul>\n", $tag->{name} =~ s/ /-/gr, escaped($tag->{name});
    print map { qq{<li><a href="#$_->{operationId}">} . code($_->{call}) . '</a> ' . worded($_->{summary}) . "\n" } @{$of_tag{$tag->{name}} // die "$document_path: nothing is of $tag->{name}\n"};
    print "</ul>\n";
}
print "<p><a href=\"#parameters\">Parameters that many calls have</a>, <a href=\"#answers\">answers that many calls have</a>, <a href=\"#schemas\">types</a></p>\n</nav>\n";
print_operations($_) for @{$document->{tags}};
print_parameters();
print_answers();
print_schemas();
print "</main>\n</body>\n</html>\n";
