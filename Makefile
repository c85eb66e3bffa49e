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
SERVER_LIBS = -levent_core -levent_pthreads -lcrypto -llzf -llua5.1-cjson -llua5.1 $(JEMALLOC) $(COMMON_LIBS)
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

# Tests. Each tests/unit/NAME.c is one Criterion program over the objects of both programs' rooms (all but
# their main), built in every variant. The tests of real processes link only common/ and the tests'
# library, are built once, and run against the servers of all variants: $SERVER names the one.

UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(UNIT_SRC))
SUPPORT_OBJ := $(call objects,$(sort $(wildcard tests/support/*.c)))
LIB_OBJ := $(filter-out $(OUT)/obj/server/main.o $(OUT)/obj/console/main.o,$(COMMON_OBJ) $(SERVER_OBJ))

CONSOLE_LIB_OBJ := $(filter-out $(OUT)/obj/console/main.o,$(CONSOLE_OBJ) $(COMMON_OBJ))

programs = $(patsubst tests/%.c,$(OUT_release)/tests/%,$(sort $(wildcard tests/$(1)/*.c)))
INTEGRATION_BIN := $(call programs,integration)
FAULT_BIN := $(call programs,fault)
INTEROP_BIN := $(call programs,interop)
CONSOLE_BIN := $(call programs,console)
BENCH_BIN := $(call programs,bench)

$(OUT)/tests/libserver.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/tests/libsupport.a: $(SUPPORT_OBJ) $(COMMON_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

# tests/support/patience.c, which nobody calls.
PATIENCE = -Wl,-u,patience_is_linked

# Criterion keeps its tests' data at an address that the thread sanitizer forbids; tests/tool/tsan.c
# lets it choose another.
UNIT_EXTRA_tsan = $(OUT)/obj/tests/tool/tsan.o

$(OUT)/tests/unit/%: $(OUT)/obj/tests/unit/%.o $(OUT)/tests/libserver.a $(OUT)/tests/libsupport.a \
		$(UNIT_EXTRA_$(VARIANT))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(PATIENCE) -o $@ $< $(UNIT_EXTRA_$(VARIANT)) $(OUT)/tests/libsupport.a \
		$(OUT)/tests/libserver.a -lcriterion -lhiredis $(SERVER_LIBS)

# tests/unit/console_NAME.c are of the console's rooms.
$(OUT)/tests/libconsole.a: $(CONSOLE_LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/tests/unit/console_%: $(OUT)/obj/tests/unit/console_%.o $(OUT)/tests/libconsole.a \
		$(UNIT_EXTRA_$(VARIANT))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< $(UNIT_EXTRA_$(VARIANT)) $(OUT)/tests/libconsole.a -lcriterion $(CONSOLE_LIBS)

define process_test
$(OUT_release)/tests/$(1)/%: $(OUT_release)/obj/tests/$(1)/%.o $(OUT_release)/tests/libsupport.a
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) $$(PATIENCE) -o $$@ $$< $(OUT_release)/tests/libsupport.a -lcriterion -lhiredis $$(LIBS_$(1)) \
		$$(COMMON_LIBS)
endef
LIBS_console = -ljansson
$(foreach kind,integration fault interop console bench,$(eval $(call process_test,$(kind))))

# The server and the console under test: SERVER=redis-server asks Debian's what it says to the same tests.
SERVER ?= $(OUT)/slotd
CONSOLE ?= $(OUT)/slotctl
export SERVER CONSOLE
RUN = tests/tool/run-tests
BUILT = $(MAKE) --no-print-directory -j2

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests
	$(RUN) -g unit -a -j2 $(UNIT_BIN)

.PHONY: integration
integration: $(INTEGRATION_BIN) ## the walks of a person: clusters of real processes, killed and restarted
	$(RUN) -j 3 -g integration -t 240 -a -j2 $^

.PHONY: fault
fault: $(FAULT_BIN) ## bad disks, bad files, bad clients, power cuts
	$(RUN) -j 3 -g fault -t 240 -a -j2 $^

.PHONY: interop
interop: $(INTEROP_BIN) ## the same commands to redis-server and to slotd; mixed clusters
	$(RUN) -j 3 -g interop -t 240 -a -j4 $^ -a "" tests/tool/command-table

.PHONY: console-tests
console-tests: $(CONSOLE_BIN) ## the console, driven as a person and as a script would
	$(RUN) -j 2 -g console -t 240 -a -j1 $^

.PHONY: test-programs
test-programs: $(UNIT_BIN) $(INTEGRATION_BIN) $(FAULT_BIN) $(INTEROP_BIN) $(CONSOLE_BIN)

.PHONY: test
test: deps ## install what is missing, build, run all tests; ends with "N passed, N failed"
	$(BUILT) all test-programs
	$(BUILT) VARIANT=asan fuzz-programs
	$(RUN) -j 5 -g unit -a -j2 $(UNIT_BIN) \
		-g integration -t 240 -a -j2 $(INTEGRATION_BIN) \
		-g fault -t 240 -a -j2 $(FAULT_BIN) \
		-g interop -t 240 -a -j4 $(INTEROP_BIN) -a "" tests/tool/command-table \
		-g console -t 240 -a -j1 $(CONSOLE_BIN) \
		-g fuzz -a "" $(FUZZ_RUNS)

# What the sanitizers' builds run; their servers are slower, and the tests' limits are stretched.
.PHONY: check-programs
check-programs: $(OUT)/slotd $(UNIT_BIN)

# Criterion starts a process for each test; other programs that a test starts are not looked at.
VALGRIND = valgrind -q --trace-children=yes --trace-children-skip=*/redis-*,*/sh,*/bash \
	--suppressions=$(CURDIR)/tests/tool/valgrind.supp \
	--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
	--log-file=REPORTS/valgrind.%p

.PHONY: check
check: deps ## unit and integration tests under address+undefined, then thread sanitizer; unit tests under valgrind
	$(BUILT) VARIANT=release all test-programs
	$(BUILT) VARIANT=asan check-programs
	$(BUILT) VARIANT=tsan check-programs
	$(RUN) -j 3 \
		-g asan-unit -a -j2 -e TEST_SLOWNESS=2 $(call variant_units,asan) \
		-g asan-integration -t 300 -a -j2 -e SERVER=$(OUT_asan)/slotd -e TEST_SLOWNESS=2 \
			$(INTEGRATION_BIN) $(FAULT_BIN) \
		-g tsan-unit -t 240 -a -j2 -e TEST_SLOWNESS=6 $(call variant_units,tsan) \
		-g tsan-integration -t 600 -a -j1 -e SERVER=$(OUT_tsan)/slotd -e TEST_SLOWNESS=4 \
			$(INTEGRATION_BIN) \
		-g valgrind-unit -t 600 -a -j1 -e TEST_SLOWNESS=20 -w "$(VALGRIND)" $(UNIT_BIN)

variant_units = $(patsubst tests/unit/%.c,$(OUT_$(1))/tests/unit/%,$(UNIT_SRC))

# Fuzzers: each tests/fuzz/NAME.c has LLVMFuzzerTestOneInput; its corpus is tests/fuzz/corpus/NAME/. Here they
# only run through the corpus, under the sanitizers.
FUZZ_SRC := $(filter-out tests/fuzz/corpus_main.c,$(sort $(wildcard tests/fuzz/*.c)))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(OUT)/tests/fuzz/%,$(FUZZ_SRC))
FUZZ_RUNS := $(foreach name,$(patsubst tests/fuzz/%.c,%,$(FUZZ_SRC)),\
	"$(OUT_asan)/tests/fuzz/$(name) tests/fuzz/corpus/$(name)")

$(OUT)/tests/fuzz/%: $(OUT)/obj/tests/fuzz/%.o $(OUT)/obj/tests/fuzz/corpus_main.o \
		$(OUT)/tests/libsupport.a $(OUT)/tests/libserver.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_BIN)

.PHONY: fuzz-corpus
fuzz-corpus: ## run the fuzzers' corpora through the parsers, under the sanitizers
	$(BUILT) VARIANT=asan fuzz-programs
	$(RUN) -g fuzz $(FUZZ_RUNS)

.PHONY: bench
bench: all $(BENCH_BIN) ## slotd beside redis-server: CPU a request, throughput, bytes a key (BENCH_QUICK=1: shorter)
	tests/bench/run

.PHONY: demo
demo: deps ## six nodes on 127.0.0.1:7001-7006 with sample data, and the dashboard; DEMO_PORT=7101: other ports
	@echo "building what has changed"
	@$(BUILT) -s all
	@tests/tool/demo

.PHONY: demo-stop
demo-stop: $(OUT)/slotctl ## stop the nodes of the demo; their data stays in ./demo
	@tests/tool/demo stop

# For packages: DESTDIR goes before all paths. The unit names the program by its path.
BINDIR = $(DESTDIR)$(PREFIX)/bin
SHAREDIR = $(DESTDIR)$(PREFIX)/share
UNITDIR = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(DESTDIR)$(PREFIX)/lib/sysusers.d
COMPLETIONDIR = $(SHAREDIR)/bash-completion/completions

.PHONY: install
install: all ## install below PREFIX (/usr/local): programs, slotd.conf, systemd unit, completion of bash
	install -D -m 755 $(OUT)/slotd $(BINDIR)/slotd
	install -D -m 755 $(OUT)/slotctl $(BINDIR)/slotctl
	install -D -m 644 conf/slotd.conf $(SHAREDIR)/slotd/slotd.conf
	install -D -m 644 conf/slotctl.bash-completion $(COMPLETIONDIR)/slotctl
	install -D -m 644 conf/slotd.sysusers $(SYSUSERSDIR)/slotd.conf
	install -d $(UNITDIR)
	sed 's|/usr/local/bin|$(PREFIX)/bin|' conf/slotd@.service >$(UNITDIR)/slotd@.service
	chmod 644 $(UNITDIR)/slotd@.service

.PHONY: uninstall
uninstall: ## remove what install has put there; configuration and data stay
	rm -f $(BINDIR)/slotd $(BINDIR)/slotctl $(COMPLETIONDIR)/slotctl $(SYSUSERSDIR)/slotd.conf \
		$(UNITDIR)/slotd@.service
	rm -rf $(SHAREDIR)/slotd

.PHONY: screenshots
screenshots: all ## pictures of the dashboard, from a real terminal on a real cluster, into screenshots/
	tests/tool/screenshots

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
