#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage, from the project's root: sh src/pages/embed.sh OUTPUT.c [FOLDER]
#
# Turns the pages and mail templates beside this script, conf/openapi.json and the block list of passwords into the C arrays of include/identity/pages.h. Every page gets its style and its script inline,
# as one <style> and one <script> (of all the files that it names), and a Content-Security-Policy with the SHA-256 of each, so that nothing else can ever run in it.
# With FOLDER the finished pages (NAME.html) and their policies (NAME.csp) are kept there as well, for tests.
#
# A page that the server fills in is there once for each language of texts.js: what stands in data-say="KEY" is said in it.
#
# The same sources give the same bytes.
set -eu
LC_ALL=C
export LC_ALL

output=${1:?usage: embed.sh OUTPUT.c [FOLDER]}
sources=src/pages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "embed.sh: $*" >&2
    exit 1
}

# A browser hashes what stands between the tags after it has made line feeds of carriage returns, and a closing tag in a script would end it.
check_source() {
    [ -s "$1" ] || fail "$1 is missing or empty"
    [ -z "$(tail -c 1 "$1")" ] || fail "$1 does not end in a line feed"
    if grep -q "$(printf '\r')" "$1"; then fail "$1 holds carriage returns"; fi
    case $1 in
        */begin.html | */end.html) if grep -qE '<script|<style| on[a-z]+="| style="' "$1"; then fail "$1 holds what the policy forbids"; fi ;;
        *.css | *.js) if grep -qi -e '</s' -e '<!--' "$1"; then fail "$1 holds what would end its element"; fi ;;
    esac
}

hash_of() {
    openssl dgst -sha256 -binary "$1" | openssl base64 -A
}

scripts_of() {
    sed -n 's|^<script src="\([a-z]*\.js\)"></script>$|\1|p' "$sources/$1.html"
}

# The page's scripts one after the other, in a scope of their own.
join_scripts() {
    echo '(() => {'
    echo "'use strict';"
    for script in $(scripts_of "$1"); do
        cat "$sources/$script"
    done
    echo '})();'
}

# Replaces lines that name parts of the page (<!-- NAME.html -->), the line that names the style, and those that name the scripts, by their text.
inline() {
    awk -v folder="$sources" -v style="$sources/page.css" -v script="$2" -v page="$1" '
        function pour(path, opening, closing,    line, status) {
            printf "%s", opening
            while ((status = getline line < path) > 0)
                print line
            close(path)
            if (status < 0)
                exit 1
            printf "%s", closing
        }
        /^<!-- [a-z]*\.html -->$/ { pour(folder "/" $2); next }
        /^<link rel="stylesheet" href="page\.css">$/ { styles++; pour(style, "<style>", "</style>\n"); next }
        /^<script src="[a-z]*\.js"><\/script>$/ { if (scripts++ == 0) pour(script, "<script>", "</script>\n"); next }
        /<script|<style|rel="stylesheet"| on[a-z]+="| style="/ { odd = $0 }
        { print }
        END {
            if (styles != 1 || !scripts || odd) {
                print page ": one style and the scripts, each named alone on its line, are wanted " odd > "/dev/stderr"
                exit 1
            }
        }' "$sources/$1.html"
}

# The text of each data-say="KEY" in a language; {username} is {{user}} and stands out, any other {value} is {{value}}.
say() {
    awk -v language="$1" '
        function escaped(text) {
            gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text); gsub(/"/, "\\&quot;", text)
            gsub(/\{username\}/, "<strong>{{user}}</strong>", text)
            gsub(/\{site\}/, "{{site}}", text); gsub(/\{name\}/, "{{name}}", text)
            return text
        }
        function said(attribute, key) {
            if (!(key in texts)) {
                print "there is no text " key " in " language > "/dev/stderr"
                failed = 1
                exit
            }
            return escaped(texts[key])
        }
        FNR == NR {
            if ($0 ~ "^    " language ": \\{$") inside = 1
            else if ($0 ~ /^    \},$/) inside = 0
            else if (inside && match($0, /^        \047[a-z.-]+\047: \047/)) {
                key = substr($0, 10); sub(/\047.*/, "", key)
                texts[key] = substr($0, RLENGTH + 1, length($0) - RLENGTH - 2)
            }
            next
        }
        {
            while (match($0, / data-say="[a-z.-]+">/)) {
                key = substr($0, RSTART + 11, RLENGTH - 13)
                $0 = substr($0, 1, RSTART - 1) ">" said("", key) substr($0, RSTART + RLENGTH)
            }
            print
        }
        END { exit failed }' "$sources/texts.js" -
}

# The bytes of a file as character constants and a final NUL, one line for each line of the source. (A string literal may be too long for a compiler.)
characters() {
    od -An -v -tu1 "$1" | awk '
        BEGIN { for (i = 32; i < 127; i++) text[i] = sprintf("%c", i); text[39] = "\\\047"; text[92] = "\\\\" }
        {
            for (i = 1; i <= NF; i++)
                printf "\047%s\047,%s", ($i in text ? text[$i] : sprintf("\\%03o", $i)), ($i == 10 ? "\n" : "")
        }
        END { print "0" }'
}

