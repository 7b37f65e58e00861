/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The character device.
 */
#ifndef RS_DEVICE_H
#define RS_DEVICE_H

int rs_device_init(void);
void rs_device_exit(void);

#endif /* RS_DEVICE_H */
