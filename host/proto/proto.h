/* Messages in the wire format of protocol buffers: fields by number, appended to a buffer that grows. */
#ifndef VISE_I_PROTO_H
#define VISE_I_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vise_i_proto {
  uint8_t *bytes; /* owned */
  size_t n, room;
  bool failed; /* out of memory: what came after it was dropped */
} vise_i_proto;

void vise_i_proto_free(vise_i_proto *proto);

/* Fields. Texts are UTF-8. */
void vise_i_proto_count(vise_i_proto *proto, unsigned field, uint64_t value);
void vise_i_proto_double(vise_i_proto *proto, unsigned field, double value);
void vise_i_proto_float(vise_i_proto *proto, unsigned field, float value);
void vise_i_proto_text(vise_i_proto *proto, unsigned field, const char *text);
/* A field that is a message, or a packed list, of what is put between the two; end gets what begin returned. */
size_t vise_i_proto_begin(vise_i_proto *proto, unsigned field);
void vise_i_proto_end(vise_i_proto *proto, size_t begin);

/* Without a field: an item of a packed list; n bytes as they are; a number of so many bytes, the lowest first. */
void vise_i_proto_item(vise_i_proto *proto, double value);
void vise_i_proto_raw(vise_i_proto *proto, const void *bytes, size_t n);
void vise_i_proto_fixed(vise_i_proto *proto, uint64_t value, size_t n_bytes);

#endif
