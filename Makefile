# SPDX-License-Identifier: GPL-2.0-only
#
# For people; kbuild reads Kbuild. Everything that is made goes to build/. Lines
# that begin with "##" are what "make help" prints.

KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local

# A folder for each kernel: what was built for one is no good for another. It has
# links to the sources, so that kbuild puts what it makes beside those.
utsrelease := $(KDIR)/include/generated/utsrelease.h
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(utsrelease))
folder = $(CURDIR)/build/module/$(release)

version = $(shell sed -n 's/^VERSION := //p' userspace/Makefile)
dkms_source = $(DESTDIR)/usr/src/refstore-$(version)

# Type information for tracers, which wants a program that few have.
pahole = $(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)

# For scripts, which call make in their own ways: not in this one's.
script = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

.PHONY: all module userspace install uninstall modules_install \
	modules_uninstall python python-install python-uninstall \
	dkms-source dkms-install dkms-uninstall deb check test \
	test-all test-install torture soak fuzz fuzz-parsers faults \
	coverage figures demo pictures model bench bench-report kunit \
	clean help

## all              the module, the library, the command (the default)
all: module userspace

## module           build/module/RELEASE/refstore.ko for the kernel of KDIR
module: $(utsrelease)
	@mkdir -p $(folder)/module $(folder)/uapi/linux
	@find -L $(folder) -type l -delete
	@cp -sf $(CURDIR)/Kbuild $(folder)/
	@cp -sf $(CURDIR)/module/*.[ch] $(folder)/module/
	@cp -sf $(CURDIR)/uapi/linux/*.h $(folder)/uapi/linux/
	$(MAKE) -C $(KDIR) M=$(folder) $(pahole) modules

$(utsrelease):
	@echo "$(KDIR): no kernel that modules can be built for." >&2
	@echo "Install linux-headers-$$(uname -r), or give KDIR=DIR." >&2
	@false

## userspace        the library librefstore and the command refstore
userspace:
	$(MAKE) -C userspace PREFIX='$(PREFIX)'

## install          install all of it
install: modules_install
	$(MAKE) -C userspace PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' install

## uninstall        remove all of it
uninstall: modules_uninstall
	$(MAKE) -C userspace PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' uninstall

## python           the package for Python: build/python
python: userspace
	$(MAKE) -C userspace/python PREFIX='$(PREFIX)'

## python-install   install the package for Python
python-install: userspace
	$(MAKE) -C userspace/python PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' install

## python-uninstall  remove it
python-uninstall:
	$(MAKE) -C userspace/python PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' uninstall

# Debian's headers lack the System.map without which kbuild leaves depmod out.
## modules_install  install the module
modules_install: module
	$(MAKE) -C $(KDIR) M=$(folder) INSTALL_MOD_DIR=updates \
		$(if $(DESTDIR),INSTALL_MOD_PATH='$(DESTDIR)') modules_install
	$(if $(DESTDIR),,depmod $(release))

# Whether it was compressed depends on the kernel.
## modules_uninstall  remove the module
modules_uninstall: $(utsrelease)
	rm -f $(DESTDIR)/lib/modules/$(release)/updates/refstore.ko*
	$(if $(DESTDIR),,depmod $(release))

# Where DKMS, and whoever packages for it, wants it.
dkms-source:
	install -d $(dkms_source)/module $(dkms_source)/uapi/linux
	install -m 644 Kbuild Makefile $(dkms_source)/
	install -m 644 module/*.[ch] $(dkms_source)/module/
	install -m 644 uapi/linux/*.h $(dkms_source)/uapi/linux/
	sed 's/#MODULE_VERSION#/$(version)/' userspace/packaging/dkms.conf \
		> $(dkms_source)/dkms.conf

## dkms-install     have DKMS build the module, for later kernels, too
dkms-install: dkms-uninstall dkms-source $(utsrelease)
	dkms add -m refstore -v $(version)
	dkms install -m refstore -v $(version) -k $(release)

## dkms-uninstall   remove the module from DKMS, for all kernels
dkms-uninstall:
	test -z "$$(dkms status -m refstore -v $(version))" || \
		dkms remove -m refstore -v $(version) --all
	rm -rf $(dkms_source)

## deb              packages for Debian: build/deb
deb:
	@$(script) userspace/packaging/deb.sh

## check            static checks of the sources
check:
	@$(script) tests/check.sh

## test             the tests, in virtual machines: half an hour, more at first
test:
	@$(script) tests/run.sh

## test-all         all tests, on all kernels
test-all:
	@$(script) tests/run.sh --all

## test-install     install, boot, upgrade the kernel, purge, in a virtual machine
test-install:
	@$(script) tests/install/run.sh

## torture          torture for MINUTES (15), in virtual machines
torture:
	@$(script) tests/torture/run.sh $(MINUTES)

## soak             torture by several users, beside much else, for MINUTES (15)
soak:
	@$(script) tests/torture/run.sh --soak $(MINUTES)

## fuzz             fuzz the module, for MINUTES (15), in a virtual machine
fuzz:
	@$(script) tests/fuzz/run.sh $(MINUTES)

## fuzz-parsers     fuzz what the command reads, for SECONDS (60) each
fuzz-parsers:
	@$(script) tests/fuzz/parsers.sh $(SECONDS)

## faults           let each allocation fail in turn, in every call
faults:
	@$(script) tests/fault/run.sh

## coverage         which lines of the module and of the library the tests run
coverage:
	@$(script) tests/coverage/run.sh

## figures          put what long tests have come to into the README
figures:
	@tests/figures.py table

## demo             a demonstration, from nothing, in minutes
demo:
	@$(script) tests/demo/run.sh

## pictures         the README's pictures, anew: of the demonstration's heap
pictures:
	@$(script) tests/demo/pictures.sh

## model            check the scanner's model, and what each rule is for
model:
	@$(script) tests/model/run.sh

## bench            measurements
bench:
	@$(script) tests/bench/run.sh

## bench-report     a picture of what scans cost: build/bench.svg
bench-report:
	@$(script) tests/bench/report.sh

## kunit            the unit tests, in minutes (once their kernel is built)
kunit:
	@$(script) tests/vm/uml.sh uml-kasan

## clean            remove what was built
clean:
	rm -rf build

## help             this list
help:
	@sed -n 's/^## \{0,1\}//p' Makefile

##
## MINUTES=N        how long to torture
## KDIR=DIR         the kernel that the module is for (the running one's headers)
## PREFIX=DIR       where the library and the command are installed (/usr/local)
## DESTDIR=DIR      what goes before all installed paths
## V=1              show the commands
