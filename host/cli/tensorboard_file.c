#include "host/cli/tensorboard_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/message.h"
#include "host/cli/progress.h"

/* tensorboard.Event */
enum { WALL_TIME = 1, STEP = 2, FILE_VERSION = 3, SOURCE_METADATA = 10, SOURCE_WRITER = 1 };
/* A record: u64 length, u32 checksum of it, the message, u32 checksum of that. */
enum { LENGTH_BYTES = 8, SUM_BYTES = 4, HEAD_BYTES = LENGTH_BYTES + SUM_BYTES, WALL_TIME_BYTES = 9 };
enum { MOST_MADE = 1 << 18, MOST_TRIES = 100, NAME_BYTES = 512, HOST_BYTES = 128, LANES = 8 };
#define WRITE_SECONDS 1.0

/* ---- checksums ------------------------------------------------------------------------------------------------------ */

/* Of CRC-32C: what a byte that is followed by so many others adds to the sum. */
static uint32_t crc_table[LANES][256];

static void make_crc_table(void) {
  if (crc_table[0][1] != 0) return;
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = byte;
    for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78u : 0);
    crc_table[0][byte] = sum;
  }
  for (size_t lane = 1; lane < LANES; lane++) {
    for (size_t byte = 0; byte < 256; byte++) {
      const uint32_t before = crc_table[lane - 1][byte];
      crc_table[lane][byte] = before >> 8 ^ crc_table[0][before & 0xff];
    }
  }
}

/* Eight bytes at a time. */
static uint32_t crc32c(const uint8_t *bytes, size_t n) {
  uint32_t sum = UINT32_MAX;
  for (; n >= LANES; n -= LANES, bytes += LANES) {
    uint32_t next = 0;
    for (size_t i = 0; i < 4; i++) {
      next ^= crc_table[7 - i][(bytes[i] ^ sum >> (8 * i)) & 0xff] ^ crc_table[3 - i][bytes[4 + i]];
    }
    sum = next;
  }
  for (; n > 0; n--, bytes++) sum = sum >> 8 ^ crc_table[0][(sum ^ *bytes) & 0xff];
  return ~sum;
}

/* As the records have it, which may hold checksums themselves. */
static uint32_t masked(uint32_t sum) {
  return (sum >> 15 | sum << 17) + 0xa282ead8u;
}

static void store(uint8_t *to, uint64_t value, size_t n_bytes) {
  for (size_t i = 0; i < n_bytes; i++) to[i] = (uint8_t)(value >> (8 * i));
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_REALTIME, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

vise_i_proto *vise_i_cli_event_begin(vise_i_cli_events *events, uint64_t step) {
  vise_i_proto *made = &events->made;
  events->record = made->n;
  vise_i_proto_fixed(made, 0, LENGTH_BYTES);
  vise_i_proto_fixed(made, 0, SUM_BYTES);
  vise_i_proto_double(made, WALL_TIME, now());
  if (step > 0) vise_i_proto_count(made, STEP, step);
  return made;
}

void vise_i_cli_event_end(vise_i_cli_events *events) {
  vise_i_proto *made = &events->made;
  if (made->failed) return;
  uint8_t *head = made->bytes + events->record;
  const size_t n = made->n - events->record - HEAD_BYTES;

  store(head, n, LENGTH_BYTES);
  store(head + LENGTH_BYTES, masked(crc32c(head, LENGTH_BYTES)), SUM_BYTES);
  vise_i_proto_fixed(made, masked(crc32c(head + HEAD_BYTES, n)), SUM_BYTES);
}

/* What every file begins with, after the time. */
static void put_version(vise_i_proto *message) {
  vise_i_proto_text(message, FILE_VERSION, "brain.Event:2");
  const size_t source = vise_i_proto_begin(message, SOURCE_METADATA);
  vise_i_proto_text(message, SOURCE_WRITER, "vise");
  vise_i_proto_end(message, source);
}

bool vise_i_cli_events_are_ours(const uint8_t *bytes, size_t n) {
  const size_t begin = HEAD_BYTES + WALL_TIME_BYTES;
  vise_i_proto wanted = {.bytes = NULL};
  put_version(&wanted);

  const size_t n_here = n > begin ? n - begin : 0, n_seen = n_here < wanted.n ? n_here : wanted.n;
  const bool ours = !wanted.failed && (n_seen == 0 || memcmp(bytes + begin, wanted.bytes, n_seen) == 0);
  vise_i_proto_free(&wanted);
  return ours;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

/* The seconds in the newest of the names there; 0: there are none. */
static uint64_t newest(int folder) {
  static const char prefix[] = VISE_I_CLI_EVENTS_PREFIX;
  uint64_t seconds = 0;
  const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = again >= 0 ? fdopendir(again) : NULL;
  if (dir == NULL && again >= 0) (void)close(again);

  for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
    if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0) continue;
    const uint64_t here = strtoull(entry->d_name + sizeof prefix - 1, NULL, 10);
    if (here > seconds && here < INT64_MAX) seconds = here;
  }
  if (dir != NULL) (void)closedir(dir);
  return seconds;
}

