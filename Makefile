# SPDX-License-Identifier: Apache-2.0
# belfry's build: one GNU Makefile, no recursion into folders, no configure step.
#
#   make                 the release binary, build/belfry
#   make demo            installs what is missing, builds, shows alerts fire and resolve
#   make check           installs what is missing, builds, runs every test   (T=test_x: one unit test)
#   make asan | tsan     unit and fault tests under sanitizers               (T=test_x)
#   make e2e-asan | e2e-tsan   the daemon under sanitizers, by a choice of its scripts   (T=test_x|all)
#   make cover           unit tests with line coverage, summary at the end
#   make fuzz            every fuzz target for FUZZ_SECONDS (30)             (T=fuzz_x)
#   make bench | fault   benchmarks; fault experiments
#   make lint            format, headers alone, include directions, static analysis
#   make install         DESTDIR= PREFIX=/usr/local
#   make deb | rpm       packages in build/packages/;  make dist: a source archive there
#   make packages-test   both packages on a real boot in a container (root)
#   make docs            docs/reference/config.md from the daemon's table of keys
#   make format          clang-format over the tree;   make clean
#
# V=1 shows the commands, WERROR= turns warnings into warnings again, CC=clang is supported.
# Sources are found, not listed: a .c file in a product folder is in the product. docs/contributing.md
# tells the rest.

PREFIX       ?= /usr/local
VARIANT      ?= release
WERROR       ?= -Werror
FUZZ_SECONDS ?= 30
ifeq ($(origin CC),default)
CC           := gcc
endif
ifeq ($(origin CXX),default)
CXX          := $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),g++)
endif
PYTHON       ?= $(firstword $(wildcard /usr/bin/python3) python3)
Q            := $(if $(V),,@)
say          := @$(if $(V),:,printf '  %-7s %s\n')
B            := build/$(VARIANT)
GEN          := build/gen
VERSION      := $(file <VERSION)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS    += --no-builtin-rules --no-print-directory

# ---- Sources ------------------------------------------------------------------------------------

DIRS    := base storage rules rules/promql exporters \
           agent agent/http agent/statsd agent/scrape agent/ingest
SRC     := $(wildcard $(addsuffix /*.c,$(DIRS)))
HDR     := $(wildcard $(addsuffix /*.h,$(DIRS)) tests/*/*.h)
CXXSRC  := $(wildcard base/*.cc)
PROTO   := $(wildcard agent/ingest/proto/*.proto)
TESTLIB := $(wildcard tests/lib/*.c)
TESTSRC := $(wildcard tests/unit/test_*.c tests/fault/test_*.c)
PROGSRC := $(wildcard tests/bench/bench_*.c tests/bench/load_*.c tests/fuzz/fuzz_*.c tests/demo/*.c)
MAIN    := $(wildcard agent/main.c)

PB_C    := $(patsubst agent/ingest/proto/%.proto,$(GEN)/%.pb-c.c,$(PROTO))
LIB_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out $(MAIN),$(SRC))) $(patsubst %.cc,$(B)/%.o,$(CXXSRC)) \
           $(patsubst build/%.c,$(B)/%.o,$(PB_C)) $(B)/gen/web_assets.o $(B)/gen/pack_assets.o
TLIB_OBJ := $(patsubst %.c,$(B)/%.o,$(TESTLIB))
TESTS   := $(patsubst %.c,$(B)/%,$(TESTSRC))
BENCHES := $(patsubst %.c,$(B)/%,$(filter tests/bench/bench_%,$(PROGSRC)))
LOADS   := $(patsubst %.c,$(B)/%,$(filter tests/bench/load_%,$(PROGSRC)))
FUZZERS := $(patsubst %.c,$(B)/%,$(filter tests/fuzz/%,$(PROGSRC)))
DEMOS   := $(patsubst %.c,$(B)/%,$(filter tests/demo/%,$(PROGSRC)))
LIB     := $(B)/libbelfry.a
TLIB    := $(B)/libtests.a
BIN     := $(if $(filter release,$(VARIANT)),build/belfry,$(B)/belfry)
ALL_OBJ := $(LIB_OBJ) $(TLIB_OBJ) $(B)/agent/main.o $(addsuffix .o,$(TESTS) $(BENCHES) $(LOADS) $(FUZZERS) $(DEMOS))

# The page: every file below dashboards/web/ of these kinds, and what the page needs of npm packages.
WEB_DIR := dashboards/web
WEB_SRC := $(wildcard $(foreach e,html css js svg ico png webmanifest,\
             $(WEB_DIR)/*.$e $(WEB_DIR)/[!n]*/*.$e))
