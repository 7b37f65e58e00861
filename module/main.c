// SPDX-License-Identifier: GPL-2.0-only
/*
 * refstore: a store of reference-counted objects, shared by processes.
 *
 * Start and stop; nothing else. The design is described at the head of heap.h.
 */
#include <linux/module.h>

#include "device.h"
#include "fs.h"
#include "heap.h"
#include "intern.h"
#include "object.h"
#include "proc.h"
#include "trigger.h"
#include "weak.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static int __init rs_init(void)
{
	int err;

	err = rs_object_init_caches();
	if (err)
		return err;
	rs_intern_init();
	err = rs_weak_init();
	if (err)
		goto caches;
	err = rs_heap_init();
	if (err)
		goto weak;
	err = rs_proc_init();
	if (err)
		goto heap;
	err = rs_trigger_init();
	if (err)
		goto proc;
	err = rs_device_init();
	if (err)
		goto trigger;
	/* Last: what is mounted would outlive a module that does not come up */
	err = rs_fs_init();
	if (err)
		goto device;
	return 0;

device:
	rs_device_exit();
trigger:
	rs_trigger_exit();
proc:
	rs_proc_exit();
heap:
	rs_heap_exit();
weak:
	rs_weak_exit();
caches:
	rs_object_destroy_caches();
	return err;
}

static void __exit rs_exit(void)
{
	rs_fs_exit();
	rs_device_exit();
	rs_trigger_exit();
	rs_proc_exit();
	rs_heap_exit();
	rs_weak_exit();
	rs_object_destroy_caches();
}

module_init(rs_init);
module_exit(rs_exit);

MODULE_DESCRIPTION("Store of reference-counted objects, shared by processes");
MODULE_LICENSE("GPL");
