/*
 * The peer of `wok bench fabric`: what Wok's exchange does, over MPI_Alltoallv. Rank 0 reads a line per measurement from
 * its standard input and answers each with a line:
 *
 *   latency BYTES TRIPS BATCHES                        ranks 0 and 1, there and back; nanoseconds one way per batch
 *   exchange HIDDEN TOKENS TOPK EXPERTS WARMUP REPEATS nanoseconds of route, dispatch and combine per repeat
 *   end
 *
 * Tokens are float32, travel as bfloat16, once to each rank, and are float32 again there, sorted by the rank that they come
 * from. Rows, one for each choice, sorted by expert and then as the tokens are, are float32; a rank adds up those that it
 * has of a token, weighted, and the sum travels back as bfloat16 and is added to its token from where it was received, in the
 * order of the ranks. An expert's rows are filled once, before anything is timed. What stays on a rank does not go through MPI.
 * Experts are a power of two; the formulas in `chosen`, `value` and `weight` are those of FabricJob.java.
 *
 * With the argument `each` a token travels once for each choice, straight to a row of the expert, and a row for each choice
 * comes back and is added at home, weighted: what a collective alone does, and most libraries over one do.
 */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { NONE, LATENCY, EXCHANGE, END, FIELDS = 7, IDLE_MICROS = 500 };

static int rank, size;
static int each; /* whether a token, and its result, travel for each choice */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

/* As Wok's tensors: in huge pages where they are large. */
static void huge(void *p, size_t bytes) {
    uintptr_t page = 4096, begin = ((uintptr_t) p + page - 1) / page * page;
    if (bytes > (4 << 20)) {
        madvise((void *) begin, (uintptr_t) p + bytes - begin, MADV_HUGEPAGE);
    }
}

