# SPDX-License-Identifier: Apache-2.0
# mod_identity: every command that a person types.
#
#   make            build everything into build/
#   make run        build and start an httpd with it (PORT=8080 STATE=run CONF=)
#   make check      the quick tests: unit and guards
#   make test       every test
#   make fuzz       the fuzz targets of t/fuzz by libFuzzer (SECONDS=60 each; needs clang)
#   make coverage   lines of src that tests reach, for each file; under the floor of t/trust/coverage.txt it is an error (FILES='t/api/users.t ...')
#   make tsan       the unit tests that start threads, under ThreadSanitizer
#   make mutants    mutated raw requests against the sanitized server (REQUESTS=100000 SEED=1)
#   make bench      what it costs, beside limits measured in the same run
#   make count      instructions a request of the most frequent ones, by callgrind
#   make install    module, tool, manual pages and conf into apxs' places (DESTDIR, prefix, bindir, libdir, datadir, mandir)
#   make uninstall  take them away again
#   make package    Debian's package, in build/package; make test-package installs, upgrades and purges it in a fresh Debian (root)
#   make dist       the sources as mod_identity-VERSION.tar.gz
#   make reference  conf/directives.md anew, of the table of directives
#   make syntax     every C file through CC's front end alone, such as CC=clang or a cross compiler
#   make deps       install the Debian packages that are missing
#   make clean
#
# SAN=1 builds with AddressSanitizer and UBSan into build-asan/ instead (FUZZ=1: for libFuzzer into build-fuzz/). V=1 shows the whole commands.
# CC, CPPFLAGS, CFLAGS, LDFLAGS, LIBS, AR, PKG_CONFIG, APXS and BUILD (the folder for all that is built) are honoured; WERROR=-Werror makes an
# error of each warning.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

prefix ?= /usr/local
bindir ?= $(prefix)/bin
libdir ?= $(prefix)/lib
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
DIRECTORIES = APXS='$(APXS)' DESTDIR='$(DESTDIR)' prefix='$(prefix)' bindir='$(bindir)' libdir='$(libdir)' datadir='$(datadir)' mandir='$(mandir)'
DESTDIR ?=
PORT ?= 8080
STATE ?= run
CONF ?=
SAN ?=
FUZZ ?=
SECONDS ?= 60
FILES ?=
REQUESTS ?= 100000
SEED ?= 1

ifeq ($(origin CC),default)
CC := gcc
endif
APXS ?= apxs
DEPS := src/tool/deps.sh
JOBS := $(shell nproc)
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-4s %s\n' $(1) '$@')

# ---- flags ---------------------------------------------------------------------------------------------------------------------------------

# CC, CPPFLAGS, CFLAGS, LDFLAGS and LIBS belong to whoever builds, and come last on each command line; what the code needs stands in ALL_... beside them.
CPPFLAGS ?=
CFLAGS ?= $(if $(SAN)$(FUZZ),-O1,-O2) -g
LDFLAGS ?=
LIBS ?=
# CI: make WERROR=-Werror
WERROR ?=
ifneq ($(FUZZ),)
CC := clang
endif
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wconversion
BUILD ?= $(if $(FUZZ),build-fuzz,$(if $(SAN),build-asan,build))

PKG_CONFIG ?= pkg-config
PACKAGES := cjose jansson libcurl libidn2 libsodium libutf8proc libcrypto libcrypt
APR_CONFIG ?= $(shell $(APXS) -q APR_CONFIG 2>/dev/null)
APU_CONFIG ?= $(shell $(APXS) -q APU_CONFIG 2>/dev/null)
APACHE_INCLUDE := $(shell $(APXS) -q INCLUDEDIR 2>/dev/null)
HTTPD_PROGRAM := $(shell $(APXS) -q sbindir 2>/dev/null)/$(shell $(APXS) -q progname 2>/dev/null)
HTTPD_SYSCONFDIR := $(shell $(APXS) -q SYSCONFDIR 2>/dev/null)

# What this compiler has of the flags that harden code; -fcf-protection, for one, is x86's alone.
ifneq ($(FUZZ),)
HARDEN := -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
LINK_SAN := -fsanitize=address,undefined
else ifeq ($(SAN),)
HARDEN ?= $(shell CC='$(CC)' src/tool/flags.sh '$(CPPFLAGS) $(CFLAGS)' -fstack-protector-strong -fstack-clash-protection \
            -fcf-protection -mbranch-protection=standard)
