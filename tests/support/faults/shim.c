/* A disk that fails on demand: preloaded under the receiver, it stands between it and libc.
 *
 * Only paths below FAULTS_ROOT, and the syncing of the folder it lies in, are touched.
 * Every change there is written to FAULTS_JOURNAL, in the order it was done, so that a test can
 * work out what a power cut at any moment would have left (tests/support/faults/disk.py reads it).
 * FAULTS_CONTROL is a small file that tests map and write to while the receiver runs: which
 * operation fails and how, what syncing costs, which syncs are swallowed, what time it is.
 *
 * A change is journalled once it is done, a sync before it starts and once it is done. So the
 * journal never calls durable what may not have been.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Kinds of operations: bits of `kinds`, and what the journal calls them. */
enum { OPEN = 1, WRITE = 2, FSYNC = 4, FDATASYNC = 8, RENAME = 16, FTRUNCATE = 32, UNLINK = 64,
       MKDIR = 128 };
enum { J_CREATE = 1, J_WRITE, J_TRUNCATE, J_SYNC_START, J_SYNC_END, J_SYNC_FAILED, J_RENAME,
       J_UNLINK, J_MKDIR, J_FAULT };
/* Where a process kills itself, once. */
enum { NOWHERE, BEFORE_SYNC, AFTER_SYNC, HALF_WRITTEN };
enum { SWALLOW_FILES = 1, SWALLOW_FOLDERS = 2 };

/* The order is the one of `Control` in tests/support/faults/shim.py. */
struct control {
    int64_t kinds;        /* operations that are counted and may fail */
    int64_t count;        /* how many there were */
    int64_t fail_at;      /* the number of the one that fails; 0 is none */
    int64_t sticky;       /* whether all after it fail as well */
    int64_t error;        /* with which errno */
    int64_t injected;     /* how many failed */
    int64_t writes;       /* how many writes there were */
    int64_t short_at;     /* the number of the one that takes only half */
    int64_t sync_delay_ms;
    int64_t swallow;      /* syncs that only pretend */
    int64_t die;          /* a failpoint */
    int64_t synced_again; /* syncs of a descriptor whose sync had failed: has to stay 0 */
    int64_t clock_offset; /* seconds that the wall clock is wrong */
};

struct record {
    uint32_t kind, pid;
    uint64_t inode;
    int64_t offset, nanoseconds;
    uint32_t is_folder, path_length, other_length, data_length;
};

struct tracked { char in_use, is_folder, sync_failed; uint64_t inode; };

#define DESCRIPTORS 65536
static struct tracked descriptors[DESCRIPTORS];
static struct control *control;
static char root[PATH_MAX], above[PATH_MAX];
static int journal_fd = -1;

#define REAL(name) ((__typeof__(&name)) real(&real_##name, #name))
#define KEEP(name) static void *real_##name
KEEP(open); KEEP(openat); KEEP(close); KEEP(write); KEEP(pwrite); KEEP(writev); KEEP(fsync);
KEEP(fdatasync); KEEP(renameat); KEEP(ftruncate); KEEP(unlinkat); KEEP(mkdirat);
KEEP(clock_gettime); KEEP(gettimeofday);

static void *real(void **kept, const char *name) {
    if (!*kept) *kept = dlsym(RTLD_NEXT, name);
    return *kept;
}

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("FAULTS_ROOT"), *journal = getenv("FAULTS_JOURNAL");
    const char *settings = getenv("FAULTS_CONTROL");
    if (!folder || !journal || !settings) return;
    int fd = REAL(open)(settings, O_RDWR | O_CLOEXEC);
    if (fd < 0) { perror("shim: FAULTS_CONTROL"); _exit(99); }
    void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REAL(close)(fd);
    journal_fd = REAL(open)(journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (map == MAP_FAILED || journal_fd < 0) { perror("shim"); _exit(99); }
    snprintf(root, sizeof root, "%s", folder);
    snprintf(above, sizeof above, "%s", folder);
    *strrchr(above, '/') = 0;
    control = map;
}

static int watched(const char *path) {
    if (!control || !path) return 0;
    size_t length = strlen(root);
    return !strncmp(path, root, length) && (path[length] == 0 || path[length] == '/');
}

static struct tracked *tracked(int fd) {
    if (!control || fd < 0 || fd >= DESCRIPTORS || !descriptors[fd].in_use) return NULL;
    return &descriptors[fd];
}

