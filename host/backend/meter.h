/* How vise bench measures a backend on a device: what the device is and reaches, its own clock, the time that the
   step's plan allows, and where the time of a step goes. */
#ifndef VISE_I_METER_H
#define VISE_I_METER_H

#include "host/backend/backend.h"

enum { VISE_I_METER_MOST_PARTS = 66, VISE_I_METER_STEPS = 64 };

/* A part of a step in clocks of a multiprocessor, NaN: none. In the exchange before it CTAs wait for the last one that
   arrives, with something to do meanwhile: `wait` is the time of the CTA that waits least, which is the exchange itself;
   `skew` is how much longer another waits at most; `work` is the part itself in the CTA that takes longest. */
typedef struct vise_i_meter_part {
  char name[32];
  double wait, skew, work;
} vise_i_meter_part;

/* The parts of a step, in order. */
typedef struct vise_i_meter_parts {
  size_t n;
  vise_i_meter_part parts[VISE_I_METER_MOST_PARTS];
} vise_i_meter_parts;

/* The latest steps of one launch, or of launches of one step; all have the same parts. */
typedef struct vise_i_meter_steps {
  size_t n;
  vise_i_meter_parts steps[VISE_I_METER_STEPS];
  double launch_clocks;  /* from the start of the latest launch that recorded clocks to the end of its last step */
  double launch_seconds; /* of all launches of the latest call of run, by events around them */
} vise_i_meter_steps;

/* What a device reaches. A rate that cannot be measured is NaN, with the reason in note. */
typedef struct vise_i_meter_rates {
  double copy_bytes_per_s; /* read and written by copies within the device */
  double gemm_flop_per_s;  /* floating-point operations of large products */
  char note[256];
} vise_i_meter_rates;

typedef struct vise_i_meter {
  /* "NVIDIA H200, compute capability 9.0, 132 SMs, ..." */
  vise_status (*describe)(int device, char *text, size_t n_bytes, vise_error *err);

  /* Takes some tenths of a second. */
  vise_status (*measure)(int device, vise_precision precision, vise_i_meter_rates *out, vise_error *err);

  /* Events of the device around the calls of run in between; stop waits for the device. *launch_seconds is what the
     launches took, without what the host sent, fetched and did between them. */
  vise_status (*clock_start)(vise_i_backend *backend, vise_error *err);
  vise_status (*clock_stop)(vise_i_backend *backend, double *seconds, double *launch_seconds, vise_error *err);

  /* The least time that the plan allows, in microseconds per step; NaN for steps without a plan. row_bytes: features
     and targets of one row. */
  double (*floor_us)(const vise_i_backend *backend, size_t row_bytes, uint64_t steps_per_launch);

  /* From now on launches have steps_per_launch steps and record clocks, but for the last one in a call of run that has
     several, which gathers nothing ahead. VISE_ERR_UNSUPPORTED for steps without a plan. */
  vise_status (*parts_open)(vise_i_backend *backend, uint64_t steps_per_launch, vise_error *err);
  vise_status (*parts_read)(vise_i_backend *backend, vise_i_meter_steps *out, vise_error *err);
  /* Undoes parts_open. Harmless without it. */
  void (*parts_close)(vise_i_backend *backend);
} vise_i_meter;

/* NULL: the backend has no meter. */
const vise_i_meter *vise_i_meter_find(vise_backend backend);

/* The CUDA backend's; NULL in builds without it. */
const vise_i_meter *vise_i_cuda_meter(void);

#endif