else
# No _FORTIFY_SOURCE here: it hides from the sanitizer the calls that it replaces.
HARDEN ?= -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LINK_SAN := -fsanitize=address,undefined
endif

# As system headers, APR's are not judged by our warnings: clang finds its rings wanting.
ALL_CPPFLAGS = -Iinclude $(patsubst -I%,-isystem %,$(filter-out -I/usr/include,$(if $(APR_CONFIG),$(shell $(APR_CONFIG) --includes --cppflags 2>/dev/null)) $(if $(APU_CONFIG),$(shell $(APU_CONFIG) --includes 2>/dev/null)))) \
    $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 -fPIC -fvisibility=hidden $(WARNINGS) $(WERROR) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS = $(LINK_SAN) -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
LIBRARIES = $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) $(LIBS)
APR_LIBRARIES = $(if $(APU_CONFIG),$(shell $(APU_CONFIG) --link-ld 2>/dev/null)) $(if $(APR_CONFIG),$(shell $(APR_CONFIG) --link-ld 2>/dev/null))

# One answer of each tool a run of make, not one a command.
$(foreach variable,HARDEN ALL_CPPFLAGS LIBRARIES APR_LIBRARIES,$(eval $(variable) := $($(variable))))

# ---- what is built ---------------------------------------------------------------------------------------------------------------------

