/* NPY, NumPy's format: "\x93NUMPY", version, header length, then a Python dictionary as text, then the values
   (numpy.lib.format). Written by numpy.save. */
#include <string.h>

#include "host/data/reader.h"
#include "vise/types.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the NPY reader takes little-endian values as they are; this machine is big-endian"
#endif

enum { MAX_DIMS = 64 };

typedef struct parser {
  const char *name;
  const char *at, *end;
  vise_error *err;
} parser;

typedef struct header {
  bool has_descr, has_order, has_shape;
  const char *descr;
  size_t n_descr;
  bool fortran;
  size_t dims[MAX_DIMS], n_dims;
} header;

static vise_status malformed(const parser *p, const char *expected) {
  char quote[VISE_I_QUOTE_BYTES];
  return vise_i_fail(p->err, VISE_ERR_FORMAT, "%s: malformed NPY header: expected %s at \"%s\"", p->name, expected,
                     vise_i_quote(quote, p->at, (size_t)(p->end - p->at)));
}

static void skip_space(parser *p) {
  while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')) p->at++;
}

static bool take(parser *p, char c) {
  skip_space(p);
  if (p->at == p->end || *p->at != c) return false;
  p->at++;
  return true;
}

static bool take_word(parser *p, const char *word) {
  skip_space(p);
  const size_t n = strlen(word);
  if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return false;
  p->at += n;
  return true;
}

static bool take_string(parser *p, const char **out, size_t *n) {
  skip_space(p);
  if (p->at == p->end || (*p->at != '\'' && *p->at != '"')) return false;
  const char *close = memchr(p->at + 1, *p->at, (size_t)(p->end - p->at) - 1);
  if (close == NULL) return false;
  *out = p->at + 1;
  *n = (size_t)(close - p->at) - 1;
  p->at = close + 1;
  return true;
}

static vise_status parse_shape(parser *p, header *h) {
  h->n_dims = 0;
  if (!take(p, '(')) return malformed(p, "the shape, as (rows, columns)");

  while (!take(p, ')')) {
    size_t dim = 0;
    skip_space(p);
    if (p->at == p->end || *p->at < '0' || *p->at > '9') return malformed(p, "a number in the shape");
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
      const size_t digit = (size_t)(*p->at - '0');
      if (dim > (SIZE_MAX - digit) / 10) return malformed(p, "a shape that fits in memory");
      dim = dim * 10 + digit;
    }
    if (p->at < p->end && *p->at == 'L') p->at++; /* Python 2 wrote (3L, 4L) */

    if (h->n_dims == MAX_DIMS) return malformed(p, "at most 64 dimensions");
    h->dims[h->n_dims++] = dim;

    if (take(p, ',')) continue;
    if (take(p, ')')) break;
    return malformed(p, "',' or ')' in the shape");
  }
  return VISE_OK;
}

/* What NumPy calls a kind of values that are no numbers to train with, and what to save in their place. */
static const char *remedy_of(char kind) {
  switch (kind) {
    case 'O':
      return "holds Python objects; save array.astype('f4'), or labels as array.astype('i8')";
    case 'U':
    case 'S':
    case 'a':
      return "is text; save numbers as array.astype('f4'), and names of classes as numpy.unique(array, "
             "return_inverse=True)[1], which is of dtype i8";
    case 'c':
      return "is complex; save numpy.stack([array.real, array.imag], -1).astype('f4'), or the part that counts";
    case 'M':
    case 'm':
      return "is times; save array.astype('i8')";
    case 'f':
    case 'g':
      return "has more digits than are read; save array.astype('f8')";
    case 'V':
      return "is a structured one; save plain arrays, as numpy.lib.recfunctions.structured_to_unstructured makes them";
    default:
      return "is not known; save array.astype('f4'), or labels as array.astype('i8')";
  }
}

static vise_status parse_item(parser *p, header *h) {
  const char *key;
  size_t n;
  if (!take_string(p, &key, &n)) return malformed(p, "a key in quotes");
  if (!take(p, ':')) return malformed(p, "':'");

  if (n == 5 && memcmp(key, "descr", n) == 0 && !h->has_descr) {
    h->has_descr = true;
    skip_space(p);
    if (p->at < p->end && *p->at == '[') {
      return vise_i_fail(p->err, VISE_ERR_FORMAT, "%s: the dtype %s", p->name, remedy_of('V'));
    }
    if (!take_string(p, &h->descr, &h->n_descr)) return malformed(p, "the dtype in quotes");
    return VISE_OK;
  }

  if (n == 13 && memcmp(key, "fortran_order", n) == 0 && !h->has_order) {
    h->has_order = true;
    h->fortran = take_word(p, "True");
    if (!h->fortran && !take_word(p, "False")) return malformed(p, "True or False");
    return VISE_OK;
  }

  if (n == 5 && memcmp(key, "shape", n) == 0 && !h->has_shape) {
    h->has_shape = true;
    return parse_shape(p, h);
  }

  return malformed(p, "one each of 'descr', 'fortran_order' and 'shape'");
}

