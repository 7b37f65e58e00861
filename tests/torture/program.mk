# SPDX-License-Identifier: GPL-2.0-only
# One program, NAME, made of the SOURCES of a folder, with the selftests' wrappers, and
# without the harness of theirs. See tests/selftests/Makefile.

O ?= ../../build/$(NAME)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/refstore
KSELFTEST ?= $(lastword $(sort $(wildcard \
	$(CACHE)/source-6.*/tools/testing/selftests)))

HEADERS := $(wildcard *.h ../selftests/*.h) ../../uapi/linux/refstore.h

CFLAGS ?= -O2 -g
FLAGS := -std=gnu11 -Wall -Wextra -D_GNU_SOURCE= -D_FILE_OFFSET_BITS=64 \
	-I../torture/harness -I../../uapi -isystem $(KSELFTEST)

Q := $(if $(V),,@)

$(O)/$(NAME): $(SOURCES) $(HEADERS) Makefile ../torture/program.mk
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC      $(@F)')
	$(Q)$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $(SOURCES)

clean:
	rm -rf $(O)

.PHONY: clean