LIBRARY_SOURCES := $(wildcard src/core/*.c src/store/*.c src/service/*.c src/service/*/*.c src/client/*.c)
MODULE_SOURCES := $(wildcard mod_identity.c src/server/*.c)
TOOL_SOURCES := $(wildcard src/tool/*.c)
UNIT_SOURCES := $(filter-out t/unit/support/%,$(wildcard t/unit/*/*.c t/unit/*/*/*.c))
BENCH_SOURCES := $(wildcard t/bench/*.c)
FUZZ_SOURCES := $(wildcard t/fuzz/*.c)
FUZZ_SUPPORT_SOURCES := $(wildcard t/fuzz/support/*.c)
# What several unit tests share; each takes what it uses.
UNIT_SUPPORT_SOURCES := $(wildcard t/unit/support/*.c)
PAGES := $(wildcard src/pages/*.* src/pages/mail/*) include/identity/mails.def conf/openapi.json conf/password-blocklist.txt

LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/pages.o
MODULE_OBJECTS := $(MODULE_SOURCES:%.c=$(BUILD)/%.o)
TOOL_OBJECTS := $(TOOL_SOURCES:%.c=$(BUILD)/%.o)
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(BUILD)/%.o)
UNIT_SUPPORT_OBJECTS := $(UNIT_SUPPORT_SOURCES:%.c=$(BUILD)/%.o)
UNITS := $(foreach source,$(UNIT_SOURCES),$(BUILD)/t/unit-$(basename $(notdir $(source))))
BENCH_OBJECTS := $(BENCH_SOURCES:%.c=$(BUILD)/%.o)
BENCHES := $(BENCH_SOURCES:t/bench/%.c=$(BUILD)/t/bench-%)
FUZZ_OBJECTS := $(FUZZ_SOURCES:%.c=$(BUILD)/%.o)
FUZZ_SUPPORT_OBJECTS := $(FUZZ_SUPPORT_SOURCES:%.c=$(BUILD)/%.o)
FUZZES := $(FUZZ_SOURCES:t/fuzz/%.c=$(BUILD)/t/fuzz-%)
OBJECTS := $(LIBRARY_OBJECTS) $(MODULE_OBJECTS) $(TOOL_OBJECTS) $(UNIT_OBJECTS) $(UNIT_SUPPORT_OBJECTS) $(BENCH_OBJECTS) $(FUZZ_OBJECTS) $(FUZZ_SUPPORT_OBJECTS)

LIBRARY := $(BUILD)/libidentity.a
MODULE := $(BUILD)/mod_identity.so
TOOL := $(BUILD)/htidentity
UNIT_SUPPORT := $(if $(UNIT_SUPPORT_SOURCES),$(BUILD)/t/libsupport.a)

.PHONY: all units fuzzes check test fuzz coverage tsan mutants bench count run install uninstall package test-package dist syntax reference deps packages test-packages clean FORCE
.SECONDARY: $(OBJECTS)

MAN := $(BUILD)/htidentity.8 $(BUILD)/mod_identity.8

all: $(MODULE) $(TOOL) $(MAN)
units: $(UNITS) $(FUZZES)
fuzzes: $(FUZZES)

# One sentence about missing packages instead of a compiler's hundred.
packages:
	@$(DEPS) --check build
	@[ -n '$(APR_CONFIG)' ] && [ -n '$(APACHE_INCLUDE)' ] || { echo "'$(APXS)' does not tell where httpd and its APR are: APXS=PATH names the httpd's apxs." >&2; exit 1; }

test-packages:
	@$(DEPS) --check build test

$(BUILD)/%.o: %.c Makefile | packages
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The folders of src/service name each other's headers from there; so do the tests that look into them.
$(filter $(BUILD)/src/service/%,$(LIBRARY_OBJECTS)) $(UNIT_OBJECTS): ALL_CPPFLAGS += -Isrc/service
# The tests name what they share from t/unit, and tables of src from the top.
$(UNIT_OBJECTS) $(UNIT_SUPPORT_OBJECTS): ALL_CPPFLAGS += -It/unit -I.

$(MODULE_OBJECTS): ALL_CPPFLAGS += -isystem $(APACHE_INCLUDE)

# The httpd that htidentity asks for its configuration, unless IDENTITY_HTTPD says another.
$(TOOL_OBJECTS): ALL_CPPFLAGS += -DIDENTITY_HTTPD_PROGRAM='"$(HTTPD_PROGRAM)"' -DIDENTITY_SYSCONFDIR='"$(HTTPD_SYSCONFDIR)"'

$(BUILD)/pages.o: $(BUILD)/pages.c
	$(call say,CC)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/pages.c: $(PAGES) | packages
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)sh src/pages/embed.sh $@ $(BUILD)/pages

# Every C file through the compiler's front end alone, by one command: what another compiler, or one for another machine, warns of.
syntax: $(BUILD)/pages.c
	$(Q)$(CC) $(ALL_CPPFLAGS) $(if $(APACHE_INCLUDE),-isystem $(APACHE_INCLUDE)) -It/unit -I. -Isrc/service -DIDENTITY_HTTPD_PROGRAM='""' -DIDENTITY_SYSCONFDIR='""' $(ALL_CFLAGS) -fsyntax-only \
	    $(wildcard mod_identity.c src/*/*.c src/*/*/*.c t/unit/*/*.c t/unit/*/*/*.c t/fuzz/*.c t/fuzz/support/*.c t/bench/*.c) $(BUILD)/pages.c

# A source file that is gone must leave the library too, though nothing that is left has changed.
$(BUILD)/objects: FORCE | packages
	@mkdir -p $(@D)
	@echo '$(LIBRARY_OBJECTS)' | cmp -s - $@ || echo '$(LIBRARY_OBJECTS)' > $@

$(LIBRARY): $(LIBRARY_OBJECTS) $(BUILD)/objects
	$(call say,AR)
	$(Q)rm -f $@.new && $(AR) rcsD $@.new $(LIBRARY_OBJECTS) && mv $@.new $@

$(MODULE): $(MODULE_OBJECTS) $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) -shared $(ALL_LDFLAGS) -Wl,--exclude-libs,ALL -o $@ $(MODULE_OBJECTS) $(LIBRARY) $(LIBRARIES)

$(TOOL): $(TOOL_OBJECTS) $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $(TOOL_OBJECTS) $(LIBRARY) $(LIBRARIES) $(APR_LIBRARIES)

$(BUILD)/htidentity.8: $(TOOL)
	$(call say,GEN)
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(TOOL) help --man > $@

REFERENCE := src/tool/reference.pl src/server/directives.def src/server/directives.txt

$(BUILD)/mod_identity.8: $(REFERENCE) conf/README.md conf/interface.md conf/sign-in.md include/identity/core.h
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)perl src/tool/reference.pl man > $@

$(UNIT_SUPPORT): $(UNIT_SUPPORT_OBJECTS)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(foreach source,$(UNIT_SOURCES),$(eval $(BUILD)/t/unit-$(basename $(notdir $(source))): $(BUILD)/$(source:.c=.o)))
$(UNITS): $(UNIT_SUPPORT) $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(UNIT_SUPPORT) $(LIBRARY) $(LIBRARIES) $(APR_LIBRARIES)

# A target with a main of its own, which replays the files that are kept; under FUZZ=1 with libFuzzer's.
$(BUILD)/t/fuzz-%: $(BUILD)/t/fuzz/%.o $(FUZZ_SUPPORT_OBJECTS) $(UNIT_SUPPORT) $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) $(if $(FUZZ),-fsanitize=fuzzer) -o $@ $< $(if $(FUZZ),$(filter-out %/replay.o,$(FUZZ_SUPPORT_OBJECTS)),$(FUZZ_SUPPORT_OBJECTS)) $(UNIT_SUPPORT) $(LIBRARY) $(LIBRARIES) $(APR_LIBRARIES)

$(BUILD)/t/bench-%: $(BUILD)/t/bench/%.o $(UNIT_SUPPORT) $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) -pie $(ALL_LDFLAGS) -o $@ $< $(UNIT_SUPPORT) $(LIBRARY) $(LIBRARIES) $(APR_LIBRARIES) -lm

# The limits by SQLite alone.
$(BUILD)/t/bench-raw_%: LIBRARIES += -lsqlite3

# Counts the rows that SQLite reads.
$(BUILD)/t/unit-serve_volume: LIBRARIES += -lsqlite3

-include $(OBJECTS:.o=.d)

# ---- what is done with it --------------------------------------------------------------------------------------------------------------

# As many files at once as there are processors; of all the tests twice as many, since most of what a server's tests take is waiting.
PROVE := prove --timer
# In one run with others: the unit tests one after the other, and then what holds their answers against the document.
IN_ORDER := --rules='seq={$(BUILD)/t/unit-*,t/answers/unit.t}' --rules='par=**'
# A hundred thousand users, ten thousand racing refreshes: make test alone has the time.
LONG_UNITS := $(BUILD)/t/unit-serve_volume $(BUILD)/t/unit-store_races
# A parent that runs as root can only be tried by root.
SUITES := $(filter-out $(if $(filter 0,$(shell id -u)),,t/suite/root.t),$(wildcard t/suite/*.t))

# Every answer that a test sees is kept there, and held against conf/openapi.json.
ANSWERS := $(CURDIR)/$(BUILD)/answers
fresh_answers = @rm -rf '$(ANSWERS)' && mkdir -p '$(ANSWERS)'
# What every test of make test prints, for t/answers/claims.t: prove keeps what it runs itself, t/run-httpd.sh what runs in its servers.
TAP := $(CURDIR)/$(BUILD)/tap

check: test-packages all units
	$(fresh_answers)
	@IDENTITY_ANSWERS='$(ANSWERS)' $(PROVE) -j$(JOBS) $(filter-out $(LONG_UNITS),$(UNITS)) $(FUZZES) t/guard
	@IDENTITY_ANSWERS='$(ANSWERS)' $(PROVE) t/answers/unit.t

# The long ones come first, so that none runs alone at the end.
test:
	@$(DEPS) build test
	+@$(MAKE) --no-print-directory -j$(JOBS) SAN= BUILD=build all units build/t/bench-seed
	+@$(MAKE) --no-print-directory -j$(JOBS) SAN=1 BUILD=build-asan all units
	$(fresh_answers)
	@rm -rf '$(TAP)' '$(TAP).last' '$(TAP).failed' && mkdir -p '$(TAP)' '$(TAP).last'
	@{ IDENTITY_ANSWERS='$(ANSWERS)' IDENTITY_TAP='$(TAP)' PERL_TEST_HARNESS_DUMP_TAP='$(TAP)' $(PROVE) -j$$((2 * $(JOBS))) $(IN_ORDER) \
	    $(SUITES) $(wildcard t/pages) $(UNITS:build/%=build-asan/%) $(UNITS) \
	    $(FUZZES:build/%=build-asan/%) t/answers/unit.t t/guard t/answers/operations.t || touch '$(TAP).failed'; } 2>&1 | tee '$(TAP).out'
	@mv '$(TAP).out' '$(TAP)/prove.out'
	@status=0; test ! -e '$(TAP).failed' || status=1; \
	IDENTITY_TAP='$(TAP)' PERL_TEST_HARNESS_DUMP_TAP='$(TAP).last' $(PROVE) t/answers/claims.t || status=1; \
	IDENTITY_TAP='$(TAP)' $(PROVE) t/answers/failed.t || status=1; \
	exit $$status

# Each target for so long, from the files that are kept and those that earlier runs found (build-fuzz/corpus). What breaks lies in build-fuzz/found.
fuzz:
	@$(DEPS) build fuzz
	+@$(MAKE) --no-print-directory -j$(JOBS) FUZZ=1 fuzzes
	@for target in $(FUZZ_SOURCES:t/fuzz/%.c=%); do \
	    mkdir -p build-fuzz/corpus/$$target build-fuzz/found; \
	    echo "== $$target"; \
	    ASAN_OPTIONS=detect_leaks=0 build-fuzz/t/fuzz-$$target -detect_leaks=0 -max_total_time=$(SECONDS) -max_len=70000 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
	        -artifact_prefix=build-fuzz/found/$$target- build-fuzz/corpus/$$target t/fuzz/corpus/$$target || exit 1; \
	done

# FILES: those of t/api and t/httpd that are run. An own build, by gcc, without the optimizer.
coverage:
	@$(DEPS) build test coverage
	+@$(MAKE) --no-print-directory -j$(JOBS) SAN= FUZZ= BUILD=build-coverage CC=gcc CPPFLAGS=-U_FORTIFY_SOURCE CFLAGS='-O0 -g1 --coverage -fprofile-update=atomic' \
	    HARDEN= LDFLAGS=--coverage all units
	@t/trust/coverage.sh $(FILES)

# What threads share: caches, revisions, keys, the hashing semaphore, counters, calls to providers.
TSAN_UNITS := $(foreach unit,core_cache core_revisions core_jwt password_semaphore serve_metrics client_captcha client_oidc,build-tsan/t/unit-$(unit))
tsan:
	@$(DEPS) build test
	+@$(MAKE) --no-print-directory -j$(JOBS) SAN= FUZZ= BUILD=build-tsan CC=gcc CFLAGS='-O1 -g1' HARDEN='-fsanitize=thread -fno-omit-frame-pointer' LDFLAGS=-fsanitize=thread $(TSAN_UNITS)
	@TSAN_OPTIONS='suppressions=$(CURDIR)/t/trust/tsan.txt exitcode=66' $(PROVE) $(TSAN_UNITS)

# The same REQUESTS and SEED send the same bytes.
mutants:
	@$(DEPS) build test
	+@$(MAKE) --no-print-directory -j$(JOBS) SAN=1 all
	@IDENTITY_MUTANTS='$(REQUESTS)' IDENTITY_SEED='$(SEED)' VERBOSE=1 t/run-httpd.sh asan t/httpd/mutants.t

# BENCH_STRICT=1: a target that is missed is an error. t/bench/run.pl tells of more.
bench:
	@$(DEPS) build bench
	+@$(MAKE) --no-print-directory -j$(JOBS) all $(BENCHES)
	@t/bench/run.pl $(BUILD)
	@$(BUILD)/t/bench-logins

# USERS=100000 by default. What is held by a test: t/suite/count.t.
count:
	@$(DEPS) build count
	+@$(MAKE) --no-print-directory -j$(JOBS) all $(BUILD)/t/bench-seed
	@t/bench/count.pl $(BUILD)

run:
	@$(DEPS) build
	+@$(MAKE) --no-print-directory -j$(JOBS) all
	@PORT='$(PORT)' STATE='$(STATE)' CONF='$(CONF)' exec src/tool/run.sh

install: all
	@$(DIRECTORIES) BUILD='$(BUILD)' src/tool/install.sh

# The sources as committed, in a folder of the version's name.
VERSION := $(shell sed -n 's/^\#define IDENTITY_VERSION "\(.*\)"$$/\1/p' include/identity/core.h)
dist:
	git archive --format=tar.gz --prefix='mod_identity-$(VERSION)/' -o 'mod_identity-$(VERSION).tar.gz' HEAD

reference:
	perl src/tool/reference.pl md > conf/directives.md.new && mv conf/directives.md.new conf/directives.md

package:
	@$(DEPS) build package
	@src/tool/package.sh '$(VERSION)' '$(BUILD)/package'

test-package: package
	@$(DEPS) root
	@prove t/package

uninstall:
	@$(DIRECTORIES) src/tool/install.sh uninstall

deps:
	@$(DEPS) build test

clean:
	rm -rf '$(BUILD)' build build-asan build-fuzz build-coverage build-tsan
