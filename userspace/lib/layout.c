// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The structs that programs have in their memory, as large as version 0.1 had them.
 *
 * The library reads and writes all of them, and is not told how large they were
 * when a program was compiled. So if one is to grow, the functions of REFSTORE_1
 * that take it stay as they are, with the size that is asserted here (the kernel
 * takes that, too), and those for the larger one are others of the same names, in a
 * version REFSTORE_2 of librefstore.map.
 */
#include <assert.h>

#include "session.h"

#define SIZE_IS(type, bytes)						\
	static_assert(sizeof(struct type) == (bytes),			\
		      "a struct of REFSTORE_1 must not change: see layout.c")

SIZE_IS(refstore_cas_entry, 32);
SIZE_IS(refstore_collect, 72);
SIZE_IS(refstore_event, 64);
SIZE_IS(refstore_generation, 96);
SIZE_IS(refstore_holder, 120);
SIZE_IS(refstore_limit, 32);
SIZE_IS(refstore_op, 72);
SIZE_IS(refstore_query, 104);
SIZE_IS(refstore_spec, 8 + 4 * sizeof(size_t));
SIZE_IS(refstore_stat, 64);
SIZE_IS(refstore_tune, 48);
SIZE_IS(refstore_walk, 48);
SIZE_IS(refstore_walk_edge, 24);
SIZE_IS(refstore_walk_handle, 16);
SIZE_IS(refstore_walk_label, 40);
SIZE_IS(refstore_walk_object, 56);
SIZE_IS(refstore_walk_session, 80);