/* One writev to a file opened O_APPEND: records of several processes do not mix. */
static void journal(int kind, const struct tracked *file, int64_t offset, const char *path,
                    const char *other, const void *data, size_t size) {
    struct timespec now;
    int before = errno;
    REAL(clock_gettime)(CLOCK_MONOTONIC, &now);
    struct record record = {
        .kind = kind, .pid = getpid(), .inode = file ? file->inode : 0, .offset = offset,
        .nanoseconds = now.tv_sec * 1000000000LL + now.tv_nsec,
        .is_folder = file ? file->is_folder : 0, .path_length = path ? strlen(path) : 0,
        .other_length = other ? strlen(other) : 0, .data_length = size,
    };
    struct iovec parts[] = {
        {&record, sizeof record}, {(void *) path, record.path_length},
        {(void *) other, record.other_length}, {(void *) data, size},
    };
    size_t whole = sizeof record + record.path_length + record.other_length + size;
    if (REAL(writev)(journal_fd, parts, 4) != (ssize_t) whole) {
        perror("shim: journal");
        _exit(99);
    }
    errno = before;
}

/* Count an operation; return whether it has to fail, with errno set. */
static int fails(int kind) {
    if (!(control->kinds & kind)) return 0;
    int64_t number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    int64_t at = control->fail_at;
    if (!at || (control->sticky ? number < at : number != at)) return 0;
    __atomic_add_fetch(&control->injected, 1, __ATOMIC_SEQ_CST);
    journal(J_FAULT, NULL, kind, NULL, NULL, NULL, 0);
    errno = (int) control->error;
    return 1;
}

static void die_at(int64_t place) {
    int64_t expected = place;
    if (__atomic_compare_exchange_n(&control->die, &expected, NOWHERE, 0, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        kill(getpid(), SIGKILL);
}

/* Folders */

static const char *resolved(int folder, const char *path, char *buffer) {
    if (!control || folder == AT_FDCWD || !path || path[0] == '/') return path;
    char link[64], base[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, base, sizeof base - 1);
    if (length < 0) return path;
    base[length] = 0;
    return snprintf(buffer, PATH_MAX, "%s/%s", base, path) < PATH_MAX ? buffer : path;
}

static int track(int fd, const char *path, int flags, int is_new) {
    struct stat status;
    if (fd < 0 || fd >= DESCRIPTORS || fstat(fd, &status)) return fd;
    descriptors[fd] = (struct tracked) {
        .in_use = 1, .is_folder = S_ISDIR(status.st_mode), .inode = status.st_ino};
    if (is_new) journal(J_CREATE, &descriptors[fd], 0, path, NULL, NULL, 0);
    else if (flags & O_TRUNC) journal(J_TRUNCATE, &descriptors[fd], 0, NULL, NULL, NULL, 0);
    return fd;
}

static int open_at(int folder, const char *name, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *path = resolved(folder, name, buffer);
    int is_above = control && path && !strcmp(path, above);
    if (!is_above && !watched(path)) return REAL(openat)(folder, name, flags, mode);
    if (fails(OPEN)) return -1;
    struct stat status;
    int is_new = (flags & O_CREAT) && lstat(path, &status);
    return track(REAL(openat)(folder, name, flags, mode), path, flags, is_new);
}

#define MODE(flags) ({ \
    va_list rest; va_start(rest, flags); \
    mode_t given = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); given; })

int open(const char *path, int flags, ...) { return open_at(AT_FDCWD, path, flags, MODE(flags)); }
int open64(const char *path, int flags, ...) { return open_at(AT_FDCWD, path, flags, MODE(flags)); }
int openat(int at, const char *path, int flags, ...) { return open_at(at, path, flags, MODE(flags)); }
int openat64(int at, const char *path, int flags, ...) { return open_at(at, path, flags, MODE(flags)); }

int close(int fd) {
    if (tracked(fd)) descriptors[fd].in_use = 0;
    return REAL(close)(fd);
}

static int rename_at(int at, const char *from, int other_at, const char *to) {
    char first[PATH_MAX], second[PATH_MAX];
    const char *old = resolved(at, from, first), *new = resolved(other_at, to, second);
    if (!watched(old) && !watched(new)) return REAL(renameat)(at, from, other_at, to);
    if (fails(RENAME)) return -1;
    int result = REAL(renameat)(at, from, other_at, to);
    if (!result) journal(J_RENAME, NULL, 0, old, new, NULL, 0);
    return result;
}