WEB_PKG := $(wildcard $(WEB_DIR)/package-lock.json)
WEB_NPM := $(if $(WEB_PKG),uplot/dist/uPlot.iife.min.js uplot/dist/uPlot.min.css)
PACKS   := $(wildcard rules/packs/*.yml rules/packs/*.pack)
RUNBOOKS := $(wildcard docs/runbooks/*.md)
WEB_GZ  := $(patsubst $(WEB_DIR)/%,$(GEN)/web/%.gz,$(WEB_SRC)) \
           $(addsuffix .gz,$(addprefix $(GEN)/web/vendor/,$(notdir $(WEB_NPM))))

# ---- Flags --------------------------------------------------------------------------------------

# snappy has no .pc file on Debian; probe.sh looks for its header.
PKGS := libcurl libevent libevent_pthreads sqlite3 yaml-0.1 libprotobuf-c jansson zlib re2 \
        libxxhash libcrypto cairo

# Goals that need no compiler and no libraries: they install them first, or never use them.
OUTER := help check asan tsan e2e-asan e2e-tsan cover fuzz bench fault lint demo deb rpm packages-test dist clean format
NEEDS_CONFIG := $(filter-out $(OUTER),$(or $(MAKECMDGOALS),all))

ifneq ($(NEEDS_CONFIG),)
# What the compiler takes and where the libraries are: asked once per compiler, then read from a file.
CONFIG := build/config/$(subst /,_,$(CC)).mk
$(CONFIG): packaging/probe.sh Makefile
	@mkdir -p $(@D); packaging/probe.sh '$(CC)' '$(CXX)' $(PKGS) > $@
include $(CONFIG)
ifneq ($(MISSING),)
$(shell rm -f $(CONFIG))
$(error missing: $(MISSING). Install them with: packaging/deps.sh build)
endif
endif

WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wvla -Wformat=2 \
            -Wcast-qual -Wpointer-arith -Wwrite-strings -Wundef -Wimplicit-fallthrough \
            -Wswitch-enum $(if $(filter release,$(VARIANT)),-Wnull-dereference) $(WERROR)
CWARN    := -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
HARDEN   := -fstack-protector-strong -fno-common -fno-strict-aliasing $(CC_OPTS)

MODE_release := -O2 -g -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY)
MODE_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
MODE_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
MODE_cover   := -O0 -g --coverage
MODE_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed
LINK_asan    := -fsanitize=address,undefined
LINK_tsan    := -fsanitize=thread
LINK_cover   := --coverage
LINK_fuzz    := -fsanitize=address,undefined

# CPPFLAGS, CFLAGS, CXXFLAGS and LDFLAGS are the user's and come last.
INCLUDE     := -I. -I$(GEN) -D_GNU_SOURCE $(PKG_CFLAGS)
ALL_CFLAGS   = -std=c11 $(INCLUDE) $(WARN) $(CWARN) $(HARDEN) $(MODE_$(VARIANT)) $(CPPFLAGS) $(CFLAGS)
ALL_CXXFLAGS = -std=c++17 -fno-exceptions -fno-rtti $(INCLUDE) $(WARN) $(HARDEN) \
               $(MODE_$(VARIANT)) $(CPPFLAGS) $(CXXFLAGS)
ALL_LDFLAGS  = $(LINK_$(VARIANT)) $(LDFLAGS)
# Unsafe functions are compile errors in the product; for gcc, since clang under FORTIFY has them as macros.
BANNED      := $(if $(findstring clang,$(CC)),,$(addprefix -include ,$(wildcard base/banned.h)))
LIBS        := $(PKG_LIBS) -lsnappy -lstdc++ -lpthread -lm

# Everything is rebuilt when the flags change, not only when files do. Compared here, without a process.
ifneq ($(NEEDS_CONFIG),)
FLAGS_NOW := $(CC) $(CXX) $(ALL_CFLAGS) $(BANNED) $(ALL_CXXFLAGS) $(ALL_LDFLAGS) $(LIBS)
ifneq ($(strip $(file <$(B)/.flags)),$(strip $(FLAGS_NOW)))
$(shell mkdir -p $(B))
$(file >$(B)/.flags,$(FLAGS_NOW))
endif
endif

# ---- Compiling and linking ----------------------------------------------------------------------

.PHONY: $(OUTER) all tests install run-tests run-e2e run-fuzz run-bench run-fault FORCE
all: $(BIN)
tests: $(TESTS)

$(B)/%.o: %.c $(B)/.flags | generated
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter tests/%,$<),,$(BANNED)) $(EXTRA) -MMD -MP -c $< -o $@

$(B)/%.o: %.cc $(B)/.flags
	@mkdir -p $(@D)
	$(say) CXX $<
	$(Q)$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c $< -o $@

# Generated code is not ours to warn about.
$(B)/gen/%.o: $(GEN)/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -w -Wno-error -MMD -MP -c $< -o $@

# The version: BELFRY_VERSION reaches only files named main.c or version.c, the revision only main.c,
# so that a commit rebuilds one object.
$(B)/agent/main.o $(addprefix $(B)/,$(addsuffix /version.o,$(DIRS))): EXTRA = \
  -DBELFRY_VERSION='"$(VERSION)"' $(if $(findstring agent/main,$@),-DBELFRY_REVISION='"$(file <$(GEN)/revision)"')
$(addprefix $(B)/,$(addsuffix /version.o,$(DIRS))): VERSION
$(B)/agent/main.o: VERSION $(GEN)/revision
$(GEN)/revision: FORCE
	@mkdir -p $(@D); r=$$(cat REVISION 2>/dev/null || git rev-parse --short=12 HEAD 2>/dev/null || echo unknown); \
	  [ "$$(cat $@ 2>/dev/null)" = "$$r" ] || printf '%s' "$$r" > $@

# Rebuilt from nothing, so that the object of a removed source does not stay in it.
$(LIB): $(LIB_OBJ)
$(TLIB): $(TLIB_OBJ)
$(LIB) $(TLIB): $(B)/.flags
	@rm -f $@; mkdir -p $(@D)
	$(Q)ar rcD $@ $(filter %.o,$^) && ranlib -D $@

ifneq ($(MAIN),)
$(BIN): $(B)/agent/main.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@
else
$(BIN): $(LIB)
	@echo 'belfry: agent/main.c does not exist yet; built $(LIB) only'
endif

$(TESTS): $(B)/tests/%: $(B)/tests/%.o $(TLIB) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CHECK_LIBS) $(LIBS) -o $@
$(BENCHES) $(LOADS) $(DEMOS): $(B)/tests/%: $(B)/tests/%.o $(TLIB) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@
$(FUZZERS): $(B)/tests/%: $(B)/tests/%.o $(TLIB) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $^ $(LIBS) -o $@

-include $(wildcard $(ALL_OBJ:.o=.d))

# ---- Generated sources --------------------------------------------------------------------------

.PHONY: generated
generated: $(PB_C) $(GEN)/web_assets.h $(GEN)/pack_assets.h
	@:

$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h &: agent/ingest/proto/%.proto
	@mkdir -p $(GEN)
	$(say) PROTO $<
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(GEN) $<

$(GEN)/web/vendor/%.gz: $(GEN)/npm/.stamp
	@mkdir -p $(@D)
	$(Q)gzip -9nc $(GEN)/npm/node_modules/$(filter %/$*,$(WEB_NPM)) > $@

$(GEN)/web/%.gz: $(WEB_DIR)/%
	@mkdir -p $(@D)
	$(Q)gzip -9nc $< > $@

# npm works on a copy, so that the source tree stays clean.
$(GEN)/npm/.stamp: $(WEB_DIR)/package.json $(WEB_PKG)
	@mkdir -p $(@D)
	$(say) NPM $<
	$(Q)cp $^ $(@D)/ && cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(GEN)/web_assets.c $(GEN)/web_assets.h &: packaging/web_assets.sh $(WEB_GZ)
	@mkdir -p $(@D)
	$(Q)packaging/web_assets.sh $(GEN) $(patsubst $(GEN)/web/%.gz,%,$(WEB_GZ))

# Rule packs and their runbooks, in the binary too.
$(GEN)/pack_assets.c $(GEN)/pack_assets.h &: packaging/pack_assets.sh $(PACKS) $(RUNBOOKS)
	@mkdir -p $(@D)
	$(Q)packaging/pack_assets.sh $(GEN) rules/packs docs/runbooks

# ---- Tests --------------------------------------------------------------------------------------

# The outer targets install what is missing and come back in with the goal that does the work.
# They use all cores unless -j was given.
DEPS := packaging/deps.sh
JOBS  = $(if $(findstring --jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

check:
	$(Q)$(DEPS) build test
	$(Q)$(MAKE) $(JOBS) run-tests
asan tsan cover:
	$(Q)$(DEPS) build test $(filter cover,$@)
	$(Q)$(MAKE) $(JOBS) VARIANT=$@ run-tests
e2e-asan e2e-tsan:
	$(Q)$(DEPS) build test
	$(Q)$(MAKE) $(JOBS) VARIANT=$(@:e2e-%=%) run-e2e
fuzz:
	$(Q)$(DEPS) build fuzz
	$(Q)$(MAKE) $(JOBS) VARIANT=fuzz CC=clang run-fuzz
bench fault:
	$(Q)$(DEPS) build test
	$(Q)$(MAKE) $(JOBS) run-$@

# asan and tsan watch the C tests; `make check` runs the scripts on the release binary, e2e-asan a choice
# of them on the daemon under sanitizers: breadth within four minutes of two processors.
PICKED  := $(if $(T),$(filter %/$(T),$(TESTS)),$(TESTS))
SCRIPTS := $(if $(T),,$(if $(filter release,$(VARIANT)),$(wildcard tests/conformance/*.sh \
             tests/e2e/test_*.py tests/e2e/test_*.sh)))
run-tests: $(PICKED) $(if $(SCRIPTS),$(BIN) $(DEMOS))
	$(Q)$(PYTHON) tests/lib/run_checks.py --variant $(VARIANT) --bin $(BIN) $(PICKED) $(SCRIPTS)
	$(Q)$(if $(filter cover,$(VARIANT)),gcovr --root . --filter '($(subst $() ,|,$(strip $(DIRS))))/' $(B) >$(B)/coverage.txt && \
	  cut -c1-60 $(B)/coverage.txt | tail -n +5 && echo 'uncovered lines: $(B)/coverage.txt')

E2E_CHOICE := story alert_life am_api receivers http_api page promql_tools bad_input statsd scrape graphs \
              backtest kill9
E2E_ALL    := $(filter-out %/test_run_checks.py %/test_helpers.py %/test_demo_story.py %/test_mail_form.py,\
                $(wildcard tests/e2e/test_*.py tests/fault/test_*.py tests/conformance/*.sh))
run-e2e: $(BIN)
	$(Q)$(PYTHON) tests/lib/run_checks.py --variant $(VARIANT) --bin $(BIN) --timeout 1200 $(if $(T),$(if \
	  $(filter all,$(T)),$(E2E_ALL),$(filter %/$(T).py,$(E2E_ALL))),$(E2E_CHOICE:%=tests/e2e/test_%.py))

run-fuzz: $(if $(T),$(filter %/$(T),$(FUZZERS)),$(FUZZERS))
	$(if $^,,$(error no fuzz targets yet: tests/fuzz/fuzz_*.c))
	$(Q)tests/lib/run_fuzz.sh $(FUZZ_SECONDS) $^

run-bench: $(BENCHES) $(LOADS) $(BIN)
	$(if $(wildcard tests/bench/*),,$(error no benchmarks yet: tests/bench/))
	$(Q)set -e; for b in $(BENCHES) $(wildcard tests/bench/bench_*.py tests/bench/bench_*.sh); do \
	  BELFRY_BIN=$(CURDIR)/$(BIN) BENCH_LOADS=$(CURDIR)/$(B)/tests/bench $$b; done

run-fault: $(filter %/fault/%,$(TESTS)) $(BIN)
	$(if $(wildcard tests/fault/*),,$(error no fault experiments yet: tests/fault/))
	$(Q)$(PYTHON) tests/lib/run_checks.py --variant $(VARIANT) --bin $(BIN) \
	  $(filter %/fault/%,$(TESTS)) $(wildcard tests/fault/test_*.py tests/fault/test_*.sh)

# Lint is make targets too: a file that did not change since it was clean is not looked at again.
LINTC   := $(SRC) $(TESTLIB) $(TESTSRC) $(PROGSRC)
SCRIPT  := $(wildcard .ci/run packaging/*.sh tests/*/*.sh packaging/debian/*.postinst packaging/debian/*.postrm)
JSS     := $(wildcard $(WEB_DIR)/*.js $(WEB_DIR)/js/*.js tests/*/*.js tests/*/*.mjs)
JSONS   := $(wildcard dashboards/grafana/*.json $(WEB_DIR)/*.json)
MANS    := $(wildcard packaging/man/*)
PYTHONS := $(wildcard tests/*/*.py packaging/*.py dashboards/*/*.py)
L       := build/lint
.PHONY: lint-all lint-tree
lint:
	$(Q)$(DEPS) build lint
	$(Q)$(MAKE) VARIANT=lint generated
	$(Q)$(MAKE) $(JOBS) VARIANT=lint -k --output-sync=target lint-all
	@echo 'lint: clean'
