# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. One non-recursive file; everything built lies under $(BUILD).

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
comma := ,
VERSION := 0.1.0

BUILD ?= build
ifneq ($(words $(BUILD)),1)
$(error BUILD="$(BUILD)": a folder without spaces in its name, please)
endif
PREFIX ?= /usr/local
DESTDIR ?=
CRIU_PREFIX ?= /opt/dunlin/criu
UNITDIR ?= $(PREFIX)/lib/systemd/system
APPARMOR_DIR ?= /etc/apparmor.d
PYTHON ?= /usr/bin/python3
CC ?= gcc
# SAN=address,undefined builds with sanitizers, into objects and programs of their own.
SAN ?=
V ?= 0
Q := $(if $(filter 0,$(V)),@,)

PACKAGES := libuv openssl jansson sqlite3 libarchive dqlite lxc libseccomp yaml-0.1
FLAVOUR := $(if $(SAN),-$(subst $(comma),-,$(SAN)))
OBJ := $(BUILD)/obj$(FLAVOUR)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wformat=2 -Wvla -Wimplicit-fallthrough -Wwrite-strings -Wundef -Wno-unused-parameter
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE
OPTIMIZE := $(if $(SAN),-O1 -fno-omit-frame-pointer,-O2 -D_FORTIFY_SOURCE=2)
CFLAGS ?= -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. -DDUNLIN_VERSION='"$(VERSION)"' \
	-DCRIU_PREFIX='"$(CRIU_PREFIX)"' -DDUNLIN_PREFIX='"$(PREFIX)"' \
	-DAPPARMOR_DIR='"$(APPARMOR_DIR)"' -pthread \
	$(WARN) $(if $(WERROR),-Werror) $(HARDEN) $(OPTIMIZE) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined) $(LIB_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,--as-needed -pthread $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
LIB_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
DAEMON_LIBS = $(shell pkg-config --libs $(PACKAGES)) -lwslay
CLI_LIBS = $(shell pkg-config --libs openssl jansson yaml-0.1) -lwslay

# The folders are listed once, for the lint as well.
ROOMS := $(shell sed -n 's|^\([a-z/]*\):.*|\1|p' tests/lint/rooms.txt)
sources = $(wildcard $(addsuffix /*.c,$(filter $(1) $(1)/%,$(ROOMS))))
BASE_SRC := $(call sources,base)
ROOMS_SRC := $(filter-out node/daemon/dunlind.c node/hook/%,$(foreach layer,node cluster scheduler migrate api,$(call sources,$(layer))))
CLI_SRC := $(call sources,cli)
UNIT_SRC := $(wildcard $(patsubst %,tests/unit/%/test_*.c,$(ROOMS)))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
ALL_SRC := $(BASE_SRC) $(ROOMS_SRC) $(CLI_SRC) $(UNIT_SRC) $(FUZZ_SRC) node/daemon/dunlind.c

obj = $(patsubst %.c,$(OBJ)/%.o,$(1))
DUNLIND := $(BUILD)/dunlind$(FLAVOUR)
DUNLIN := $(BUILD)/dunlin$(FLAVOUR)
# Tiny static programs that run beside containers; never sanitized, so that both flavours share them.
HOOKS := $(patsubst %,$(BUILD)/dunlin-%,$(subst _,-,$(patsubst node/hook/%.c,%,$(wildcard node/hook/*.c))))
UNIT_BIN := $(addprefix $(BUILD)/unit$(FLAVOUR)/,$(subst /,-,$(patsubst tests/unit/%.c,%,$(UNIT_SRC))))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz$(FLAVOUR)/%,$(FUZZ_SRC))

all: $(DUNLIND) $(DUNLIN) $(HOOKS) ## build dunlind and dunlin

$(DUNLIND): $(call obj,node/daemon/dunlind.c $(ROOMS_SRC) $(BASE_SRC))
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(DUNLIN): $(call obj,$(CLI_SRC) $(BASE_SRC))
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLI_LIBS)

.SECONDEXPANSION:
$(BUILD)/dunlin-%: node/hook/$$(subst -,_,$$*).c
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -I. $(WARN) $(if $(WERROR),-Werror) -Os -static -o $@ $(filter %.c,$^)

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# A second compiler's: `make warnings CC=clang`. Eight files a process.
warnings: ## what the compiler says of all sources of both programs, without making anything
	$(Q)printf '%s\n' $(filter-out tests/%,$(ALL_SRC)) $(wildcard node/hook/*.c) | \
		xargs -n 8 -P $(shell nproc) $(CC) $(ALL_CFLAGS) -fsyntax-only

# Unit tests and fuzz targets take from an archive what they use. The command's objects are in a
# second one: both programs have a main-level vocabulary of their own.
$(OBJ)/rooms.a: $(call obj,$(ROOMS_SRC) $(BASE_SRC))
	$(Q)rm -f $@ && ar qcs $@ $^

$(OBJ)/cli.a: $(call obj,$(filter-out cli/main.c,$(CLI_SRC)))
	$(Q)rm -f $@ && ar qcs $@ $^

$(BUILD)/unit$(FLAVOUR)/%: $(OBJ)/tests/unit/$$(subst -,/,$$*).o $(OBJ)/rooms.a $(OBJ)/cli.a
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group $(OBJ)/rooms.a $(OBJ)/cli.a -Wl,--end-group \
		$(DAEMON_LIBS) -lcmocka

$(BUILD)/fuzz$(FLAVOUR)/%: $(OBJ)/tests/fuzz/%.o $(OBJ)/tests/fuzz/replay.o $(OBJ)/rooms.a
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

-include $(patsubst %.c,$(OBJ)/%.d,$(ALL_SRC) tests/fuzz/replay.c)

# --- everything a newcomer needs

deps: ## install every package that building, running and testing need (root)
	@CRIU_PREFIX=$(CRIU_PREFIX) sh tests/lib/deps.sh

demo: deps ## three members on this host, a container moved live under TCP traffic (root)
	@$(MAKE) --no-print-directory -j$(shell nproc) all
	@$(PYTHON) tests/lib/demo.py up

demo-down: ## remove every trace of the demo
	@$(PYTHON) tests/lib/demo.py down

check: deps ## lint, unit and integration tests, with sanitizers (root)
	@PYTHON=$(PYTHON) BUILD=$(BUILD) sh tests/lib/check.sh

# --- the parts of check

SAN_MAKE = $(MAKE) --no-print-directory SAN=address,undefined

lint: all ## rooms, circles, sizes, banned calls, tables that nobody reads, what documents say
	@CC=$(CC) CFLAGS="-std=gnu11 -D_GNU_SOURCE -Werror=implicit-function-declaration $(LIB_CFLAGS)" \
		OBJECTS=$(OBJ) $(PYTHON) tests/lint/tidy.py

$(BUILD)/dunlin-console-holder: node/console/wire.h
$(BUILD)/dunlin-criu-hook: node/criu/tcp_left.c node/criu/tcp_left.h node/host/owner.h

docs: ## the pages that are made of tables
	@mkdir -p $(BUILD)
	@$(PYTHON) tests/lint/keys.py > $(BUILD)/keys.md
	@cmp -s $(BUILD)/keys.md docs/reference/keys.md || cp $(BUILD)/keys.md docs/reference/keys.md

unit-bins: $(UNIT_BIN) $(HOOKS)
fuzz-bins: $(FUZZ_BIN)
unit: ## unit tests under the sanitizers
	@$(SAN_MAKE) unit-bins
	@sh tests/lib/unit.sh $(BUILD)/unit-address-undefined

replay: ## replay the fuzzers' corpora under the sanitizers
	@$(SAN_MAKE) fuzz-bins
	@sh tests/lib/replay.sh $(BUILD)/fuzz-address-undefined

integration: all ## integration tests on real containers (root)
	@BUILD=$(BUILD) PYTHON=$(PYTHON) sh tests/lib/integration.sh

fuzz-%: ## fuzz-NAME: run one fuzz target for a minute (clang)
	@mkdir -p $(BUILD)/libfuzzer
	$(Q)clang $(filter-out -fstack-clash-protection,$(ALL_CFLAGS)) -fsanitize=fuzzer,address,undefined \
		-o $(BUILD)/libfuzzer/$* tests/fuzz/fuzz_$*.c $(BASE_SRC) $(ROOMS_SRC) $(DAEMON_LIBS)
	@mkdir -p $(BUILD)/libfuzzer/corpus-$*
	$(BUILD)/libfuzzer/$* -max_total_time=60 $(BUILD)/libfuzzer/corpus-$* tests/fuzz/corpus/$*

bench: all ## the figures, as ratios against a baseline of the same run (root)
	@BUILD=$(BUILD) $(PYTHON) bench/run.py

vm-check: ## a stock Debian host in QEMU: install, limits, AppArmor, reboot (root; docs/hosts.md)
	@/usr/bin/python3 tests/vm/check.py

install: all ## into $(DESTDIR)$(PREFIX), with systemd units and an AppArmor profile
	install -D -m 755 $(DUNLIND) "$(DESTDIR)$(PREFIX)/bin/dunlind"
	install -D -m 755 $(DUNLIN) "$(DESTDIR)$(PREFIX)/bin/dunlin"
	install -d "$(DESTDIR)$(PREFIX)/libexec/dunlin" "$(DESTDIR)$(UNITDIR)"
	install -m 755 $(HOOKS) "$(DESTDIR)$(PREFIX)/libexec/dunlin"
	install -m 755 node/criu/criu-get.sh "$(DESTDIR)$(PREFIX)/libexec/dunlin/criu-get"
	install -D -m 644 node/container/dunlin-container.apparmor "$(DESTDIR)$(APPARMOR_DIR)/dunlin-container"
	for unit in dunlind dunlind-instances; do \
		sed -e 's|@BINDIR@|$(PREFIX)/bin|g' -e 's|/opt/dunlin/criu|$(CRIU_PREFIX)|g' node/daemon/$$unit.service \
			> "$(DESTDIR)$(UNITDIR)/$$unit.service" || exit 1; \
	done

clean: ## remove everything built
	rm -rf $(BUILD)

help: ## this list
	@awk -F':.*## ' '/^[a-z%-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: all deps demo demo-down check lint docs unit unit-bins replay fuzz-bins integration bench vm-check install warnings clean help
