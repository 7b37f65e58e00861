/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file system: heaps with names.
 */
#ifndef RS_FS_H
#define RS_FS_H

int rs_fs_init(void);
void rs_fs_exit(void);

#endif /* RS_FS_H */
