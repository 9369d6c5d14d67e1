/* The Sobol sequence, with the direction numbers of Joe and Kuo ("Constructing Sobol sequences with better
   two-dimensional projections", SIAM J. Sci. Comput. 30, 2008: new-joe-kuo-6.21201), in the order of Gray codes. */
#ifndef VISE_I_SOBOL_H
#define VISE_I_SOBOL_H

#include <stddef.h>
#include <stdint.h>

enum { VISE_I_SOBOL_MAX_DIMENSIONS = 64 };

/* Coordinate `dimension`, below the maximum, of point i, times 2^32. Point 0 is 0. */
uint32_t vise_i_sobol(uint32_t i, size_t dimension);

#endif
