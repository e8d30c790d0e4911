# cx: `make demo` shows it, `make check` tests it, `make help` lists the rest.
# One folder of src/ is one program; src/PROG/LIBS names what it links beside
# libcx's core: pkg-config packages, or cx-engine, cx-store, cx-yaml (parts of libcx).

MODE ?= release
CC = gcc
V ?= 0
Q = $(if $(filter 1,$(V)),,@)
say = @$(if $(filter 1,$(V)),:,printf '  %-6s %s\n' "$(1)" "$(2)")

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL = all

prefix ?= /usr/local
DESTDIR ?=

PROGS := $(notdir $(patsubst %/,%,$(dir $(wildcard src/*/main.c))))
SCRIPTS := $(filter-out $(PROGS),$(notdir $(patsubst %/,%,$(dir $(wildcard src/*/main.sh)))))

WARN = -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wundef
VERSION = 0.1.0
CPPFLAGS = -D_GNU_SOURCE -DCX_VERSION=\"$(VERSION)\" -Ilib -include cx/banned.h
CFLAGS_release = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
LDFLAGS_release = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CFLAGS_sanitize = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_sanitize = -fsanitize=address,undefined
CFLAGS_fuzz = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DCX_FUZZ
CFLAGS_valgrind = -O1 -g -fno-omit-frame-pointer
LDFLAGS_fuzz = -fsanitize=fuzzer,address,undefined
CFLAGS = -std=c17 $(WARN) $(if $(CI),-Werror) $(CFLAGS_$(MODE))
LDFLAGS = $(LDFLAGS_$(MODE))

OBJ = build/$(MODE)
BIN = $(if $(filter release,$(MODE)),bin,build/$(MODE)/bin)

CORE = err buf json name near path docker spool proc net event table display pipeline
ENGINE = http engine
STORE = store history spec follow provider verb
YAML = yaml diag
have = $(wildcard lib/cx/$(1).c)
core_o = $(patsubst lib/cx/%.c,$(OBJ)/lib/%.o,$(foreach m,$(CORE),$(call have,$(m))))
engine_o = $(patsubst lib/cx/%.c,$(OBJ)/lib/%.o,$(foreach m,$(ENGINE),$(call have,$(m))))
store_o = $(patsubst lib/cx/%.c,$(OBJ)/lib/%.o,$(foreach m,$(STORE),$(call have,$(m))))
yaml_o = $(patsubst lib/cx/%.c,$(OBJ)/lib/%.o,$(foreach m,$(YAML),$(call have,$(m))))

all: $(PROGS:%=$(BIN)/%) $(SCRIPTS:%=$(BIN)/%) ## build every program