lint-all: lint-tree $(L)/format $(HDR:%=$(L)/%.alone) $(SRC:%=$(L)/%.tidy) $(TESTLIB:%=$(L)/%.tidy) \
          $(SCRIPT:%=$(L)/%.shellcheck) $(PYTHONS:%=$(L)/%.pyc) \
          $(MANS:%=$(L)/%.mandoc) $(JSS:%=$(L)/%.jscheck) $(JSONS:%=$(L)/%.json)

lint-tree:
	$(Q)tests/lib/layers.sh
$(L)/layers: tests/lib/layers.sh tests/lib/test_layers.sh
	@mkdir -p $(@D)
	$(Q)tests/lib/test_layers.sh >$@
lint-all: $(L)/layers

$(L)/format: .clang-format $(LINTC) $(HDR) $(CXXSRC)
	@mkdir -p $(@D)
	$(Q)$(if $(filter-out .clang-format,$^),clang-format --dry-run --Werror $(filter-out .clang-format,$^))
	@touch $@

$(L)/%.h.alone: %.h | generated
	@mkdir -p $(@D)
	$(Q)echo 'extern int alone;' | $(CC) -std=c11 $(INCLUDE) $(WARN) -MMD -MP -MT $@ -MF $@.d \
	  -fsyntax-only -include $< -xc -
	@touch $@

