#include "host/backend/cpu/parking.h"

static const double MOST_LOST = 0.4, PAUSE_FIRST = 8e-3, PAUSE_MOST = 1;

void vise_i_parking_late(vise_i_parking *parking, double now, double lost) {
  const bool pays = parking->since > 0 && lost > MOST_LOST * (now - parking->since);
  const double next = parking->pause > 0 ? 2 * parking->pause : PAUSE_FIRST;

  parking->since = now;
  parking->parked = pays;
  parking->pause = !pays ? 0 : next < PAUSE_MOST ? next : PAUSE_MOST;
}

bool vise_i_parking_holds(vise_i_parking *parking, double now) {
  if (!parking->parked || now - parking->since < parking->pause) return parking->parked;
  parking->since = now;
  parking->parked = false;
  return false;
}
