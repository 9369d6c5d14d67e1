/* How loops that are to become vector code are written: inlined where their constants are, and unrolled. */
#ifndef VISE_I_LOOPS_H
#define VISE_I_LOOPS_H

#define VISE_I_INLINE static inline __attribute__((always_inline))

/* Before a loop of at most 8 rounds, whose variables are in registers only where every index is a constant. */
#if defined(__clang__)
#define VISE_I_UNROLL _Pragma("unroll")
#else
#define VISE_I_UNROLL _Pragma("GCC unroll 8")
#endif

#endif