# clang-tidy also brings clang's own warnings, with the flags of the build.
$(L)/%.c.tidy: %.c .clang-tidy | generated
	@mkdir -p $(@D)
	$(say) TIDY $<
	$(Q)clang-tidy --quiet $< -- -std=c11 $(INCLUDE) $(BANNED) $(filter-out -Werror,$(WARN)) $(CWARN) \
	  -Wno-string-conversion $(LINT_DEFS) >$@.out 2>$@.err || { cat $@.out; grep -v 'warnings generated' $@.err; exit 1; }
	@$(CC) -std=c11 $(INCLUDE) $(BANNED) $(LINT_DEFS) -MM -MP -MT $@ -MF $@.d $<; touch $@

$(L)/%.shellcheck: %
	@mkdir -p $(@D)
	$(Q)shellcheck -x $< && touch $@
$(L)/%.pyc: %
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -c 'import py_compile,sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)' $< $@
$(L)/%.jscheck: %
	@mkdir -p $(@D)
	$(Q)cp $< $@.mjs && node --check $@.mjs && touch $@
$(L)/%.json: %
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -m json.tool $< $@
$(L)/packaging/man/belfry.yml.5.mandoc: build/man/belfry.yml.5
	$(Q)mandoc -T lint -W warning $< && touch $@
