/**
 * @file
 * Status codes and error text. Every call of Vise that can fail returns a vise_status and takes an optional
 * vise_error, owned by the caller, that receives the text.
 *
 * Rules that hold for the whole API:
 *  - VISE_OK is 0; every other value is an error.
 *  - Outputs go through pointers and are left untouched when the call fails.
 *  - The vise_error may be NULL. A call that takes one clears it first, so afterwards it tells of this call alone: empty
 *    after success, else the first error that the call met. It may be used again without being cleared.
 *  - A pointer that is NULL where its declaration does not allow it is VISE_ERR_USAGE, with the argument's name. Calls
 *    without a status do nothing for NULL, or return 0, false or NULL.
 *  - No call prints, exits or aborts.
 *
 * Structs may grow at their end in a later release. The calls that fill one are macros that pass its size as the program
 * was compiled with it (over functions whose names end in _sized, which need not be called by hand), so that a program
 * goes on working with a newer library. A binding to another language either passes the size of the struct as it
 * declares it to the _sized function, or calls the function without that ending, which fills what release 0.1 had.
 * vise_error, vise_array and structs that are part of another never grow.
 */
#ifndef VISE_STATUS_H
#define VISE_STATUS_H

#if defined(__GNUC__)
#define VISE_WARN_UNUSED __attribute__((warn_unused_result))
#if defined(VISE_BUILDING_LIBRARY)
#define VISE_API __attribute__((visibility("default")))
#else
#define VISE_API
#endif
#else
#define VISE_WARN_UNUSED
#define VISE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** The one table of codes: X(symbol, value, short text). */
/* clang-format off */
#define VISE_STATUS_TABLE(X) \
  X(VISE_OK, 0, "ok") \
  X(VISE_ERR_USAGE, 1, "bad usage: an argument or option is wrong, or contradicts another") \
  X(VISE_ERR_SHAPE, 2, "shapes or sizes do not fit together") \
  X(VISE_ERR_VALUE, 3, "a value in the data or the weights is out of range or not finite") \
  X(VISE_ERR_FORMAT, 4, "a file is malformed") \
  X(VISE_ERR_IO, 5, "a file or folder cannot be opened, read or written") \
  X(VISE_ERR_MEMORY, 6, "out of memory, or a size that does not fit in memory") \
  X(VISE_ERR_UNSUPPORTED, 7, "not available in this build, in this backend or on this machine") \
  X(VISE_ERR_NONFINITE, 8, "training produced non-finite numbers and was told to stop") \
  X(VISE_ERR_DEVICE, 9, "the device failed; the trainer is poisoned") \
  X(VISE_ERR_STATE, 10, "the object is not in a state in which this call is allowed") \
  X(VISE_ERR_INTERNAL, 11, "a fault in Vise itself")
/* clang-format on */

#define VISE_STATUS_ENUM_(symbol, value, text) symbol = value,
typedef enum vise_status { VISE_STATUS_TABLE(VISE_STATUS_ENUM_) } vise_status;
#undef VISE_STATUS_ENUM_

/** Length of the text in a vise_error, terminating zero included; longer texts are cut. */
#define VISE_ERROR_TEXT_BYTES 1024

/** Caller-owned error text: what went wrong, where, which value, and what would be right. */
typedef struct vise_error {
  vise_status code;
  char text[VISE_ERROR_TEXT_BYTES];
} vise_error;

#define VISE_ERROR_INIT \
  {                     \
    VISE_OK, {          \
      0                 \
    }                   \
  }

/** Empties *err. NULL is allowed. */
VISE_API void vise_error_clear(vise_error *err);

/** A constant one-line text for a code; never NULL. Not to be freed. */
VISE_API const char *vise_status_text(vise_status status);

/** The symbol of a code ("VISE_ERR_SHAPE"); never NULL. Not to be freed. */
VISE_API const char *vise_status_name(vise_status status);

#ifdef __cplusplus
}
#endif
#endif
