// zlib alone on one core: objects of so many rows, gzip, as tickwal makes them.
//
// deflate FILE LEVEL ROWS_AN_OBJECT
#include <zlib.h>

#include "common.h"

int main(int count, char **arguments) {
  if (count != 4) fail("deflate", "FILE LEVEL ROWS_AN_OBJECT");
  size_t lines, group = strtoul(arguments[3], NULL, 10);
  Line *all = read_lines(arguments[1], &lines);
  // Lines lie one after another; each gets its end back.
  for (size_t next = 0; next < lines; next++) all[next].start[all[next].length] = '\n';

  start_watch();
  for (size_t next = 0; next < lines; next += group) {
    size_t last = next + group < lines ? next + group - 1 : lines - 1;
    size_t size = (size_t)(all[last].start + all[last].length + 1 - all[next].start);
    z_stream stream = {0};
    if (deflateInit2(&stream, atoi(arguments[2]), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      fail("deflate", "cannot start");
    size_t room = deflateBound(&stream, size);
    unsigned char *output = malloc(room);
    if (!output) fail("deflate", "no memory");
    stream.next_in = (unsigned char *)all[next].start;
    stream.avail_in = (unsigned)size;
    stream.next_out = output;
    stream.avail_out = (unsigned)room;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) fail("deflate", "failed");
    deflateEnd(&stream);
    free(output);
  }
  print_watch(lines);
  return 0;
}
