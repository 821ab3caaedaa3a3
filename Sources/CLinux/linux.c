#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// MARK: - The calling process and thread

int cl_set_parent_death_signal(int signal) {
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal);
}

int cl_get_parent_death_signal(void) {
    int signal = 0;
    return prctl(PR_GET_PDEATHSIG, &signal) == 0 ? signal : -1;
}

void cl_keep_freed_memory(int kept_byte_count, int largest_byte_count) {
    // Refused only for numbers that make no sense; it changes nothing but the time that allocations take.
    mallopt(M_TRIM_THRESHOLD, kept_byte_count);
    mallopt(M_MMAP_THRESHOLD, largest_byte_count);
}

int cl_forbid_dumps(void) {
    struct rlimit none;
    if (getrlimit(RLIMIT_CORE, &none) != 0) return -1;
    none.rlim_cur = 0;
    if (setrlimit(RLIMIT_CORE, &none) != 0) return -1;
    return prctl(PR_SET_DUMPABLE, 0ul);
}

int cl_set_child_subreaper(int on) { return prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)on); }

int cl_set_thread_name(const char *name) { return prctl(PR_SET_NAME, name); }

int32_t cl_thread_id(void) { return (int32_t)syscall(SYS_gettid); }

int cl_set_thread_processor(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

// MARK: - Memory files

int cl_memfd_create(const char *name) {
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int cl_add_seals(int descriptor, unsigned seals) {
    return fcntl(descriptor, F_ADD_SEALS, (int)seals);
}

int cl_get_seals(int descriptor) { return fcntl(descriptor, F_GET_SEALS); }

void *cl_map_shared(int descriptor, int64_t byte_offset, size_t byte_count, int writable) {
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *address = mmap(NULL, byte_count, protection, MAP_SHARED, descriptor, (off_t)byte_offset);
    if (address == MAP_FAILED) return NULL;
    // Pixels help nobody in a core dump, make it huge, and may be secret.
    madvise(address, byte_count, MADV_DONTDUMP);
    return address;
}

int cl_unmap(void *address, size_t byte_count) { return munmap(address, byte_count); }

int cl_reopen_read_only(int descriptor) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return open(path, O_RDONLY | O_CLOEXEC);
}

// MARK: - Descriptors and files

int cl_set_pipe_capacity(int descriptor, int byte_count) {
    return fcntl(descriptor, F_SETPIPE_SZ, byte_count);
}

int cl_get_pipe_capacity(int descriptor) { return fcntl(descriptor, F_GETPIPE_SZ); }

int cl_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int cl_duplicate(int descriptor, int minimum) {
    return fcntl(descriptor, F_DUPFD_CLOEXEC, minimum);
}

int cl_set_nonblocking(int descriptor, int on) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -1;
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return wanted == flags ? 0 : fcntl(descriptor, F_SETFL, wanted);
}

int cl_open(const char *path, int flags, unsigned mode) {
    return open(path, flags | O_CLOEXEC, (mode_t)mode);
}

int cl_rename_no_replace(const char *from, const char *to) {
    return cl_rename_no_replace_at(AT_FDCWD, from, to);
}

int cl_rename_no_replace_at(int directory, const char *from, const char *to) {
    if (renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    // A file system without RENAME_NOREPLACE (NFS): a hard link never replaces either.
    if (linkat(directory, from, directory, to, 0) != 0) return -1;
    return unlinkat(directory, from, 0);
}

int cl_sync_file_system(int descriptor) { return syncfs(descriptor); }

int cl_open_at(int directory, const char *name, int flags, unsigned mode) {
    return openat(directory, name, flags | O_CLOEXEC, (mode_t)mode);
}

// MARK: - Waiting

int cl_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int cl_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

_Static_assert(cl_epoll_in == EPOLLIN && cl_epoll_out == EPOLLOUT, "epoll bits");
_Static_assert(cl_epoll_error == EPOLLERR && cl_epoll_hang_up == EPOLLHUP, "epoll bits");
_Static_assert(cl_epoll_read_hang_up == EPOLLRDHUP, "epoll bits");

static int control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int cl_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, events, token);
}

int cl_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t token) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, events, token);
}

int cl_epoll_remove(int epoll, int descriptor) {
    return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0);
}

int cl_epoll_wait(int epoll, cl_epoll_event *events, int capacity, int timeout_milliseconds) {
    struct epoll_event raw[64];
    int count = epoll_wait(epoll, raw, capacity < 64 ? capacity : 64, timeout_milliseconds);
    for (int i = 0; i < count; i++) {
        events[i] = (cl_epoll_event){.token = raw[i].data.u64, .events = raw[i].events};
    }
    return count;
}

// MARK: - Processes

int cl_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int cl_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int cl_wait_pidfd(int pidfd, int no_hang, cl_wait_result *result) {
    siginfo_t info;
    memset(&info, 0, sizeof info);  // with WNOHANG and nothing to report pid stays 0 (man 2 waitid)
    int options = WEXITED | (no_hang ? WNOHANG : 0);
    int answer = waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, options);
    *result = (cl_wait_result){.pid = info.si_pid, .code = info.si_code, .status = info.si_status};
    return answer;
}

int cl_spawn_add_close_from(void *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np((posix_spawn_file_actions_t *)actions, first);
}

// MARK: - Texts of numbers

const char *cl_error_text(int error_number) { return strerrordesc_np(error_number); }

const char *cl_signal_name(int signal) { return sigabbrev_np(signal); }

const char *cl_signal_text(int signal) { return sigdescr_np(signal); }
