/* Measures llama.cpp 0.5: a prompt of 512 tokens, then 128 tokens one by one, some times; prints medians.
 *
 *   measure MODEL.gguf THREADS TIMES FOLDER_OF_LIBRARIES
 *
 * Built against the libraries alone: settings are passed as blocks that are large enough, and of them only the first
 * field of a context's, its length, is set.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PROMPT = 512, NEW = 128, TIMES_MOST = 64 };

typedef struct {
  unsigned char bytes[1024];
} settings;

typedef struct {
  int32_t count;
  int32_t *token;
  float *embedding;
  int32_t *position;
  int32_t *sequences;
  int32_t **sequence;
  int8_t *logits;
} batch;

void ggml_backend_load_all_from_path(const char *);
void llama_backend_init(void);
void llama_log_set(void (*)(int, const char *, void *), void *);
settings llama_model_default_params(void);
settings llama_context_default_params(void);
void *llama_model_load_from_file(const char *, settings);
void *llama_init_from_model(void *, settings);
void llama_set_n_threads(void *, int32_t, int32_t);
void *llama_get_memory(void *);
void llama_memory_clear(void *, int);
batch llama_batch_get_one(int32_t *, int32_t);
int llama_decode(void *, batch);
float *llama_get_logits_ith(void *, int32_t);

static void say_nothing(int level, const char *text, void *data) {
  (void)level, (void)text, (void)data;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Seconds from the tokens to the logits of the last one. */
static double seconds(void *context, int32_t *tokens, int32_t count) {
  double begin = now();
  if (llama_decode(context, llama_batch_get_one(tokens, count)) || !llama_get_logits_ith(context, -1)) {
    fputs("llama_decode failed\n", stderr);
    exit(1);
  }
  return now() - begin;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fputs("measure MODEL.gguf THREADS TIMES FOLDER_OF_LIBRARIES\n", stderr);
    return 2;
  }
  int threads = atoi(argv[2]), times = atoi(argv[3]);
  if (threads < 1 || times < 1 || times > TIMES_MOST) {
    fputs("measure: expected 1 thread or more, 1 to 64 times\n", stderr);
    return 2;
  }
  llama_log_set(say_nothing, NULL);
  ggml_backend_load_all_from_path(argv[4]);
  llama_backend_init();
  void *model = llama_model_load_from_file(argv[1], llama_model_default_params());
  settings of_context = llama_context_default_params();
  *(uint32_t *)of_context.bytes = 2 * PROMPT;
  void *context = model ? llama_init_from_model(model, of_context) : NULL;
  if (!context) {
    fprintf(stderr, "measure: %s could not be loaded\n", argv[1]);
    return 1;
  }
  llama_set_n_threads(context, threads, threads);
  int32_t prompt[PROMPT];
  for (int i = 0; i < PROMPT; i++) {
    prompt[i] = 300 + i * 7919 % 7000;
  }
  double prefill[TIMES_MOST], decode[TIMES_MOST];
  for (int time = 0; time < times; time++) {
    llama_memory_clear(llama_get_memory(context), 1);
    prefill[time] = PROMPT / seconds(context, prompt, PROMPT);
    double sum = 0;
    for (int32_t i = 0; i < NEW; i++) {
      int32_t token = 300 + i;
      sum += seconds(context, &token, 1);
    }
    decode[time] = NEW / sum;
  }
  qsort(prefill, times, sizeof(double), ascending);
  qsort(decode, times, sizeof(double), ascending);
  printf("prefill_%d %.1f tokens/s, decode_%d %.1f tokens/s\n", PROMPT, prefill[times / 2], NEW, decode[times / 2]);
  return 0;
}
