/* What events hold: values with tags, in the fields of tensorboard.Summary. */
#ifndef VISE_I_CLI_TENSORBOARD_SUMMARY_H
#define VISE_I_CLI_TENSORBOARD_SUMMARY_H

#include "host/proto/proto.h"
#include "vise/types.h"

/* A text that may be anything: question marks stand for what is not UTF-8. */
void vise_i_cli_proto_name(vise_i_proto *proto, unsigned field, const char *text);

/* The field of an event that holds values. */
enum { VISE_I_CLI_EVENT_SUMMARY = 5 };

/* Values, put into a summary. about: what TensorBoard says of the tag, which is to be with the first value of a file;
   else NULL. */
void vise_i_cli_put_scalar(vise_i_proto *summary, const char *tag, double value, const char *about);
/* Of markdown. */
void vise_i_cli_put_text(vise_i_proto *summary, const char *tag, const char *text);
/* Of weights, C-ordered and all finite: buckets of equal width from lo to hi, the bounds of their box, or from the least
   to the largest of them where these are infinite; what is equal to one of the ends has a bucket of its own. */
void vise_i_cli_put_weights(vise_i_proto *summary, const char *tag, const vise_array *weights, const double box[2],
                            const char *about);
/* The fields of the histogram alone (tensorboard_histogram.c). */
void vise_i_cli_put_histogram(vise_i_proto *value, const vise_array *weights, double lo, double hi);
/* A value without data: content is what the plugin of this name makes of it. */
void vise_i_cli_put_plugin(vise_i_proto *summary, const char *tag, const char *plugin, const vise_i_proto *content);

#endif