int rename(const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int at, const char *from, int to_at, const char *to) { return rename_at(at, from, to_at, to); }

static int unlink_at(int at, const char *name, int flags) {
    char buffer[PATH_MAX];
    const char *path = resolved(at, name, buffer);
    if (!watched(path)) return REAL(unlinkat)(at, name, flags);
    if (fails(UNLINK)) return -1;
    int result = REAL(unlinkat)(at, name, flags);
    if (!result) journal(J_UNLINK, NULL, 0, path, NULL, NULL, 0);
    return result;
}

int unlink(const char *path) { return unlink_at(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return unlink_at(at, path, flags); }

static int mkdir_at(int at, const char *name, mode_t mode) {
    char buffer[PATH_MAX];
    const char *path = resolved(at, name, buffer);
    if (!watched(path)) return REAL(mkdirat)(at, name, mode);
    if (fails(MKDIR)) return -1;
    int result = REAL(mkdirat)(at, name, mode);
    if (!result) journal(J_MKDIR, NULL, 0, path, NULL, NULL, 0);
    return result;
}

int mkdir(const char *path, mode_t mode) { return mkdir_at(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return mkdir_at(at, path, mode); }

/* Contents */

static ssize_t write_part(int fd, const void *data, size_t size, off_t offset, int is_at) {
    struct tracked *file = tracked(fd);
    if (fails(WRITE)) return -1;
    int64_t number = __atomic_add_fetch(&control->writes, 1, __ATOMIC_SEQ_CST);
    if (number == control->short_at || control->die == HALF_WRITTEN) size = (size + 1) / 2;
    ssize_t done = is_at ? REAL(pwrite)(fd, data, size, offset) : REAL(write)(fd, data, size);
    if (done > 0) {
        off_t start = is_at ? offset : lseek(fd, 0, SEEK_CUR) - done;
        journal(J_WRITE, file, start, NULL, NULL, data, done);
    }
    die_at(HALF_WRITTEN);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    return tracked(fd) ? write_part(fd, data, size, 0, 0) : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return tracked(fd) ? write_part(fd, data, size, offset, 1)
                       : REAL(pwrite)(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    return pwrite(fd, data, size, offset);
}

/* As a kernel may: only the first of the parts is taken, and the caller asks again. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!tracked(fd) || count < 1) return REAL(writev)(fd, parts, count);
    return write_part(fd, parts[0].iov_base, parts[0].iov_len, 0, 0);
}

int ftruncate(int fd, off_t length) {
    struct tracked *file = tracked(fd);
    if (!file) return REAL(ftruncate)(fd, length);
    if (fails(FTRUNCATE)) return -1;
    int result = REAL(ftruncate)(fd, length);
    if (!result) journal(J_TRUNCATE, file, length, NULL, NULL, NULL, 0);
    return result;
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

static int sync_file(int fd, int kind, int (*sync)(int)) {
    struct tracked *file = tracked(fd);
    char link[64], path[PATH_MAX] = "";
    if (!file) return sync(fd);
    if (file->is_folder) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, path, sizeof path - 1) < 0) return -1;
    }
    if (file->sync_failed) __atomic_add_fetch(&control->synced_again, 1, __ATOMIC_SEQ_CST);
    if (!file->is_folder) die_at(BEFORE_SYNC);
    if (control->swallow & (file->is_folder ? SWALLOW_FOLDERS : SWALLOW_FILES)) return 0;
    journal(J_SYNC_START, file, 0, path, NULL, NULL, 0);
    int64_t wait = control->sync_delay_ms;
    if (wait) nanosleep(&(struct timespec) {wait / 1000, wait % 1000 * 1000000}, NULL);
    int result = fails(kind) ? -1 : sync(fd);
    if (result) file->sync_failed = 1;
    journal(result ? J_SYNC_FAILED : J_SYNC_END, file, 0, path, NULL, NULL, 0);
    if (!file->is_folder) die_at(AFTER_SYNC);
    return result;
}

int fsync(int fd) { return sync_file(fd, FSYNC, REAL(fsync)); }
int fdatasync(int fd) { return sync_file(fd, FDATASYNC, REAL(fdatasync)); }

/* The wall clock; the monotonic one stays right. */

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(clock_gettime)(clock, now);
    if (!result && control && clock == CLOCK_REALTIME) now->tv_sec += control->clock_offset;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int result = REAL(gettimeofday)(now, zone);
    if (!result && control) now->tv_sec += control->clock_offset;
    return result;
}

time_t time(time_t *result) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
