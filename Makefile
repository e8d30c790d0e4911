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

include mk/check.mk
include mk/demo.mk
