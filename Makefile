# tagline: make, make demo, make check, make crash. See README.md.
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
SHARE   ?= $(PREFIX)/share/tagline
CC      ?= cc
B       ?= build
CFLAGS  ?= -O3 -g
WARN     = -Wall -Wextra -Wshadow -Wswitch-enum -Werror
SAN      = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib $(WARN) $(CFLAGS) $(if $(SANITIZE),$(SAN)) $(if $(ENGINE),-fsanitize=fuzzer-no-link)
LINK     = $(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@

# A folder is a process: its sources make one program. A filter is one file of filters/.
LIB      = $B/libtagline.a
FILTERS  = $(patsubst filters/%.c,$B/tl-%,$(wildcard filters/*.c))
PROGRAMS = $B/tl-router $B/tl-supervisor $B/tl-dashboard
UNITS    = $(patsubst tests/unit/%.c,$B/unit-%,$(wildcard tests/unit/*.c))
FUZZERS  = $(patsubst tests/fuzz/%.c,$B/fuzz-%,$(filter-out %/driver.c,$(wildcard tests/fuzz/*.c)))
INSTALL  = $(filter-out $B/tl-template,$(FILTERS)) $(PROGRAMS)
MAN1     = $(filter-out filters/template.1,$(wildcard filters/*.1)) $(wildcard router/*.1 supervisor/*.1 dashboard/*.1)
SERVICES = $(patsubst scripts/services/%,%,$(wildcard $(addprefix scripts/services/,*/* */log/run)))
objects  = $(patsubst %.c,$B/%.o,$(wildcard $1/*.c))

all: $(LIB) $(FILTERS) $(PROGRAMS)

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(call objects,lib)
	$(AR) rcs $@ $^

$(FILTERS): $B/tl-%: $B/filters/%.o $(LIB)
	$(LINK) $^ -lpcre2-8

$B/tl-router: $(call objects,router) $(LIB)
	$(LINK) $^ -lz -lzstd -llzma -lseccomp -lxxhash

$B/tl-supervisor: $(call objects,supervisor) $(LIB)
	$(LINK) $^ -linotifytools -ljansson -lmd

$B/tl-dashboard: $(call objects,dashboard) $(LIB)
	$(LINK) $^ -ljansson -lncursesw -lm

# What the parts of any program may need.
PARTS_LIBS = -linotifytools -ljansson -lmd -lncursesw -lpcre2-8 -lz -lzstd -llzma -lseccomp -lxxhash -lm

# A unit test PROGRAM-WHAT.c drives the parts of that program without its main; others, the library.
.SECONDEXPANSION:
program = $(firstword $(subst -, ,$1))
parts = $(filter-out $B/$1/main.o,$(call objects,$1))
$(UNITS): $B/unit-%: $B/tests/unit/%.o $$(call parts,$$(call program,$$*)) $(LIB)
	$(LINK) $^ $(PARTS_LIBS) -lcmocka

# A fuzz target likewise; without an engine, with a driver that feeds it the inputs of its corpus.
$(FUZZERS): $B/fuzz-%: $B/tests/fuzz/%.o $$(if $(ENGINE),,$B/tests/fuzz/driver.o) $$(call parts,$$(call program,$$*)) $(LIB)
	$(LINK) $(if $(ENGINE),-fsanitize=fuzzer) $^ $(PARTS_LIBS)

demo:
	scripts/setup
	$(MAKE) all
	scripts/demo

check:
	scripts/setup --test
	$(MAKE) all units
	scripts/check

units: $(UNITS) $(FUZZERS)

# For TIME seconds a target (60), or only some: make fuzz TIME=600 TARGETS='card text'
fuzz:
	scripts/setup --test
	$(MAKE) B=build-fuzz CC=clang SANITIZE=1 ENGINE=1 CFLAGS='-O1 -g' fuzzers
	TIME=$(TIME) scripts/fuzz $(TARGETS)

fuzzers: $(FUZZERS)

lint:
	scripts/lint

# All tests with every process of ours under valgrind, or some: make memcheck TESTS=tests/router.bats
memcheck:
	scripts/setup --test
	$(MAKE) B=build-memcheck/built CFLAGS='-O1 -g -DHELLO_SECONDS=30' all units
	scripts/memcheck $(TESTS)

# Hours of kills, errors and power cuts in half an hour; some of it needs root. See scripts/crash.
crash:
	scripts/setup --test
	$(MAKE) all
	scripts/crash

bench:
	scripts/setup --bench
	$(MAKE) all
	scripts/bench

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7
	install $(INSTALL) $(DESTDIR)$(BINDIR)
	install scripts/report $(DESTDIR)$(BINDIR)/tl-report
	install -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib
	install -m 644 lib/tagline.h $(DESTDIR)$(PREFIX)/include
	for m in $(MAN1); do install -m 644 $$m $(DESTDIR)$(MANDIR)/man1/tl-$$(basename $$m | sed 's/^tl-//') || exit 1; done
	install -m 644 $(wildcard */*.3) $(DESTDIR)$(MANDIR)/man3
	install -m 644 $(wildcard */*.5) $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(wildcard */*.7) $(DESTDIR)$(MANDIR)/man7
	for f in $(filter-out %/log,$(SERVICES)); do test -x scripts/services/$$f && mode=755 || mode=644; \
	    install -D -m $$mode scripts/services/$$f $(DESTDIR)$(SHARE)/$$f && \
	    sed -i 's|@BINDIR@|$(BINDIR)|' $(DESTDIR)$(SHARE)/$$f || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d
	sed 's|@BINDIR@|$(BINDIR)|' scripts/services/tagline@.service \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/system/tagline@.service
	install -m 644 scripts/services/tagline.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/tagline.conf
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(shell sed -n 's/.*TL_VERSION *"\(.*\)"/\1/p' lib/tagline.h)|' \
	    lib/tagline.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/tagline.pc

uninstall:
	cd $(DESTDIR)$(BINDIR) && rm -f $(notdir $(INSTALL)) tl-report
	rm -f $(DESTDIR)$(PREFIX)/lib/libtagline.a $(DESTDIR)$(PREFIX)/lib/pkgconfig/tagline.pc
	rm -f $(DESTDIR)$(PREFIX)/include/tagline.h $(DESTDIR)$(PREFIX)/lib/sysusers.d/tagline.conf
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/tagline@.service
	rm -rf $(DESTDIR)$(SHARE)/runit $(DESTDIR)$(SHARE)/s6
	cd $(DESTDIR)$(MANDIR)/man1 && rm -f $(patsubst tl-tl-%,tl-%,$(addprefix tl-,$(notdir $(MAN1))))
	cd $(DESTDIR)$(MANDIR)/man3 && rm -f $(notdir $(wildcard */*.3))
	cd $(DESTDIR)$(MANDIR)/man5 && rm -f $(notdir $(wildcard */*.5))
	cd $(DESTDIR)$(MANDIR)/man7 && rm -f $(notdir $(wildcard */*.7))

clean:
	rm -rf build build-*

.PHONY: all demo check units fuzz fuzzers lint memcheck crash bench install uninstall clean
.SECONDARY:
-include $(shell find $B -path $B/peers -prune -o -name '*.d' -type f -print 2>/dev/null)
