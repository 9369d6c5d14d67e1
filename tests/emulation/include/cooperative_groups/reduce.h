// cooperative_groups::reduce is in the header of the groups.
#pragma once
#include <cooperative_groups.h>
