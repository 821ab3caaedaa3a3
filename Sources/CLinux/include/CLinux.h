// Linux calls that Swift's Glibc module does not offer: variadic ones, those behind _GNU_SOURCE,
// and the checksum that needs a machine instruction. Everything is prefixed `cl_`.
//
// Unless told otherwise a function returns what the system call does: -1 with errno set.
#ifndef SLUICE_CLINUX_H
#define SLUICE_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

// MARK: - The calling process and thread

/// Asks for `signal` when the thread that spawned this process ends (man 2 PR_SET_PDEATHSIG).
int cl_set_parent_death_signal(int signal);

/// The signal set by `cl_set_parent_death_signal`, 0 for none.
int cl_get_parent_death_signal(void);

/// From now on the process leaves no core dump, and no other process of this user can read its memory. The
/// limit alone would not do: a program that gets core dumps through a pipe gets them all the same (man 5 core,
/// man 2 PR_SET_DUMPABLE). 0, or -1 with errno.
int cl_forbid_dumps(void);

/// Lets the allocator keep memory that is freed, up to `kept_byte_count`, and take blocks below
/// `largest_byte_count` from it (mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD).
void cl_keep_freed_memory(int kept_byte_count, int largest_byte_count);

/// Makes orphaned descendants children of this process (man 2 PR_SET_CHILD_SUBREAPER).
int cl_set_child_subreaper(int on);

/// Names the calling thread; the kernel keeps the first 15 bytes.
int cl_set_thread_name(const char *name);

/// The kernel's number of the calling thread.
int32_t cl_thread_id(void);

/// Confines the calling thread to one processor.
int cl_set_thread_processor(int processor);

// MARK: - Memory files

/// An anonymous file in memory, close-on-exec and open to seals (man 2 memfd_create).
int cl_memfd_create(const char *name);

enum {
    cl_seal_seal = 0x0001,
    cl_seal_shrink = 0x0002,
    cl_seal_grow = 0x0004,
    cl_seal_write = 0x0008,
    cl_seal_future_write = 0x0010,
};

/// Adds seals to a memory file; they can never be taken off (man 2 F_ADD_SEALS).
int cl_add_seals(int descriptor, unsigned seals);

/// The seals of a memory file.
int cl_get_seals(int descriptor);

/// Maps `byte_count` bytes shared, from `byte_offset`; NULL with errno set on failure.
void *cl_map_shared(int descriptor, int64_t byte_offset, size_t byte_count, int writable);

/// Unmaps what `cl_map_shared` gave.
int cl_unmap(void *address, size_t byte_count);

/// Opens a descriptor's file again, read only and close-on-exec, through /proc/self/fd.
/// This is how a writable memory file becomes a read-only descriptor to hand out.
int cl_reopen_read_only(int descriptor);

// MARK: - Descriptors and files

/// Sets the capacity of a pipe in bytes; returns the capacity that it got (man 2 F_SETPIPE_SZ).
int cl_set_pipe_capacity(int descriptor, int byte_count);

/// The capacity of a pipe in bytes.
int cl_get_pipe_capacity(int descriptor);

/// A pipe with both ends close-on-exec.
int cl_pipe(int ends[2]);

/// A duplicate with a number of at least `minimum`, close-on-exec.
int cl_duplicate(int descriptor, int minimum);

/// Sets or clears O_NONBLOCK.
int cl_set_nonblocking(int descriptor, int on);

/// open(2) without variadic arguments; O_CLOEXEC is added.
int cl_open(const char *path, int flags, unsigned mode);

/// Renames and refuses with EEXIST where `to` exists (man 2 renameat2, RENAME_NOREPLACE).
/// EINVAL where the file system cannot do it.
int cl_rename_no_replace(const char *from, const char *to);

/// The same for two names in one open directory.
int cl_rename_no_replace_at(int directory, const char *from, const char *to);

/// Brings everything on the file system of a descriptor to the disk (man 2 syncfs).
int cl_sync_file_system(int descriptor);

/// openat(2) without variadic arguments; O_CLOEXEC is added.
int cl_open_at(int directory, const char *name, int flags, unsigned mode);

// MARK: - Waiting

/// An event counter, close-on-exec and non-blocking (man 2 eventfd).
int cl_eventfd(void);

/// An epoll instance, close-on-exec.
int cl_epoll_create(void);

/// What happened to one descriptor: epoll_event without its union and its packing.
typedef struct {
    uint64_t token;
    uint32_t events;
    uint32_t reserved;
} cl_epoll_event;

enum {
    cl_epoll_in = 0x001,
    cl_epoll_out = 0x004,
    cl_epoll_error = 0x008,
    cl_epoll_hang_up = 0x010,
    cl_epoll_read_hang_up = 0x2000,
};

int cl_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t token);
int cl_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t token);
int cl_epoll_remove(int epoll, int descriptor);

/// Waits for at most `timeout_milliseconds` (-1: no end) and fills `events`, at most 64 a call.
int cl_epoll_wait(int epoll, cl_epoll_event *events, int capacity, int timeout_milliseconds);

// MARK: - Processes

/// A descriptor of a process, close-on-exec: readable when the process has ended.
int cl_pidfd_open(pid_t pid);

/// Sends a signal to exactly the process of the descriptor.
int cl_pidfd_send_signal(int pidfd, int signal);

/// How a process ended, as waitid reports it.
typedef struct {
    int32_t pid;     // 0: it still runs
    int32_t code;    // CLD_EXITED (1), CLD_KILLED (2), CLD_DUMPED (3)
    int32_t status;  // exit code or signal
} cl_wait_result;

/// Waits for and reaps the process of a pidfd; with `no_hang` it returns at once (pid 0: it runs).
int cl_wait_pidfd(int pidfd, int no_hang, cl_wait_result *result);

/// Asks posix_spawn to close every descriptor from `first` up in the child; returns an errno value.
/// `actions` is a `posix_spawn_file_actions_t *`.
int cl_spawn_add_close_from(void *actions, int first);

// MARK: - Texts of numbers (glibc 2.32; safe in threads, never freed)

/// What an errno value means, in English; NULL for an unknown one.
const char *cl_error_text(int error_number);

/// "KILL" for 9 and so on; NULL for an unknown signal.
const char *cl_signal_name(int signal);

/// What a signal means, in English; NULL for an unknown one.
const char *cl_signal_text(int signal);

// MARK: - CRC32C (Castagnoli, RFC 3720 B.4)

/// The checksum of `byte_count` bytes after a part with checksum `previous` (0 to begin).
uint32_t cl_crc32c(uint32_t previous, const void *bytes, size_t byte_count);

/// The same by table alone: the reference that tests compare with.
uint32_t cl_crc32c_table(uint32_t previous, const void *bytes, size_t byte_count);

/// The checksum of A followed by B, of their two checksums and the length of B.
uint32_t cl_crc32c_combine(uint32_t first, uint32_t second, uint64_t second_byte_count);

/// 1 where the machine has the instruction.
int cl_crc32c_is_hardware(void);

#ifdef __cplusplus
}
#endif
#endif
