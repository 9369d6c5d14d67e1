/* How loops that are to become vector code are written: inlined where their constants are, unrolled, and compiled for
   several instruction sets. */
#ifndef VISE_I_LOOPS_H
#define VISE_I_LOOPS_H

#define VISE_I_INLINE static inline __attribute__((always_inline))

/* Before a loop of at most 8 rounds, whose variables are in registers only where every index is a constant. */
#if defined(__clang__)
#define VISE_I_UNROLL _Pragma("unroll")
#else
#define VISE_I_UNROLL _Pragma("GCC unroll 8")
#endif

/* Functions compiled once per x86-64 level and chosen when the program starts. Sanitizers start later than the choice,
   clang 14 does not know the levels here, and a build for one machine (-march) needs no choice. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(VISE_I_NO_CLONES) &&           \
    !defined(__AVX2__)
#define VISE_I_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define VISE_I_CLONES
#endif

#endif