static void *room(size_t bytes) {
    void *p = NULL;
    size_t whole = (bytes + 64) / 64 * 64;
    if (posix_memalign(&p, 64, whole) != 0) {
        fprintf(stderr, "no memory for %zu bytes\n", whole);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    huge(p, whole);
    memset(p, 0, whole);
    return p;
}

static int chosen(uint32_t token, int k, int experts) {
    uint32_t h = token * 2654435761u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    return (int) ((h + (uint32_t) k * ((h >> 16) | 1)) & (uint32_t) (experts - 1));
}

static float value(uint32_t token, int column) {
    return (float) ((int) ((token * 131u + (uint32_t) column * 29u) % 15u) - 7) / 64;
}

static float weight(uint32_t token, int k) {
    return (float) (1 + (token + (uint32_t) k) % 4) / 8;
}

static uint32_t rounded(uint32_t bits) {
    return bits + 0x7fff + ((bits >> 16) & 1);
}

static void narrow(const float *restrict from, uint16_t *restrict to, int n) {
    const uint32_t *bits = (const uint32_t *) from;
    for (int i = 0; i < n; i++) {
        to[i] = (uint16_t) (rounded(bits[i]) >> 16);
    }
}

static void widen(const uint16_t *restrict from, float *restrict to, int n) {
    uint32_t *bits = (uint32_t *) to;
    for (int i = 0; i < n; i++) {
        bits[i] = (uint32_t) from[i] << 16;
    }
}

/* What does not travel, rounded as if it had. */
static void round_all(const float *restrict from, float *restrict to, int n) {
    const uint32_t *bits = (const uint32_t *) from;
    uint32_t *to_bits = (uint32_t *) to;
    for (int i = 0; i < n; i++) {
        to_bits[i] = rounded(bits[i]) & 0xffff0000u;
    }
}

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* y += w x, of bfloat16. */
static void add(float w, const uint16_t *restrict x, float *restrict y, int n) {
    for (int i = 0; i < n; i++) {
        y[i] += w * from_bits((uint32_t) x[i] << 16);
    }
}

/* y += w x */
static void add_floats(float w, const float *restrict x, float *restrict y, int n) {
    for (int i = 0; i < n; i++) {
        y[i] += w * x[i];
    }
}

/* The same of a row that did not travel, rounded as if it had. */
static void add_rounded(float w, const float *restrict x, float *restrict y, int n) {
    const uint32_t *bits = (const uint32_t *) x;
    for (int i = 0; i < n; i++) {
        y[i] += w * from_bits(rounded(bits[i]) & 0xffff0000u);
    }
}

/* One direction's parts by rank: how many, and where they begin. */
struct parts {
    int *count, *at;
};

static struct parts parts(void) {
    return (struct parts) {room(size * sizeof(int)), room((size + 1) * sizeof(int))};
}

static void place(struct parts p) {
    for (int r = 0; r < size; r++) {
        p.at[r + 1] = p.at[r] + p.count[r];
    }
}

static void drop(struct parts p) {
    free(p.count);
    free(p.at);
}

struct job {
    int hidden, tokens, topk, experts, mine;
    int *choices;                    /* [tokens * topk] */
    float *x, *arrived, *rows, *y, *weights;
    struct parts out, in;            /* tokens that go and come */
    struct parts out_choices, in_choices;
    struct parts wire_out, wire_in;  /* in values, none for this rank */
    int *out_token;                  /* tokens by rank they go to */
    uint32_t *out_choice, *in_choice; /* position among the tokens of a pair of ranks << 12 | expert of the rank */
    int *in_row;                     /* row of each choice */
    float *out_weight, *in_weight;   /* of each choice */
    float *sum;                      /* [hidden] */
    int *next;                       /* [experts of the rank + 1] */
    uint16_t *send, *receive;
};

static void wire(struct job *j, struct parts to, struct parts of) {
    for (int r = 0; r < size; r++) {
        to.count[r] = r == rank ? 0 : of.count[r] * j->hidden;
    }
    place(to);
}

/* Counts first, then which of the tokens each expert gets. */
static void route(struct job *j) {
    int *seen = j->next;
    memset(j->out.count, 0, size * sizeof(int));
    memset(j->out_choices.count, 0, size * sizeof(int));
    for (int t = 0; t < j->tokens; t++) {
        uint64_t ranks = 0;
        for (int k = 0; k < j->topk; k++) {
            int to = j->choices[t * j->topk + k] / j->mine;
            j->out.count[to] += each || !(ranks >> to & 1);
            j->out_choices.count[to]++;
            ranks |= 1ull << to;
        }
    }
    place(j->out);
    place(j->out_choices);
    int counts[2 * 64], theirs[2 * 64], token_at[64], choice_at[64];
    for (int r = 0; r < size; r++) {
        counts[2 * r] = j->out.count[r];
        counts[2 * r + 1] = j->out_choices.count[r];
        token_at[r] = j->out.at[r];
        choice_at[r] = j->out_choices.at[r];
    }
    MPI_Request request;
    MPI_Ialltoall(counts, 2, MPI_INT, theirs, 2, MPI_INT, MPI_COMM_WORLD, &request);
    for (int t = 0; t < j->tokens; t++) {
        uint64_t ranks = 0;
        for (int k = 0; k < j->topk; k++) {
            int slot = t * j->topk + k, to = j->choices[slot] / j->mine;
            if (each || !(ranks >> to & 1)) {
                j->out_token[token_at[to]++] = t;
                ranks |= 1ull << to;
            }
            j->out_weight[choice_at[to]] = j->weights[slot];
            j->out_choice[choice_at[to]++] =
                (uint32_t) (token_at[to] - 1 - j->out.at[to]) << 12 | (uint32_t) (j->choices[slot] % j->mine);
        }
    }
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    for (int r = 0; r < size; r++) {
        j->in.count[r] = theirs[2 * r];
        j->in_choices.count[r] = theirs[2 * r + 1];
    }
    place(j->in);
    place(j->in_choices);
    MPI_Alltoallv(j->out_choice, j->out_choices.count, j->out_choices.at, MPI_UINT32_T, j->in_choice,
        j->in_choices.count, j->in_choices.at, MPI_UINT32_T, MPI_COMM_WORLD);
    if (!each) {
        MPI_Alltoallv(j->out_weight, j->out_choices.count, j->out_choices.at, MPI_FLOAT, j->in_weight,
            j->in_choices.count, j->in_choices.at, MPI_FLOAT, MPI_COMM_WORLD);
    }
    int all = j->in_choices.at[size];
    memset(seen, 0, (j->mine + 1) * sizeof(int));
    for (int c = 0; c < all; c++) {
        seen[(j->in_choice[c] & 0xfff) + 1]++;
    }
    for (int e = 0; e < j->mine; e++) {
        seen[e + 1] += seen[e];
    }
    for (int c = 0; c < all; c++) {
        j->in_row[c] = seen[j->in_choice[c] & 0xfff]++;
    }
}

/* Where a token goes that comes, or its copy for one choice. */
static float *arrived(struct job *j, int i) {
    return j->arrived + (size_t) (each ? j->in_row[i] : i) * j->hidden;
}

static void dispatch(struct job *j) {
    size_t h = j->hidden;
    wire(j, j->wire_out, j->out);
    wire(j, j->wire_in, j->in);
    for (int r = 0; r < size; r++) {
        if (r == rank) {
            continue;
        }
        uint16_t *to = j->send + j->wire_out.at[r];
        for (int i = j->out.at[r]; i < j->out.at[r + 1]; i++, to += h) {
            narrow(j->x + j->out_token[i] * h, to, j->hidden);
        }
    }
    MPI_Alltoallv(j->send, j->wire_out.count, j->wire_out.at, MPI_UINT16_T, j->receive, j->wire_in.count,
        j->wire_in.at, MPI_UINT16_T, MPI_COMM_WORLD);
    for (int r = 0; r < size; r++) {
        const uint16_t *from = j->receive + j->wire_in.at[r];
        for (int i = 0; i < j->in.count[r]; i++, from += h) {
            float *to = arrived(j, j->in.at[r] + i);
            if (r == rank) {
                round_all(j->x + j->out_token[j->out.at[r] + i] * h, to, j->hidden);
            } else {
                widen(from, to, j->hidden);
            }
        }
    }
}

/* Where the token of a choice that came from a rank is. */
static float *token(struct job *j, int from, int c) {
    return arrived(j, j->in.at[from] + (int) (j->in_choice[c] >> 12));
}

/* Every expert gives back what it gets. */
static void fill(struct job *j) {
    for (int r = 0; r < size; r++) {
        for (int c = j->in_choices.at[r]; c < j->in_choices.at[r + 1]; c++) {
            memcpy(j->rows + (size_t) j->in_row[c] * j->hidden, token(j, r, c), j->hidden * sizeof(float));
        }
    }
    memset(j->arrived, 0, (size_t) j->in.at[size] * j->hidden * sizeof(float));
}

/* Sums what there is of the token that a choice is of. Returns the choice after its last. */
static int sum(struct job *j, int c, int end) {
    uint32_t token = j->in_choice[c] >> 12;
    memset(j->sum, 0, j->hidden * sizeof(float));
    for (; c < end && j->in_choice[c] >> 12 == token; c++) {
        add_floats(j->in_weight[c], j->rows + (size_t) j->in_row[c] * j->hidden, j->sum, j->hidden);
    }
    return c;
}

static void combine(struct job *j) {
    size_t h = j->hidden;
    wire(j, j->wire_out, each ? j->in_choices : j->in);
    wire(j, j->wire_in, each ? j->out_choices : j->out);
    for (int r = 0; r < size; r++) {
        if (r == rank) {
            continue;
        }
        uint16_t *to = j->send + j->wire_out.at[r];
        for (int c = j->in_choices.at[r], end = j->in_choices.at[r + 1]; c < end; to += h) {
            if (each) {
                narrow(j->rows + j->in_row[c++] * h, to, j->hidden);
            } else {
                c = sum(j, c, end);
                narrow(j->sum, to, j->hidden);
            }
        }
    }
    MPI_Alltoallv(j->send, j->wire_out.count, j->wire_out.at, MPI_UINT16_T, j->receive, j->wire_in.count,
        j->wire_in.at, MPI_UINT16_T, MPI_COMM_WORLD);
    const uint16_t *from[64];
    for (int r = 0; r < size; r++) {
        from[r] = j->receive + j->wire_in.at[r];
    }
    int own = j->in_choices.at[rank];
    for (int t = 0; t < j->tokens; t++) {
        float *y = j->y + t * h;
        uint64_t ranks = 0;
        for (int k = 0; k < j->topk; k++) {
            int slot = t * j->topk + k, r = j->choices[slot] / j->mine;
            ranks |= 1ull << r;
            if (each && r == rank) {
                add_rounded(j->weights[slot], j->rows + j->in_row[own++] * h, y, j->hidden);
            } else if (each) {
                add(j->weights[slot], from[r], y, j->hidden);
                from[r] += h;
            }
        }
        for (int r = 0; r < size && !each; r++) {
            if (ranks >> r & 1 && r == rank) {
                own = sum(j, own, j->in_choices.at[rank + 1]);
                add_rounded(1, j->sum, y, j->hidden);
            } else if (ranks >> r & 1) {
                add(1, from[r], y, j->hidden);
                from[r] += h;
            }
        }
    }
}

/* Sums are exact. */
static void check(struct job *j, int times) {
    for (int r = 0; r < size; r++) {
        for (int c = j->in_choices.at[r]; c < j->in_choices.at[r + 1]; c++) {
            if (memcmp(j->rows + (size_t) j->in_row[c] * j->hidden, token(j, r, c), j->hidden * sizeof(float))) {
                fprintf(stderr, "rank %d, row %d: its token came another way\n", rank, j->in_row[c]);
                MPI_Abort(MPI_COMM_WORLD, 1);
            }
        }
    }
    for (int t = 0; t < j->tokens; t++) {
        uint32_t token = (uint32_t) (rank * j->tokens + t);
        float factor = 0;
        for (int k = 0; k < j->topk; k++) {
            factor += (float) times * weight(token, k);
        }
        for (int c = t % 61; c < j->hidden; c += 61) {
            if (j->y[(size_t) t * j->hidden + c] != value(token, c) * factor) {
                fprintf(stderr, "rank %d, token %d, column %d is wrong\n", rank, t, c);
                MPI_Abort(MPI_COMM_WORLD, 1);
            }
        }
    }
}

static void exchange(const int *f) {
    struct job j = {.hidden = f[1], .tokens = f[2], .topk = f[3], .experts = f[4], .mine = f[4] / size};
    int repeats = f[6], most = j.tokens * j.topk;
    size_t h = j.hidden;
    struct parts *all[] = {&j.out, &j.in, &j.out_choices, &j.in_choices, &j.wire_out, &j.wire_in};
    for (int i = 0; i < 6; i++) {
        *all[i] = parts();
    }
    j.choices = room(most * sizeof(int));
    j.out_token = room(most * sizeof(int));
    j.out_choice = room(most * sizeof(int));
    j.weights = room(most * sizeof(float));
    j.out_weight = room(most * sizeof(float));
    j.in_weight = room((size_t) most * size * sizeof(float));
    j.sum = room(j.hidden * sizeof(float));
    j.in_choice = room((size_t) most * size * sizeof(int));
    j.in_row = room((size_t) most * size * sizeof(int));
    j.next = room((j.mine + 1) * sizeof(int));
    j.x = room(j.tokens * h * sizeof(float));
    j.y = room(j.tokens * h * sizeof(float));
    for (int t = 0; t < j.tokens; t++) {
        uint32_t token = (uint32_t) (rank * j.tokens + t);
        for (int k = 0; k < j.topk; k++) {
            j.choices[t * j.topk + k] = chosen(token, k, j.experts);
            j.weights[t * j.topk + k] = weight(token, k);
        }
        for (int c = 0; c < j.hidden; c++) {
            j.x[t * h + c] = value(token, c);
        }
    }
    route(&j);
    size_t rows = j.in_choices.at[size], wired = rows > (size_t) most ? rows : (size_t) most;
    j.arrived = room(j.in.at[size] * h * sizeof(float));
    j.rows = room(rows * h * sizeof(float));
    j.send = room(wired * h * sizeof(uint16_t));
    j.receive = room(wired * h * sizeof(uint16_t));
    dispatch(&j);
    fill(&j);
    double *nanos = room(repeats * sizeof(double));
    for (int i = -f[5]; i < repeats; i++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double begin = now();
        route(&j);
        dispatch(&j);
        combine(&j);
        MPI_Barrier(MPI_COMM_WORLD);
        if (i >= 0) {
            nanos[i] = now() - begin;
        }
    }
    check(&j, f[5] + repeats);
    if (rank == 0) {
        for (int i = 0; i < repeats; i++) {
            printf("%.0f ", nanos[i]);
        }
        printf("\n");
    }
    void *held[] = {j.choices, j.out_token, j.out_choice, j.weights, j.out_weight, j.in_weight, j.sum, j.in_choice,
        j.in_row, j.next, j.x, j.y,
        j.arrived, j.rows, j.send, j.receive, nanos};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        free(held[i]);
    }
    for (int i = 0; i < 6; i++) {
        drop(*all[i]);
    }
}