$(OBJ)/lib/libcx-core.a: $(core_o)
$(OBJ)/lib/libcx-engine.a: $(engine_o)
$(OBJ)/lib/libcx-store.a: $(store_o)
$(OBJ)/lib/libcx-yaml.a: $(yaml_o)
$(OBJ)/lib/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(OBJ)/lib/%.o: lib/cx/%.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define program
libs_$(1) := $$(shell cat src/$(1)/LIBS 2>/dev/null)
# A program that links nothing but libcx, jansson and libyaml is linked statically: the loader would cost more than its work.
link_$(1) := $$(if $$(filter release,$$(MODE)),$$(if $$(filter-out cx-store cx-yaml,$$(libs_$(1))),,-static-pie))
pkgs_$(1) := jansson $$(filter-out cx-%,$$(libs_$(1))) $$(if $$(filter cx-engine,$$(libs_$(1))),libcurl) $$(if $$(filter cx-yaml,$$(libs_$(1))),yaml-0.1)
ar_$(1) := $$(if $$(filter cx-yaml,$$(libs_$(1))),$(OBJ)/lib/libcx-yaml.a) $$(if $$(filter cx-store,$$(libs_$(1))),$(OBJ)/lib/libcx-store.a) $$(if $$(filter cx-engine,$$(libs_$(1))),$(OBJ)/lib/libcx-engine.a) $(OBJ)/lib/libcx-core.a
obj_$(1) := $$(patsubst src/%.c,$(OBJ)/%.o,$$(wildcard src/$(1)/*.c))
$(BIN)/$(1): $$(obj_$(1)) $$(ar_$(1)) $$(wildcard src/$(1)/LIBS)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(if $$(link_$(1)),$$(filter-out -pie,$$(LDFLAGS)) $$(link_$(1)),$$(LDFLAGS)) -o $$@ $$(obj_$(1)) $$(ar_$(1)) $$$$(pkg-config --libs $$(pkgs_$(1)))
$(OBJ)/$(1)/%.o: src/$(1)/%.c Makefile
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(CPPFLAGS) $$$$(pkg-config --cflags $$(pkgs_$(1))) -Isrc/$(1) $$(CFLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach p,$(PROGS),$(eval $(call program,$(p))))

$(SCRIPTS:%=$(BIN)/%): $(BIN)/%: src/%/main.sh
	$(call say,SH,$@)
	$(Q)mkdir -p $(@D) && install -m 755 $< $@

-include $(wildcard $(OBJ)/*/*.d)

# --- tests and checks

ENGINE_DIR = $(CURDIR)/build/engine
# What dies with a killed run is cleaned up by the next: t/engine start does it first.
SUITE = t/suite

check: deps-test all units examples ## run every test against a real engine; the last line counts them
	$(Q)$(SUITE) all

check-fast: all units ## the tests that need no container engine
	$(Q)$(SUITE) fast

check-engine: all examples ## the tests that need one
	$(Q)$(SUITE) engine

.PHONY: all check check-fast check-engine lint sanitize valgrind fuzz bench deps deps-test install clean help examples

# --- unit tests in C: t/unit/NAME.c prints TAP; links all of libcx, and what its first line names: /* LINK: src/a/b.c ... */
UNITS := $(notdir $(basename $(wildcard t/unit/*.c)))
units: $(UNITS:%=$(BIN)/unit/%)
unit_link = $(shell sed -n '1s,^/\* LINK: \(.*\) \*/,\1,p' t/unit/$(1).c)
$(BIN)/unit/%: t/unit/%.c $(OBJ)/lib/libcx-store.a $(OBJ)/lib/libcx-engine.a $(OBJ)/lib/libcx-core.a $(wildcard src/cx-router/*.[ch])
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(addprefix -I,$(sort $(dir $(call unit_link,$*)))) $(CFLAGS) -o $@ $< $(call unit_link,$*) $(OBJ)/lib/libcx-store.a $(OBJ)/lib/libcx-engine.a $(OBJ)/lib/libcx-core.a $(LDFLAGS) -ljansson -lcurl

# --- the same fast tests, against programs built with ASan and UBSan
sanitize: ## run what needs no engine under AddressSanitizer and UBSan
	$(Q)$(MAKE) --no-print-directory MODE=sanitize all units
	$(Q)CX_TEST_BIN=$(CURDIR)/build/sanitize/bin $(SUITE) fast

# --- short runs under valgrind: the tests of the files below, each program wrapped
VALGRIND_TESTS ?= cx cx-apps cx-releases cx-services cx-seal cx-mint cx-converge cx-uninstall
valgrind: ## run a few test files with every program under valgrind
	$(Q)$(MAKE) --no-print-directory MODE=valgrind all
	$(Q)t/valgrind build/valgrind $(VALGRIND_TESTS:%=t/%.bats)

# --- libFuzzer: t/fuzz/NAME.c, whose first line names what it links: /* LINK: src/a/b.c ... PKG: pkg ... */
FUZZERS := $(notdir $(basename $(wildcard t/fuzz/*.c)))
FUZZ_SECONDS ?= 20
fuzz: $(FUZZERS:%=build/fuzz/%) ## run every fuzz target for FUZZ_SECONDS (20) each
	$(Q)for f in $(FUZZERS); do mkdir -p build/fuzz/corpus/$$f t/corpus/$$f; \
		echo "fuzz $$f"; build/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/ build/fuzz/corpus/$$f t/corpus/$$f > build/fuzz/$$f.log 2>&1 || { tail -30 build/fuzz/$$f.log; exit 1; }; \
		grep -h -E 'number_of_executed_units|DONE' build/fuzz/$$f.log; done
fuzz_link = $(shell sed -n 's,^/\* LINK: \(.*\) PKG:.*,\1,p' t/fuzz/$(1).c)
fuzz_pkg = $(shell sed -n 's,^.* PKG: *\(.*\) \*/,\1,p' t/fuzz/$(1).c)
FUZZ_LIB = $(wildcard lib/cx/*.c)
build/fuzz/%: t/fuzz/%.c $(wildcard lib/cx/*.c) $(wildcard src/*/*.c)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && clang $(CPPFLAGS) $(addprefix -I,$(sort $(dir $(call fuzz_link,$*)))) -std=c17 $(CFLAGS_fuzz) -o $@ $< $(call fuzz_link,$*) $(FUZZ_LIB) \
		$$(pkg-config --cflags --libs jansson libcurl yaml-0.1 $(call fuzz_pkg,$*)) $(LDFLAGS_fuzz)

# --- lint
LINT_C = $(wildcard lib/cx/*.c src/*/*.c)
LINT_H = $(wildcard lib/cx/*.h src/*/*.h)
LINT_SH = $(wildcard src/*/main.sh t/engine t/suite t/corpus-init t/valgrind t/bench/*.sh share/cx/demo share/cx/*/*.sh .ci/run)
lint: ## compilers, clang-tidy, cppcheck, shellcheck, mandoc, --help equals SYNOPSIS
	$(Q)t/lint $(LINT_C) -- $(LINT_H) -- $(LINT_SH)

bench: all ## speed, side by side with the peers; prints the table of doc/performance.md
	$(Q)t/bench/run.sh
	$(Q)t/bench/router.sh
	$(Q)t/bench/dns.sh

bench-router: all ## cx-router beside HAProxy, nginx and Caddy; BENCH_QUICK=1 for a short run
	$(Q)t/bench/router.sh

bench-dns: all ## cx-dns beside Knot, NSD and dnsmasq; BENCH_QUICK=1 for a short run
	$(Q)t/bench/dns.sh

conformance: all ## suites that others wrote, against cx-router; writes doc/conformance.md
	$(Q)t/conformance/run.sh
.PHONY: bench-router bench-dns conformance deps-bench

# --- packages, Debian 12
DEPS_BUILD = gcc make pkg-config libjansson-dev libcurl4-openssl-dev libssl-dev libyaml-dev libarchive-dev libknot-dev libnghttp2-dev
DEPS_RUN = docker.io iptables iproute2 ca-certificates curl jq
DEPS_TEST = bats clang clang-tidy clang-format libclang-rt-14-dev cppcheck shellcheck mandoc python3 python3-jsonschema python3-yaml node-yaml yq \
	busybox-static hyperfine bind9-dnsutils libnss3-tools python3-h2 openssl valgrind git procps parallel bsdextrautils docker-compose \
	ldnsutils knot-dnsutils python3-dnspython
# The peers of `make bench`, and the suites of `make conformance` that Debian has. Not part of deps-test: some start daemons.
DEPS_BENCH = haproxy nginx-light caddy wrk nghttp2-client nghttp2-server knot nsd dnsmasq-base dnsperf \
	testssl.sh python3-grpcio python3-h2 python3-websockets python3-autobahn python3-dnspython ldnsutils golang-go chromium
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
need = for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || printf '%s ' $$p; done
define install_missing
	$(Q)missing=$$($(call need,$(1))); [ -z "$$missing" ] || { echo "installing: $$missing"; \
		$(SUDO) sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends '"$$missing" >build-deps.log 2>&1 \
		|| { tail -5 build-deps.log; exit 111; }; rm -f build-deps.log; }
endef
deps: ## install the Debian packages that building and running need
	$(call install_missing,$(DEPS_BUILD) $(DEPS_RUN))
deps-test: ## and those that tests need
	$(call install_missing,$(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST))
deps-bench: ## and the peers and suites of bench and conformance
	$(call install_missing,$(DEPS_BENCH))

install: all ## install under $(DESTDIR)$(prefix)
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/share
	install -m 755 $(PROGS:%=bin/%) $(SCRIPTS:%=bin/%) $(DESTDIR)$(prefix)/bin
	cp -R share/cx $(DESTDIR)$(prefix)/share/
	for s in 1 5 7 8; do install -d $(DESTDIR)$(prefix)/share/man/man$$s; \
		for f in doc/*.$$s; do [ ! -f $$f ] || install -m 644 $$f $(DESTDIR)$(prefix)/share/man/man$$s; done; done

clean: ## remove what was built
	rm -rf build bin/cx*

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sort | awk -F'\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'

format: ## lay out the C source with clang-format
	$(Q)clang-format -i $(LINT_C) $(LINT_H)
.PHONY: format units

# --- the reference part of convox.yml(5), from the schema
doc/convox.yml.5: share/cx/schema/convox.json share/cx/schema/convox.yml.5.jq ## make the key reference of convox.yml(5) anew
	$(call say,DOC,$@)
	$(Q)sed '/^\.\\" BEGIN/q' $@ > $@.new && jq -rf share/cx/schema/convox.yml.5.jq $< >> $@.new && sed -n '/^\.\\" END/,$$p' $@ >> $@.new && mv $@.new $@

corpus: all ## the parser against a folder of other people's files: make corpus CORPUS=DIR writes doc/corpus.md
	$(Q)[ -d "$(CORPUS)" ] || { echo "make corpus CORPUS=DIR: a folder with convox/, compose/ and procfile/"; exit 100; }
	$(Q)t/schema/corpus $(CORPUS) > doc/corpus.md
.PHONY: corpus

# --- the example app and the demo

HELLO = share/cx/examples/hello
HELLO_OUT = build/examples/hello
HELLO_C = -std=c17 -O2 -g0 -D_GNU_SOURCE -Wall -Wextra -static -s -pthread -Wl,--no-warnings

examples: $(HELLO_OUT)/web/web $(HELLO_OUT)/api/api $(HELLO_OUT)/convox.yml ## compile the example, ready to deploy in build/examples/hello

$(HELLO_OUT)/convox.yml: $(HELLO)/convox.yml $(wildcard $(HELLO)/*/Dockerfile) $(HELLO)/web/greeting
	$(Q)mkdir -p $(HELLO_OUT)/web $(HELLO_OUT)/api && cp -p $(HELLO)/web/Dockerfile $(HELLO)/web/greeting $(HELLO_OUT)/web/ && \
		cp -p $(HELLO)/api/Dockerfile $(HELLO_OUT)/api/ && cp $(HELLO)/convox.yml $@

# Static, so that the image needs nothing else. glibc's resolver alone needs no NSS.
$(HELLO_OUT)/web/web: $(addprefix $(HELLO)/src/,web.c fetch.c serve.c fetch.h serve.h)
	$(call say,STATIC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HELLO_C) -o $@ $(filter %.c,$^) -lssl -lcrypto -lresolv
$(HELLO_OUT)/api/api: $(addprefix $(HELLO)/src/,api.c serve.c serve.h)
	$(call say,STATIC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(HELLO_C) -o $@ $(filter %.c,$^)

demo: deps-demo ## install a rack of its own, deploy the example, and prove that it works
	$(Q)$(MAKE) --no-print-directory all examples
	$(Q)share/cx/demo

deps-demo:
	$(call install_missing,$(DEPS_BUILD) $(DEPS_RUN) bind9-dnsutils)

demo-clean: ## remove all that the demo made, and prove it
	$(Q)share/cx/demo clean

.PHONY: demo demo-clean deps-demo examples
