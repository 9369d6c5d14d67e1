/* When a team leaves its work to one thread, because beside a busy neighbour the others come late. Times are seconds of
   a clock that never goes back. */
#ifndef VISE_I_CPU_PARKING_H
#define VISE_I_CPU_PARKING_H

#include <stdbool.h>

/* Zero-initialise: not parked, never was. */
typedef struct vise_i_parking {
  bool parked;
  double since; /* when it was parked, rejoined, or a thread was last late; 0: never */
  double pause; /* how long it is, or was last, parked; 0: not of late */
} vise_i_parking;

/* Until now a thread was late, for which the others lost this time. Once may be chance, and a pause costs the speed of
   all but one thread; so the team parks only where it has lost more than two fifths of the time since a thread was last
   late or it rejoined: for 8 ms, then for twice the pause before, up to a second. */
void vise_i_parking_late(vise_i_parking *parking, double now, double lost);

/* Whether it is parked at the time now; ends the pause when it is over. */
bool vise_i_parking_holds(vise_i_parking *parking, double now);

#endif