static void latency(const int *f) {
    int bytes = f[1];
    char *there = room(bytes), *back = room(bytes);
    for (int batch = -1; batch < f[3]; batch++) {
        double begin = now();
        for (int i = 0; i < f[2]; i++) {
            if (rank == 0) {
                MPI_Send(there, bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
                MPI_Recv(back, bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            } else if (rank == 1) {
                MPI_Recv(back, bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
                MPI_Send(there, bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
            }
        }
        if (rank == 0 && batch >= 0) {
            printf("%.1f ", (now() - begin) / f[2] / 2);
        }
    }
    if (rank == 0) {
        printf("\n");
    }
    free(there);
    free(back);
}

/* Ranks that have nothing to do sleep: others are measured meanwhile. */
static void next_line(int *fields) {
    if (rank == 0) {
        char line[256], word[32] = "end";
        memset(fields, 0, FIELDS * sizeof(int));
        if (fgets(line, sizeof line, stdin) != NULL) {
            sscanf(line, "%31s %d %d %d %d %d %d", word, fields + 1, fields + 2, fields + 3, fields + 4, fields + 5,
                fields + 6);
        }
        fields[0] = !strcmp(word, "latency") ? LATENCY : !strcmp(word, "exchange") ? EXCHANGE : END;
        for (int r = 1; r < size; r++) {
            MPI_Send(fields, FIELDS, MPI_INT, r, 1, MPI_COMM_WORLD);
        }
        return;
    }
    for (int here = 0; !here; ) {
        MPI_Iprobe(0, 1, MPI_COMM_WORLD, &here, MPI_STATUS_IGNORE);
        if (!here) {
            usleep(IDLE_MICROS);
        }
    }
    MPI_Recv(fields, FIELDS, MPI_INT, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    each = argc > 1 && !strcmp(argv[1], "each");
    int fields[FIELDS] = {NONE};
    while (size <= 64 && fields[0] != END) {
        next_line(fields);
        if (fields[0] == LATENCY) {
            latency(fields);
        } else if (fields[0] == EXCHANGE) {
            exchange(fields);
        }
        fflush(stdout);
    }
    MPI_Finalize();
    return 0;
}
