// The plainest loop that writes items: one POST for each body, signed with SigV4, over curl's multi interface.
//
// items FILE URL CONCURRENCY [ITEMS [ITEMS_A_SECOND]]      at that rate in bursts of CONCURRENCY; FILE: a body a line; keys "bench", region ap-southeast-1
#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "common.h"

static const char *region = "ap-southeast-1", *target = "DynamoDB_20120810.UpdateItem";
static const char *content_type = "application/x-amz-json-1.0";
static const char *signed_headers = "content-type;host;x-amz-date;x-amz-target";

static unsigned char key[32];
static char day[9], date[17], host[128];

typedef struct {
  CURL *easy;
  struct curl_slist *headers;
} Slot;

static void hmac(const unsigned char *secret, int length, const char *text, unsigned char *out) {
  unsigned size = 32;
  HMAC(EVP_sha256(), secret, length, (const unsigned char *)text, strlen(text), out, &size);
}

static void make_key(void) {
  time_t now = time(NULL);
  struct tm parts;
  gmtime_r(&now, &parts);
  strftime(day, sizeof day, "%Y%m%d", &parts);
  strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &parts);
  hmac((const unsigned char *)"AWS4bench", 9, day, key);
  const char *rest[] = {region, "dynamodb", "aws4_request"};
  for (int part = 0; part < 3; part++) {
    unsigned char next[32];
    hmac(key, 32, rest[part], next);
    memcpy(key, next, 32);
  }
}

static void hex(const unsigned char *bytes, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (int place = 0; place < 32; place++) {
    out[2 * place] = digits[bytes[place] >> 4];
    out[2 * place + 1] = digits[bytes[place] & 15];
  }
  out[64] = 0;
}

static size_t drop(char *bytes, size_t size, size_t count, void *unused) {
  (void)bytes, (void)unused;
  return size * count;
}

static void prepare(Slot *slot, const Line *body) {
  unsigned char digest[32];
  char hash[65], text[1024], header[640];
  SHA256((const unsigned char *)body->start, body->length, digest);
  hex(digest, hash);
  int length = snprintf(text, sizeof text,
                        "POST\n/\n\ncontent-type:%s\nhost:%s\nx-amz-date:%s\nx-amz-target:%s\n\n%s\n%s", content_type,
                        host, date, target, signed_headers, hash);
  SHA256((const unsigned char *)text, (size_t)length, digest);
  hex(digest, hash);
  snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s/%s/dynamodb/aws4_request\n%s", date, day, region, hash);
  hmac(key, 32, text, digest);
  hex(digest, hash);
  curl_slist_free_all(slot->headers);
  slot->headers = NULL;
  snprintf(header, sizeof header, "Content-Type: %s", content_type);
  slot->headers = curl_slist_append(slot->headers, header);
  snprintf(header, sizeof header, "X-Amz-Target: %s", target);
  slot->headers = curl_slist_append(slot->headers, header);
  snprintf(header, sizeof header, "x-amz-date: %s", date);
  slot->headers = curl_slist_append(slot->headers, header);
  snprintf(header, sizeof header,
           "Authorization: AWS4-HMAC-SHA256 Credential=bench/%s/%s/dynamodb/aws4_request, SignedHeaders=%s, "
           "Signature=%s",
           day, region, signed_headers, hash);
  slot->headers = curl_slist_append(slot->headers, header);
  slot->headers = curl_slist_append(slot->headers, "Expect:");
  slot->headers = curl_slist_append(slot->headers, "Accept:");
  curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
  curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE, (long)body->length);
  curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body->start);
}

int main(int count, char **arguments) {
  if (count < 4) fail("items", "FILE URL CONCURRENCY [ITEMS [ITEMS_A_SECOND]]");
  size_t lines, next = 0, done = 0, limit = strtoul(arguments[3], NULL, 10);
  Line *all = read_lines(arguments[1], &lines);
  if (count > 4 && strtoul(arguments[4], NULL, 10) < lines) lines = strtoul(arguments[4], NULL, 10);
  double rate = count > 5 ? strtod(arguments[5], NULL) : 0;
  snprintf(host, sizeof host, "%s", arguments[2] + strlen("http://"));
  curl_global_init(CURL_GLOBAL_ALL);
  make_key();
  CURLM *multi = curl_multi_init();
  Slot *slots = calloc(limit, sizeof(Slot));
  if (!multi || !slots) fail("items", "no memory");

  start_watch();
  for (; next < limit && next < lines; next++) {
    Slot *slot = &slots[next];
    slot->easy = curl_easy_init();
    curl_easy_setopt(slot->easy, CURLOPT_URL, arguments[2]);
    curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, drop);
    prepare(slot, &all[next]);
    curl_multi_add_handle(multi, slot->easy);
  }
  while (done < lines) {
    int running, left;
    curl_multi_perform(multi, &running);
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
      if (message->msg != CURLMSG_DONE) continue;
      Slot *slot;
      long status;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
      curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
      if (message->data.result != CURLE_OK || status != 200) fail("items", "a request failed");
      curl_multi_remove_handle(multi, slot->easy);
      done++;
      if (next == lines || rate > 0) continue;
      prepare(slot, &all[next++]);
      curl_multi_add_handle(multi, slot->easy);
    }
    if (rate > 0 && done == next && next < lines) {
      keep_pace(next, rate);
      for (size_t place = 0; place < limit && next < lines; place++) {
        prepare(&slots[place], &all[next++]);
        curl_multi_add_handle(multi, slots[place].easy);
      }
      continue;
    }
    if (done < lines) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  print_watch(lines);
  return 0;
}
