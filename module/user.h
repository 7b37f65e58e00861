/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies of a few words from and to users.
 *
 * For what is this small, and whose place and size are known here, a loop of
 * words costs a fifth of copy_from_user() with its look at the slab. Larger
 * amounts of data go through the checked functions.
 */
#ifndef RS_USER_H
#define RS_USER_H

#include <linux/bitops.h>
#include <linux/uaccess.h>

/*
 * Both want user_{read,write}_access_begin() around them. Four at a time: the
 * compiler does not unroll them by itself, and then the loop costs more than
 * the copying.
 */
static __always_inline int rs_unsafe_get(u64 *to, const u64 __user *from,
					 u32 words)
{
	for (; words >= 4; words -= 4, to += 4, from += 4) {
		unsafe_get_user(to[0], &from[0], fault);
		unsafe_get_user(to[1], &from[1], fault);
		unsafe_get_user(to[2], &from[2], fault);
		unsafe_get_user(to[3], &from[3], fault);
	}
	for (; words; words--, to++, from++)
		unsafe_get_user(*to, from, fault);
	return 0;

fault:
	return -EFAULT;
}

/* Those words of which a bit is set in @which. */
static __always_inline int rs_unsafe_put(u64 __user *to, const u64 *from,
					 u32 which)
{
	u32 i;

	for (; which; which &= which - 1) {
		i = __ffs(which);
		unsafe_put_user(from[i], &to[i], fault);
	}
	return 0;

fault:
	return -EFAULT;
}

static inline int rs_words_get(u64 *to, const void __user *from, u32 words)
{
	int err;

	if (!user_read_access_begin(from, words * sizeof(u64)))
		return -EFAULT;
	err = rs_unsafe_get(to, from, words);
	user_read_access_end();
	return err;
}

static inline int rs_words_put(void __user *to, const u64 *from, u32 which)
{
	int err;

	if (!user_write_access_begin(to, fls(which) * sizeof(u64)))
		return -EFAULT;
	err = rs_unsafe_put(to, from, which);
	user_write_access_end();
	return err;
}

#endif /* RS_USER_H */
