/* The floor of the benchmarks: the moves that a frame cannot do without, and nothing else.
 *
 * A parent fills slots in shared memory and tells forked workers by a 32-byte token on a pipe which
 * slot to take; a worker does its load and sends the token back on a pipe that all workers share
 * (writes of less than PIPE_BUF bytes are whole, POSIX write(2)). One write and one read of one token
 * per frame and direction, `--in-flight` tokens per worker. No ledger, no statistics, no faults.
 *
 * Loads: hand-over (the token only), sum (every uint16 into 64 bits), write (open, write, close of a new
 * file per frame), process (the same writing in the parent alone, without workers and pipes).
 *
 * One line of JSON on standard output; times in seconds. Built by scripts/bench with -O3 -march=native.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum load { HAND_OVER, SUM, WRITE, PROCESS };

/* 32 bytes, as much as a lean descriptor needs. */
struct token {
    uint64_t frame;
    uint64_t result;
    uint32_t slot;
    uint32_t worker;
    uint64_t byte_count;
};

/* More would only be more of the same; both bound arrays below. */
enum { MAXIMUM_WORKERS = 64, MAXIMUM_LATENCIES = 1 << 20 };

static enum load load = HAND_OVER;
static size_t byte_count = 32768;
static int worker_count = 1, in_flight = 8;
static double seconds = 1, warm_up = 0.1;
/* Microseconds of rest before a token is sent, where only one is in flight. */
static unsigned rest = 0;
static uint64_t maximum_frames = UINT64_MAX;
static const char *directory = "/dev/shm";

static unsigned char *slots;
static pid_t workers[MAXIMUM_WORKERS];
static int to_worker[MAXIMUM_WORKERS];
static int from_workers;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double clock_seconds(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        return 0;
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double now(void) { return clock_seconds(CLOCK_MONOTONIC); }

/* CPU seconds of a whole process so far, user and system. */
static double cpu_of(pid_t process)
{
    clockid_t clock;
    return clock_getcpuclockid(process, &clock) == 0 ? clock_seconds(clock) : 0;
}

/* A field of /proc/PID/status in bytes, 0 when it is not there. */
static uint64_t status_of(pid_t process, const char *field)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    uint64_t kibibytes = 0;
    size_t length = strlen(field);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, field, length) == 0 && line[length] == ':')
            kibibytes = strtoull(line + length + 1, NULL, 10);
    fclose(file);
    return kibibytes * 1024;
}

static uint64_t private_of(pid_t process)
{
    return status_of(process, "RssAnon") + status_of(process, "VmSwap");
}

static uint64_t sum_of(const unsigned char *bytes)
{
    const uint16_t *pixels = (const uint16_t *)bytes;
    uint64_t sum = 0;
    for (size_t index = 0; index < byte_count / 2; index++)
        sum += pixels[index];
    return sum;
}

static void write_file(int place, uint64_t frame, const unsigned char *bytes)
{
    char name[32];
    snprintf(name, sizeof name, "%08llu.raw", (unsigned long long)frame);
    int file = openat(place, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        fail(name);
    for (size_t done = 0; done < byte_count;) {
        ssize_t count = write(file, bytes + done, byte_count - done);
        if (count < 0)
            fail("write");
        done += (size_t)count;
    }
    if (close(file) != 0)
        fail("close");
}

static int open_directory(void)
{
    int place = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place < 0)
        fail(directory);
    return place;
}

static _Noreturn void work(int input, int output)
{
    struct token token;
    int place = load == WRITE ? open_directory() : -1;
    while (read(input, &token, sizeof token) == (ssize_t)sizeof token) {
        const unsigned char *bytes = slots + (size_t)token.slot * byte_count;
        if (load == SUM)
            token.result = sum_of(bytes);
        else if (load == WRITE)
            write_file(place, token.frame, bytes);
        if (write(output, &token, sizeof token) != (ssize_t)sizeof token)
            _exit(1);
    }
    _exit(0);
}

