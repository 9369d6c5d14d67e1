/*
 * A watchdog over the exchange, in builds with VISE_WATCHDOG=1 (cmake -DVISE_WATCHDOG=ON): a wait that does not end
 * leaves a report in memory of the host and traps, where it would otherwise hang the device in silence. Without it
 * nothing of this is compiled into a kernel.
 */
#ifndef VISE_K_WATCHDOG_H
#define VISE_K_WATCHDOG_H

#include <stdint.h>

#ifndef VISE_WATCHDOG
#define VISE_WATCHDOG 0
#endif

enum { VISE_K_WATCHDOG_CTAS = 1024, VISE_K_WATCHDOG_LOOKS = 64 };

/* A CTA that waited for a slot in vain; written as one access, the last thread of the CTA wins. */
typedef struct vise_k_watchdog_report {
  uint32_t slot_and_1;          /* 0: no report */
  uint32_t cta, expected, seen; /* epochs */
} vise_k_watchdog_report;

/* Memory of the host, mapped for the device and aligned to 16 bytes. */
typedef struct vise_k_watchdog {
  uint32_t most_polls; /* of a wait before it reports; looked at every VISE_K_WATCHDOG_LOOKS polls */
  uint32_t reserved[3];
  vise_k_watchdog_report reports[VISE_K_WATCHDOG_CTAS]; /* by CTA, modulo their number */
} vise_k_watchdog;

#endif