$(L)/%.mandoc: %
	@mkdir -p $(@D)
	$(Q)mandoc -T lint -W warning $< && touch $@
LINT_DEFS := -DBELFRY_VERSION='"0"' -DBELFRY_REVISION='"0"'
ifneq ($(filter lint-all,$(MAKECMDGOALS)),)
-include $(wildcard $(addsuffix .alone.d,$(HDR:%=$(L)/%)) $(addsuffix .tidy.d,$(LINTC:%=$(L)/%)))
endif
format:
	$(Q)clang-format -i $(SRC) $(HDR) $(TESTLIB) $(TESTSRC) $(PROGSRC)

# ---- The demo -----------------------------------------------------------------------------------

demo:
	$(Q)$(DEPS) build demo
	$(Q)$(MAKE) $(JOBS) all
	$(if $(wildcard tests/demo/run.py),,$(error no demo yet: tests/demo/run.py))
	$(Q)BELFRY_BIN=$(CURDIR)/build/belfry $(PYTHON) tests/demo/run.py

# ---- Installing and packaging -------------------------------------------------------------------

BINDIR     ?= $(PREFIX)/bin
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR    ?= $(PREFIX)/lib/systemd/system
D          := $(DESTDIR)
BOARDS     := $(wildcard dashboards/grafana/*.json)

# The keys in belfry.yml(5) come from the reference page, which belfry prints (belfry help config).
build/man/belfry.yml.5: packaging/man_options.awk docs/reference/config.md packaging/man/belfry.yml.5
	@mkdir -p $(@D)
	$(Q)awk -f $^ > $@
.PHONY: docs
docs: $(BIN)
	@mkdir -p docs/reference
	$(BIN) help config > docs/reference/config.md

# An existing configuration is left as it is. The unit names the places it was installed to.
install: $(BIN) build/man/belfry.yml.5
	$(if $(MAIN),,$(error nothing to install yet: agent/main.c does not exist))
	install -Dm755 $(BIN) $(D)$(BINDIR)/belfry
	install -d -m750 $(D)$(SYSCONFDIR)/belfry $(D)$(SYSCONFDIR)/belfry/rules.d
	install -d $(D)$(DATADIR)/belfry/packs $(D)$(DATADIR)/belfry/runbooks
	install -m644 $(PACKS) $(D)$(DATADIR)/belfry/packs/
	install -m644 $(RUNBOOKS) $(D)$(DATADIR)/belfry/runbooks/
	[ -e $(D)$(SYSCONFDIR)/belfry/belfry.yml ] || \
	  install -m640 packaging/etc/belfry.yml $(D)$(SYSCONFDIR)/belfry/belfry.yml
	install -d $(D)$(UNITDIR)
	sed -e 's|/usr/bin/belfry|$(BINDIR)/belfry|g' -e 's|/etc/belfry/|$(SYSCONFDIR)/belfry/|g' \
	  packaging/systemd/belfry.service > $(D)$(UNITDIR)/belfry.service
	chmod 644 $(D)$(UNITDIR)/belfry.service
	install -Dm644 packaging/systemd/sysusers.conf $(D)$(PREFIX)/lib/sysusers.d/belfry.conf
	install -Dm644 packaging/systemd/tmpfiles.conf $(D)$(PREFIX)/lib/tmpfiles.d/belfry.conf
	install -Dm644 packaging/man/belfry.1 $(D)$(MANDIR)/man1/belfry.1
	install -Dm644 build/man/belfry.yml.5 $(D)$(MANDIR)/man5/belfry.yml.5
	install -Dm644 packaging/man/belfry.8 $(D)$(MANDIR)/man8/belfry.8
	install -Dm644 packaging/etc/belfry.yml $(D)$(DATADIR)/belfry/examples/belfry.yml
	$(if $(BOARDS),install -d $(D)$(DATADIR)/belfry/grafana && install -m644 $(BOARDS) $(D)$(DATADIR)/belfry/grafana/)

# Packages are built in a copy below build/, so that the root stays as it is.
deb rpm:
	$(if $(MAIN),,$(error nothing to package yet: agent/main.c does not exist))
	$(Q)$(DEPS) build package
	$(Q)$(MAKE) generated
	$(Q)packaging/build-$@.sh
packages-test: deb rpm
	$(Q)packaging/test-packages.sh
dist:
	$(Q)$(DEPS) build
	$(Q)$(MAKE) generated
	$(Q)mkdir -p build/packages && packaging/build-copy.sh build/dist/belfry-$(VERSION)
	$(Q)packaging/pack.sh build/dist belfry-$(VERSION) build/packages/belfry-$(VERSION).tar.gz
	@ls -l build/packages/belfry-$(VERSION).tar.gz

clean:
	$(Q)rm -rf build
help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile
