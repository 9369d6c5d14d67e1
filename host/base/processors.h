/* How many processors there are to use. */
#ifndef VISE_I_PROCESSORS_H
#define VISE_I_PROCESSORS_H

/* Those that this process may run on; at least 1. */
int vise_i_n_processors(void);

#endif
