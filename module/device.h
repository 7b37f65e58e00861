/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The character device.
 */
#ifndef RS_DEVICE_H
#define RS_DEVICE_H

struct file;
struct rs_session;

extern const struct file_operations rs_named_fops;

struct file *rs_device_file(struct rs_session *session);
struct rs_session *rs_device_export(const struct file *file);

int rs_device_init(void);
void rs_device_exit(void);

#endif /* RS_DEVICE_H */