static vise_status parse_dictionary(parser *p, header *h) {
  if (!take(p, '{')) return malformed(p, "'{'");
  while (!take(p, '}')) {
    const vise_status status = parse_item(p, h);
    if (status != VISE_OK) return status;
    if (take(p, ',')) continue;
    if (take(p, '}')) break;
    return malformed(p, "',' or '}'");
  }

  skip_space(p);
  if (p->at != p->end) return malformed(p, "nothing behind '}'");
  if (!h->has_descr || !h->has_order || !h->has_shape) {
    return vise_i_fail(p->err, VISE_ERR_FORMAT, "%s: malformed NPY header: no '%s'", p->name,
                       !h->has_descr ? "descr" : (!h->has_order ? "fortran_order" : "shape"));
  }
  return VISE_OK;
}

static vise_status parse_descr(const parser *p, const header *h, vise_i_layout *out) {
  static const struct {
    const char *text;
    vise_dtype dtype;
    vise_i_item item;
  } known[] = {
      {"b1", VISE_U8, VISE_I_ITEM_BOOL}, {"u1", VISE_U8, VISE_I_ITEM_SAME},  {"i1", VISE_I32, VISE_I_ITEM_I8},
      {"i2", VISE_I32, VISE_I_ITEM_I16}, {"u2", VISE_I32, VISE_I_ITEM_U16},  {"i4", VISE_I32, VISE_I_ITEM_SAME},
      {"u4", VISE_I64, VISE_I_ITEM_U32}, {"i8", VISE_I64, VISE_I_ITEM_SAME}, {"u8", VISE_I64, VISE_I_ITEM_U64},
      {"f2", VISE_F32, VISE_I_ITEM_F16}, {"f4", VISE_F32, VISE_I_ITEM_SAME}, {"f8", VISE_F64, VISE_I_ITEM_SAME}};
  char quote[VISE_I_QUOTE_BYTES];

  const bool ordered = h->n_descr > 0 && h->descr[0] != 0 && strchr("<>|=", h->descr[0]) != NULL;
  const char *type = h->descr + (ordered ? 1 : 0);
  const size_t n = h->n_descr - (ordered ? 1 : 0);

  for (size_t k = 0; n == 2 && k < sizeof known / sizeof known[0]; k++) {
    if (memcmp(type, known[k].text, 2) != 0) continue;
    out->dtype = known[k].dtype;
    out->item = known[k].item;
    out->stored = out->item == VISE_I_ITEM_SAME ? vise_dtype_name(out->dtype) : known[k].text;
    out->big_endian = ordered && h->descr[0] == '>' && type[1] != '1'; /* bytes have no order */
    return VISE_OK;
  }

  return vise_i_fail(p->err, VISE_ERR_FORMAT, "%s: dtype '%s' %s", p->name, vise_i_quote(quote, h->descr, h->n_descr),
                     remedy_of(n > 0 ? type[0] : '\0'));
}

/* The length and start of the dictionary text. */
static vise_status parse_preamble(const char *name, const uint8_t *b, size_t n, size_t *start, size_t *length,
                                  vise_error *err) {
  if (n < 10 || memcmp(b, "\x93NUMPY", 6) != 0) {
    return vise_i_fail(
        err, VISE_ERR_FORMAT, "%s: %s", name,
        n >= 6 && memcmp(b, "\x93NUMPY", 6) == 0 ? "truncated within its NPY header" : "no NPY header (\\x93NUMPY)");
  }

  const unsigned version = b[6];
  if (version < 1 || version > 3 || b[7] != 0) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: NPY version %u.%u is not known; known are 1.0, 2.0 and 3.0", name,
                       version, (unsigned)b[7]);
  }

  *start = version == 1 ? 10 : 12;
  if (n < *start) return vise_i_fail(err, VISE_ERR_FORMAT, "%s: truncated within its NPY header", name);
  *length = (size_t)b[8] | (size_t)b[9] << 8;
  if (version > 1) *length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;

  if (*length > VISE_I_NPY_HEADER_MAX - *start) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: NPY header of %zu bytes; at most %d are read", name, *length,
                       VISE_I_NPY_HEADER_MAX - 12);
  }
  if (*length > n - *start) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: truncated within its NPY header of %zu bytes", name, *length);
  }
  return VISE_OK;
}

vise_status vise_i_npy_header(const char *name, const uint8_t *bytes, size_t n, vise_i_layout *layout,
                              vise_error *err) {
  size_t start = 0, length = 0;
  vise_status status = parse_preamble(name, bytes, n, &start, &length, err);
  if (status != VISE_OK) return status;

  const char *text = (const char *)bytes + start;
  parser p = {name, text, text + length, err};
  header h = {0};
  vise_i_layout l = {.header_bytes = start + length};

  status = parse_dictionary(&p, &h);
  if (status == VISE_OK) status = parse_descr(&p, &h, &l);
  if (status != VISE_OK) return status;

  if (h.n_dims == 0) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s: is a single number (shape ()); needs one dimension or more", name);
  }
  l.fortran = h.fortran;
  status = vise_i_layout_shape(&l, name, h.dims, h.n_dims, err);
  if (status == VISE_OK) *layout = l;
  return status;
}