# Builds NAME.html and NAME.csp.
build_page() {
    join_scripts "$1" > "$work/$1.js"
    script_hash=$(hash_of "$work/$1.js")
    [ ${#style_hash} -eq 44 ] && [ ${#script_hash} -eq 44 ] || fail "openssl gave no hash"
    inline "$1" "$work/$1.js" > "$work/$1.html"
    printf '%s\n' "default-src 'none'; style-src 'sha256-$style_hash'; script-src 'sha256-$script_hash'; connect-src 'self'; base-uri 'none'; form-action '${2:-none}'; frame-ancestors 'none'" > "$work/$1.csp"
}

emit_page() {
    build_page "$1"
    printf '\nstatic const char html_of_%s[] = {\n' "$1"
    characters "$work/$1.html"
    printf '};\nconst identity_page_t identity_page_%s = {\n    html_of_%s, sizeof(html_of_%s) - 1,\n    "%s"};\n' "$1" "$1" "$1" "$(cat "$work/$1.csp")"
}

# In each language, the first for whom no other suits. Its forms are sent to the server.
emit_filled_page() {
    build_page "$1" self
    for language in en de fr; do
        say $language < "$work/$1.html" > "$work/$1.$language.html" || fail "$1.html cannot be said in $language"
        printf '\nstatic const char html_of_%s_%s[] = {\n' "$1" $language
        characters "$work/$1.$language.html"
        printf '};\n'
    done
    printf '\nconst identity_filled_page_t identity_pages_%s[] = {\n' "$1"
    for language in en de fr; do
        printf '    {"%s", {html_of_%s_%s, sizeof(html_of_%s_%s) - 1, "%s"}},\n' $language "$1" $language "$1" $language "$(cat "$work/$1.csp")"
    done
    printf '    {0, {0, 0, 0}}};\n'
}

# KIND.LANGUAGE.txt and .html; English is in KIND.txt and .html.
emit_mail() {
    for form in txt html; do
        check_source "$sources/mail/$1${2:+.$2}.$form"
        printf '\nstatic const char mail_%s_%s_%s[] = {\n' "$1" "$2" "$form"
        characters "$sources/mail/$1${2:+.$2}.$form"
        printf '};\n'
    done
}

emit_mails() {
    kinds=$(sed -n 's|^MAIL([A-Z]*, "\([a-z]*\)", .*|\1|p' include/identity/mails.def)
    [ -n "$kinds" ] || fail "include/identity/mails.def names no mail"
    for kind in $kinds; do
        for language in '' de fr; do emit_mail $kind "$language"; done
    done
    printf '\nconst identity_mail_source_t identity_mail_sources[] = {\n'
    for kind in $kinds; do
        for language in '' de fr; do printf '    {"%s", "%s", mail_%s_%s_txt, mail_%s_%s_html},\n' $kind "$language" $kind "$language" $kind "$language"; done
    done
    printf '    {0, 0, 0, 0}};\n'
}

# A style for a page that is made when it is asked for.
emit_style() {
    printf '\nstatic const char css_of_%s[] = {\n' "$1"
    characters "$sources/$1.css"
    printf '};\nconst identity_style_t identity_style_%s = {css_of_%s, "sha256-%s"};\n' "$1" "$1" "$(hash_of "$sources/$1.css")"
}

# The description of the interface for people: one style, no script.
emit_reference() {
    perl "$sources/reference.pl" conf/openapi.json "$sources/reference.css" > "$work/reference.html" || fail "reference.pl"
    if grep -qi -e '<script' -e ' style=' -e ' on[a-z]*="' "$work/reference.html"; then fail "the reference holds what its policy forbids"; fi
    printf '%s\n' "default-src 'none'; style-src 'sha256-$(hash_of "$sources/reference.css")'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" > "$work/reference.csp"
    printf '\nstatic const char html_of_reference[] = {\n'
    characters "$work/reference.html"
    printf '};\nconst identity_page_t identity_page_reference = {\n    html_of_reference, sizeof(html_of_reference) - 1,\n    "%s"};\n' "$(cat "$work/reference.csp")"
}

emit_document() {
    check_source "$2"
    printf '\nstatic const char %s[] = {\n' "$1"
    characters "$2"
    printf '};\nconst identity_document_t identity_document_%s = {%s, sizeof(%s) - 1};\n' "$1" "$1" "$1"
}

# The words as identity_blocklist_sorted has them: read where they lie, by all processes alike. ASCII in lower case is the form in which they are compared.
emit_blocklist() {
    grep -v '^#' "$1" | LC_ALL=C sort -u > "$work/blocklist"
    if LC_ALL=C grep -n '[^!-@[-~]' "$work/blocklist" >&2 || grep -n '^$' "$work/blocklist" >&2; then
        echo "embed.sh: $1: each word is ASCII without blanks and capitals" >&2
        exit 1
    fi
    emit_document blocklist "$work/blocklist"
}

for source in page.css status.css reference.css activate.html reset.html begin.html end.html confirm.html entry.html $(scripts_of activate) $(scripts_of reset) $(scripts_of confirm) $(scripts_of entry); do
    check_source "$sources/$source"
done
style_hash=$(hash_of "$sources/page.css")

{
    printf '/* Made by src/pages/embed.sh from the files beside it. */\n#include "identity/pages.h"\n'
    emit_page activate
    emit_page reset
    emit_page confirm
    emit_filled_page entry
    emit_style status
    emit_reference
    emit_mails
    emit_document openapi conf/openapi.json
    emit_blocklist conf/password-blocklist.txt
} > "$work/pages.c"

if [ $# -gt 1 ]; then
    mkdir -p "$2"
    cp "$work"/*.html "$work"/*.csp "$2/"
fi
cp "$work/pages.c" "$output"