/* As far as it can be part of a file's name. */
static void host_name(char name[HOST_BYTES]) {
  if (gethostname(name, HOST_BYTES) != 0) *name = '\0';
  name[HOST_BYTES - 1] = '\0';
  for (char *c = name; *c != '\0'; c++) {
    const bool is_plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
    if (!is_plain && *c != '-') *c = '-';
  }
  if (*name == '\0') (void)snprintf(name, HOST_BYTES, "host");
}

static vise_status fail(const vise_i_cli_events *events, const char *what, vise_error *err) {
  const int number = errno;
  return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be %s: %s", events->path, what, strerror(number));
}

/* Makes a file of a name that is new; sets what it is called. */
static int make_file(int folder, char name[NAME_BYTES]) {
  char host[HOST_BYTES];
  const uint64_t clock = (uint64_t)now(), last = newest(folder), seconds = clock > last ? clock : last + 1;
  int file = -1;
  host_name(host);

  for (int i = 0; i < MOST_TRIES && file < 0; i++) {
    (void)snprintf(name, NAME_BYTES, VISE_I_CLI_EVENTS_PREFIX "%010" PRIu64 ".%s.%ld.%d", seconds, host, (long)getpid(),
                   i);
    file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 && errno != EEXIST) break;
  }
  return file;
}

/* The folder of a session, which is made; -1: errno says why not. */
static int make_session(int folder, const char *session) {
  if (mkdirat(folder, session, 0777) != 0 && errno != EEXIST) return -1;
  return openat(folder, session, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

vise_status vise_i_cli_events_open(vise_i_cli_events *events, const char *dir, int folder, const char *session,
                                   vise_error *err) {
  char name[NAME_BYTES] = "";
  *events = (vise_i_cli_events){.file = -1};
  make_crc_table();

  const int place = session != NULL ? make_session(folder, session) : folder;
  if (place >= 0) events->file = make_file(place, name);
  const int number = errno;
  if (session != NULL && place >= 0) (void)close(place);

  events->is_open = events->file >= 0;
  if (asprintf(&events->path, "%s/" VISE_I_CLI_EVENTS_FOLDER "/%s%s%s", dir, session != NULL ? session : "",
               session != NULL && *name != '\0' ? "/" : "", name) < 0) {
    events->path = NULL;
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for an event file");
  }
  errno = number;
  if (!events->is_open) return fail(events, "made", err);

  events->last_write = vise_i_cli_seconds();
  put_version(vise_i_cli_event_begin(events, 0));
  vise_i_cli_event_end(events);
  return VISE_OK;
}

/* After a write that failed: cuts the file after the last record that is whole in it. */
static void cut(vise_i_cli_events *events) {
  const off_t end = lseek(events->file, 0, SEEK_END);
  const uint64_t there = end > (off_t)events->n_written ? (uint64_t)end - events->n_written : 0;
  const vise_i_proto *made = &events->made;
  uint64_t at = 0;

  for (uint64_t n; at + HEAD_BYTES <= there; at += HEAD_BYTES + n + SUM_BYTES) {
    n = 0;
    for (size_t i = 0; i < LENGTH_BYTES; i++) n |= (uint64_t)made->bytes[at + i] << (8 * i);
    if (at + HEAD_BYTES + n + SUM_BYTES > there) break;
  }
  (void)!ftruncate(events->file, (off_t)(events->n_written + at));
}

vise_status vise_i_cli_events_flush(vise_i_cli_events *events, bool at_once, vise_error *err) {
  vise_i_proto *made = &events->made;
  if (made->failed) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "%s: out of memory for its events", events->path);
  if (made->n == 0) return VISE_OK;
  const double time = vise_i_cli_seconds();
  if (!at_once && made->n < MOST_MADE && time - events->last_write < WRITE_SECONDS) return VISE_OK;

  if (!vise_i_cli_write_all(events->file, made->bytes, made->n)) {
    const vise_status status = fail(events, "written", err);
    cut(events);
    made->n = 0; /* another try would write it again */
    return status;
  }
  events->n_written += made->n;
  events->last_write = time;
  made->n = 0;
  return VISE_OK;
}

vise_status vise_i_cli_events_close(vise_i_cli_events *events, vise_error *err) {
  vise_status status = VISE_OK;
  if (events->is_open) {
    status = vise_i_cli_events_flush(events, true, err);
    if (close(events->file) != 0 && status == VISE_OK) status = fail(events, "written", err);
  }
  vise_i_proto_free(&events->made);
  free(events->path);
  *events = (vise_i_cli_events){.file = -1};
  return status;
}
