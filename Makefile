# slotd: build, test, demo, bench, install. `make help` says what each target does.
#
# VARIANT=release (default) | asan | tsan | debug chooses the compiler's flags and the folder below build/.

VARIANT ?= release
CC = gcc
PREFIX ?= /usr/local

VERSION = 0.1.0

OUT_release = build
OUT_debug = build/debug
OUT_asan = build/asan
OUT_tsan = build/tsan
OUT := $(OUT_$(VARIANT))

FLAGS_release = -O3 -g -fno-omit-frame-pointer
FLAGS_debug = -O0 -g3
FLAGS_asan = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DSLOTD_SANITIZE
FLAGS_tsan = -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DSLOTD_SANITIZE

CFLAGS = -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -Wno-unused-parameter -D_GNU_SOURCE -DSLOTD_VERSION='"$(VERSION)"' \
	-I. -pthread $(FLAGS_$(VARIANT))
LDFLAGS = -pthread $(FLAGS_$(VARIANT))

# The sanitizers bring an allocator of their own.
JEMALLOC_release = -ljemalloc
JEMALLOC_debug = -ljemalloc
JEMALLOC := $(JEMALLOC_$(VARIANT))

COMMON_LIBS = -lm
SERVER_LIBS = -levent_core -levent_pthreads -llzf $(JEMALLOC) $(COMMON_LIBS)
CONSOLE_LIBS = -levent_core -levent_extra -lhiredis -ljansson -lncursesw -ltinfo $(COMMON_LIBS)

COMMON_SRC := $(sort $(wildcard common/*.c))
SERVER_SRC := $(sort $(wildcard server/*.c server/*/*.c server/*/*/*.c))
CONSOLE_SRC := $(sort $(wildcard console/*.c console/*/*.c))

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
COMMON_OBJ := $(call objects,$(COMMON_SRC))
SERVER_OBJ := $(call objects,$(SERVER_SRC))
CONSOLE_OBJ := $(call objects,$(CONSOLE_SRC))

.PHONY: all
all: $(OUT)/slotd $(OUT)/slotctl ## build slotd and slotctl into build/

$(OUT)/slotd: $(SERVER_OBJ) $(COMMON_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)

$(OUT)/slotctl: $(CONSOLE_OBJ) $(COMMON_OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(CONSOLE_LIBS)

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

# Tests: each tests/unit/NAME.c is one Criterion program over the objects of both programs' rooms
# (all but their main); tests of real processes link only common/ and hiredis.

UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(UNIT_SRC))
LIB_OBJ := $(filter-out $(OUT)/obj/server/main.o $(OUT)/obj/console/main.o,$(COMMON_OBJ) $(SERVER_OBJ))

$(OUT)/tests/libserver.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o $(OUT)/tests/libserver.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< $(OUT)/tests/libserver.a -lcriterion $(SERVER_LIBS)

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests
	@failed=0; for t in $(UNIT_BIN); do $$t || failed=1; done; exit $$failed

.PHONY: deps
deps: ## install what the build and the tests need (Debian packages; root or sudo)
	tests/tool/deps

.PHONY: format
format: ## format the sources with clang-format
	clang-format -i $(shell git ls-files '*.c' '*.h')

.PHONY: clean
clean: ## remove what was built
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
