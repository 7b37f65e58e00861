// SPDX-License-Identifier: GPL-2.0-only
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "module.h"

void module_warn(const char *path, int error)
{
	/* A device's file may outlive its driver. */
	bool absent = error == ENOENT || error == ENODEV || error == ENXIO;

	warnx("%s: %s%s", path, strerror(error),
	      absent ? "; is the module loaded? (modprobe refstore)" : "");
}
