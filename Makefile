# SPDX-License-Identifier: GPL-2.0-only
#
# For people; kbuild reads Kbuild. Everything that is made goes to build/.
#
#   KDIR=DIR             headers or tree of the kernel that the module is for
#                        (those of the running kernel)
#   PREFIX=DIR           where the library and the command go (/usr/local)
#   DESTDIR=DIR          what goes before all paths when installing
#   V=1                  show the commands
#
# Lines that begin with "##" are what "make help" prints.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local

# A folder for each kernel: what was built for one is no good for another.
release = $(shell cat '$(KDIR)/include/config/kernel.release')
folder = $(CURDIR)/build/module/$(release)

.PHONY: all module userspace install modules_install check test test-all demo \
	bench kunit clean help

## all              the module, the library, the command (the default)
all: module userspace

## module           build/module/RELEASE/refstore.ko for the kernel of KDIR
module: $(KDIR)/include/config/kernel.release
	@mkdir -p $(folder)
	@cp -rsf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/uapi $(folder)/
	$(MAKE) -C $(KDIR) M=$(folder) modules

$(KDIR)/include/config/kernel.release:
	@echo "$(KDIR): no kernel that modules can be built for." >&2
	@echo "Install linux-headers-$$(uname -r), or give KDIR=DIR." >&2
	@false

## userspace        the library librefstore and the command refstore
userspace:
	$(MAKE) -C userspace PREFIX='$(PREFIX)'

## install          install all of it
install: modules_install
	$(MAKE) -C userspace PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' install
	$(if $(DESTDIR),,ldconfig)

## modules_install  install the module
modules_install: module
	$(MAKE) -C $(KDIR) M=$(folder) \
		$(if $(DESTDIR),INSTALL_MOD_PATH='$(DESTDIR)') modules_install

## check            static checks of the sources
check:
	@if [ -e tests/check.sh ]; then tests/check.sh; else \
		echo 'tests/check.sh is not there' >&2; false; fi

## test             the tests, in virtual machines, in minutes
test:
	tests/run.sh

## test-all         all tests, on all kernels
test-all:
	tests/run.sh --all

## demo             a demonstration, from nothing, in minutes (as root)
demo:
	@tests/demo/run.sh

## bench            measurements
bench:
	tests/bench/run.sh

## kunit            the unit tests, in seconds (once their kernel is built)
kunit:
	tests/vm/uml.sh uml-kasan

## clean            remove what was built
clean:
	rm -rf build

## help             this list
help:
	@sed -n 's/^## //p' Makefile