static void start_workers(void)
{
    int results[2];
    if (pipe2(results, O_CLOEXEC) != 0)
        fail("pipe");
    for (int worker = 0; worker < worker_count; worker++) {
        int orders[2];
        if (pipe2(orders, O_CLOEXEC) != 0)
            fail("pipe");
        pid_t parent = getpid(), child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != parent)
                _exit(1);
            close(orders[1]);
            close(results[0]);
            for (int other = 0; other < worker; other++)
                close(to_worker[other]);
            work(orders[0], results[1]);
        }
        close(orders[0]);
        to_worker[worker] = orders[1];
        workers[worker] = child;
    }
    close(results[1]);
    from_workers = results[0];
}

static void send_token(struct token *token, uint64_t frame)
{
    token->frame = frame;
    if (write(to_worker[token->worker], token, sizeof *token) != (ssize_t)sizeof *token)
        fail("write to a worker");
}

static struct token receive_token(void)
{
    struct token token;
    if (read(from_workers, &token, sizeof token) != (ssize_t)sizeof token)
        fail("read from the workers");
    return token;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* What one window gave. */
static struct {
    uint64_t frames;
    double elapsed, controller_cpu, worker_cpu;
    double *latencies;
    size_t latency_count;
} result;

static double workers_cpu(void)
{
    double sum = 0;
    for (int worker = 0; worker < worker_count; worker++)
        sum += cpu_of(workers[worker]);
    return sum;
}

/* Warms up, then counts tokens that came back until the time or the frames are over. */
static void measure_workers(void)
{
    uint64_t sent = 0, received = 0, begun_at = 0;
    double begin = 0, end = now() + warm_up, sent_at = 0;
    int is_timed = 0, is_single = in_flight * worker_count == 1;
    /* The clock is not read for every token where tokens are fast. */
    uint64_t mask = load == HAND_OVER || byte_count < 1 << 18 ? 63 : 0;

    for (int place = 0; place < in_flight * worker_count; place++) {
        struct token token = {.slot = (uint32_t)place, .worker = (uint32_t)(place % worker_count),
                              .byte_count = byte_count};
        sent_at = is_single ? now() : 0;
        send_token(&token, sent++);
    }
    while (received < sent) {
        struct token token = receive_token();
        received++;
        if (is_single) {
            double time = now();
            if (is_timed && result.latency_count < MAXIMUM_LATENCIES)
                result.latencies[result.latency_count++] = time - sent_at;
            sent_at = time;
        }
        if (is_single || (received & mask) == 0 || sent >= maximum_frames) {
            double time = now();
            if (!is_timed && time >= end) {
                is_timed = 1;
                result.controller_cpu = -cpu_of(getpid());
                result.worker_cpu = -workers_cpu();
                begun_at = received;
                begin = now();
                end = begin + seconds;
            } else if (is_timed && (time >= end || sent >= maximum_frames)) {
                result.elapsed = time - begin;
                result.frames = received - begun_at;
                result.controller_cpu += cpu_of(getpid());
                result.worker_cpu += workers_cpu();
                return;
            }
        }
        if (is_single) {
            if (rest > 0)
                usleep(rest);
            sent_at = now();
        }
        send_token(&token, sent++);
    }
}

/* The same writing without workers: what AdOutputFileProcessor.process() is compared with. */
static void measure_writing(void)
{
    int place = open_directory();
    uint64_t frame = 0;
    for (; frame < 16; frame++)
        write_file(place, frame, slots);
    double begin = now(), time = begin;
    result.controller_cpu = -cpu_of(getpid());
    do {
        write_file(place, frame, slots + frame % (uint64_t)in_flight * byte_count);
        frame++;
        time = now();
    } while (time < begin + seconds && frame < maximum_frames);
    result.elapsed = time - begin;
    result.frames = frame - 16;
    result.controller_cpu += cpu_of(getpid());
}

static void parse(int count, char **words)
{
    static const char *names[] = {"hand-over", "sum", "write", "process"};
    for (int index = 1; index + 1 < count; index += 2) {
        const char *key = words[index], *value = words[index + 1];
        if (!strcmp(key, "--load")) {
            int found = -1;
            for (int name = 0; name < 4; name++)
                if (!strcmp(value, names[name]))
                    found = name;
            errno = EINVAL;
            if (found < 0)
                fail(value);
            load = (enum load)found;
        } else if (!strcmp(key, "--bytes"))
            byte_count = strtoull(value, NULL, 10);
        else if (!strcmp(key, "--workers"))
            worker_count = atoi(value);
        else if (!strcmp(key, "--in-flight"))
            in_flight = atoi(value);
        else if (!strcmp(key, "--seconds"))
            seconds = atof(value);
        else if (!strcmp(key, "--warm-up"))
            warm_up = atof(value);
        else if (!strcmp(key, "--maximum-frames"))
            maximum_frames = strtoull(value, NULL, 10);
        else if (!strcmp(key, "--rest"))
            rest = (unsigned)atoi(value);
        else if (!strcmp(key, "--directory"))
            directory = value;
        else {
            errno = EINVAL;
            fail(key);
        }
    }
    errno = EINVAL;
    if (worker_count < 1 || worker_count > MAXIMUM_WORKERS || in_flight < 1 || in_flight > 1024 ||
        byte_count < 2)
        fail("arguments");
}

static void print_result(uint64_t private_workers)
{
    uint64_t private_parent = private_of(getpid()), pool = status_of(getpid(), "RssShmem");
    double rate = result.elapsed > 0 ? (double)result.frames / result.elapsed : 0;
    double frames = result.frames > 0 ? (double)result.frames : 1;
    printf("{\"framesPerSecond\": %.3f, \"bytesPerSecond\": %.1f, \"frames\": %llu, "
           "\"elapsedSeconds\": %.6f, ", rate, rate * (double)byte_count,
           (unsigned long long)result.frames, result.elapsed);
    printf("\"cpuSecondsPerFrame\": {\"controller\": %.4g, \"workers\": %.4g}, ",
           result.controller_cpu / frames, result.worker_cpu / frames);
    if (result.latency_count > 0) {
        qsort(result.latencies, result.latency_count, sizeof(double), by_value);
        printf("\"latencySeconds\": {\"p50\": %.4g, \"p99\": %.4g}, ",
               result.latencies[result.latency_count / 2],
               result.latencies[result.latency_count - 1 - result.latency_count / 100]);
    }
    printf("\"privateBytes\": {\"controller\": %llu, \"workers\": %llu}, \"poolBytes\": %llu, "
           "\"peakResidentBytes\": %llu}\n", (unsigned long long)private_parent,
           (unsigned long long)private_workers, (unsigned long long)pool,
           (unsigned long long)(private_parent + private_workers + pool));
}

int main(int count, char **words)
{
    parse(count, words);
    size_t slot_count = (size_t)in_flight * (size_t)worker_count;
    slots = mmap(NULL, slot_count * byte_count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    result.latencies = malloc(MAXIMUM_LATENCIES * sizeof(double));
    if (slots == MAP_FAILED || !result.latencies)
        fail("memory");
    uint32_t state = 1;
    for (size_t index = 0; index < slot_count * byte_count / 2; index++) {
        state = state * 1664525u + 1013904223u;
        ((uint16_t *)slots)[index] = (uint16_t)(state >> 16);
    }
    uint64_t private_workers = 0;
    if (load == PROCESS) {
        measure_writing();
    } else {
        start_workers();
        measure_workers();
        for (int worker = 0; worker < worker_count; worker++)
            private_workers += private_of(workers[worker]);
        for (int worker = 0; worker < worker_count; worker++)
            close(to_worker[worker]);
        while (read(from_workers, &(struct token){0}, sizeof(struct token)) > 0)
            ;
        for (int worker = 0; worker < worker_count; worker++)
            waitpid(workers[worker], NULL, 0);
    }
    print_result(private_workers);
    return 0;
}
