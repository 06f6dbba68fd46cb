/* Stands between a process and the C library: counts every call that changes something below one directory, makes
 * the n-th of them fail, tear or kill the process, and notes them all for a model of a disk that loses power.
 *
 * Preloaded into the fork server; does nothing until a child calls faults_arm(). Syncs below the directory are
 * noted and not carried out: what survives a killed process does not depend on them, and what survives a power cut
 * is for the model to say.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The same numbers stand in client.py. */
enum { COUNT, KILL, TORN, FAIL_ONCE, FAIL_ON, DISK_FULL };
enum { CREATE = 1, WRITE, TRUNCATE, SYNC, SYNC_DIRECTORY, RENAME, UNLINK, LINK, MKDIR, RMDIR, EXCHANGE };

#define BLOCK 4096

static int armed, mode, error_number, log_descriptor = -1;
static long fault_at, points, eighths;
static long long room; /* bytes that a full disk still has: what was freed since it filled up */
static char root[PATH_MAX];
static size_t root_length;

struct record {
  uint32_t kind, path, data;
  uint32_t point;
  uint64_t inode;
  int64_t offset;
};

EXPORT void faults_arm(const char *directory, int log, int how, long at, int number, long cut) {
  snprintf(root, sizeof root, "%s", directory);
  root_length = strlen(root);
  log_descriptor = log;
  mode = how, fault_at = at, error_number = number, eighths = cut;
  points = 0, room = 0;
  armed = 1;
}

EXPORT void faults_disarm(void) { armed = 0; }

EXPORT long faults_points(void) { return points; }

/* --- where --- */

static int inside(const char *path) {
  return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int path_of(int descriptor, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int absolute(int directory, const char *name, char *path) {
  if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
    return 1;
  }
  char base[PATH_MAX];
  if (directory == AT_FDCWD) {
    if (syscall(SYS_getcwd, base, sizeof base) < 0) return 0;
  } else if (!path_of(directory, base)) {
    return 0;
  }
  size_t length = strlen(base);
  if (length + strlen(name) + 2 > PATH_MAX) return 0;
  memcpy(path, base, length);
  path[length] = '/';
  strcpy(path + length + 1, name);
  return 1;
}

static int watched_descriptor(int descriptor, char *path) {
  return armed && descriptor != log_descriptor && path_of(descriptor, path) && inside(path);
}

static int watched_path(int directory, const char *name, char *path) {
  return armed && name && absolute(directory, name, path) && inside(path);
}

/* --- the fault --- */

static int due(void) { return __atomic_add_fetch(&points, 1, __ATOMIC_SEQ_CST) == fault_at; }

static void die(void) {
  syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
  for (;;) pause();
}

/* Before a call that needs no space: 0 to go on, else errno is set and the call fails. */
static int passes(void) {
  int now = due();
  if (mode == KILL && now) die();
  if ((mode == FAIL_ONCE && now) || (mode == FAIL_ON && points >= fault_at)) {
    errno = error_number;
    return -1;
  }
  return 0;
}

/* Before a call that takes so many bytes of a disk that is full from the chosen point on; frees are given back. */
static int finds_room(long long bytes) {
  if (passes()) return -1;
  if (mode == DISK_FULL && points >= fault_at) {
    if (bytes > room) {
      errno = ENOSPC;
      return -1;
    }
    room -= bytes;
  }
  return 0;
}

static void freed(long long bytes) {
  if (mode == DISK_FULL && points >= fault_at) room += bytes;
}

static long long blocks(long long bytes) { return (bytes + BLOCK - 1) / BLOCK * BLOCK; }

/* --- the log --- */

static void note(int kind, uint64_t inode, int64_t offset, const char *path, const void *data, size_t length) {
  if (log_descriptor < 0) return;
  size_t named = path ? strlen(path) : 0;
  struct record record = {kind, named, length, points, inode, offset};
  struct iovec parts[] = {{&record, sizeof record}, {(void *)path, named}, {(void *)data, length}};
  int saved = errno;
  syscall(SYS_writev, log_descriptor, parts, 3);
  errno = saved;
}

static uint64_t inode_of(int descriptor) {
  struct stat found;
  return fstat(descriptor, &found) ? 0 : found.st_ino;
}

static long long size_of(int descriptor) {
  struct stat found;
  return fstat(descriptor, &found) ? 0 : found.st_size;
}

/* --- opening --- */

static int do_open(int directory, const char *name, int flags, mode_t permissions) {
  char path[PATH_MAX];
  struct stat before;
  if ((flags & (O_CREAT | O_TRUNC)) == 0 || (flags & O_TMPFILE) == O_TMPFILE || !watched_path(directory, name, path))
    return syscall(SYS_openat, directory, name, flags, permissions);
  int there = fstatat(directory, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
  int creates = !there && (flags & O_CREAT);
  int empties = there && (flags & O_TRUNC) && S_ISREG(before.st_mode);
  if ((creates && finds_room(BLOCK)) || (empties && passes())) return -1;
  int descriptor = syscall(SYS_openat, directory, name, flags, permissions);
  if (descriptor >= 0 && creates) note(CREATE, inode_of(descriptor), 0, path, NULL, 0);
  if (descriptor >= 0 && empties) {
    freed(blocks(before.st_size));
    note(TRUNCATE, inode_of(descriptor), 0, path, NULL, 0);
  }
  return descriptor;
}

#define PERMISSIONS(last)                                \
  mode_t permissions = 0;                                \
  if (flags & (O_CREAT | O_TMPFILE)) {                   \
    va_list arguments;                                   \
    va_start(arguments, last);                           \
    permissions = va_arg(arguments, mode_t);             \
    va_end(arguments);                                   \
  }

EXPORT int open(const char *name, int flags, ...) {
  PERMISSIONS(flags)
  return do_open(AT_FDCWD, name, flags, permissions);
}

EXPORT int open64(const char *name, int flags, ...) {
  PERMISSIONS(flags)
  return do_open(AT_FDCWD, name, flags | O_LARGEFILE, permissions);
}

EXPORT int openat(int directory, const char *name, int flags, ...) {
  PERMISSIONS(flags)
  return do_open(directory, name, flags, permissions);
}

EXPORT int openat64(int directory, const char *name, int flags, ...) {
  PERMISSIONS(flags)
  return do_open(directory, name, flags | O_LARGEFILE, permissions);
}

EXPORT int creat(const char *name, mode_t permissions) {
  return do_open(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, permissions);
}

/* --- writing --- */

static ssize_t put(int descriptor, const void *data, size_t length, off_t offset, int positioned) {
  return positioned ? syscall(SYS_pwrite64, descriptor, data, length, offset)
                    : syscall(SYS_write, descriptor, data, length);
}

static ssize_t do_write(int descriptor, const void *data, size_t length, off_t offset, int positioned) {
  char path[PATH_MAX];
  if (!watched_descriptor(descriptor, path)) return put(descriptor, data, length, offset, positioned);
  long long size = size_of(descriptor);
  off_t at = offset;
  if (!positioned) at = fcntl(descriptor, F_GETFL) & O_APPEND ? size : lseek(descriptor, 0, SEEK_CUR);
  if (mode == TORN && points + 1 == fault_at) {
    size_t cut = length * eighths / 8;
    if (length > 512) cut = cut / 512 * 512;
    if (cut) put(descriptor, data, cut, offset, positioned);
    die();
  }
  if (finds_room(blocks(at + length) > blocks(size) ? blocks(at + length) - blocks(size) : 0)) return -1;
  ssize_t done = put(descriptor, data, length, offset, positioned);
  if (done > 0) note(WRITE, inode_of(descriptor), at, path, data, done);
  return done;
}

EXPORT ssize_t write(int descriptor, const void *data, size_t length) {
  return do_write(descriptor, data, length, 0, 0);
}

EXPORT ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
  return do_write(descriptor, data, length, offset, 1);
}

EXPORT ssize_t pwrite64(int descriptor, const void *data, size_t length, off_t offset) {
  return do_write(descriptor, data, length, offset, 1);
}

/* Calls that nothing here uses: refused rather than missed. */
static int refuse(void) {
  errno = ENOSYS;
  return -1;
}

EXPORT ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  char path[PATH_MAX];
  return watched_descriptor(descriptor, path) ? refuse() : syscall(SYS_writev, descriptor, parts, count);
}

EXPORT ssize_t copy_file_range(int from, off_t *start, int to, off_t *offset, size_t length, unsigned flags) {
  char path[PATH_MAX];
  return watched_descriptor(to, path) ? refuse() : syscall(SYS_copy_file_range, from, start, to, offset, length, flags);
}

EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t length) {
  char path[PATH_MAX];
  return watched_descriptor(to, path) ? refuse() : syscall(SYS_sendfile, to, from, offset, length);
}

EXPORT ssize_t sendfile64(int to, int from, off_t *offset, size_t length) { return sendfile(to, from, offset, length); }

EXPORT int truncate(const char *name, off_t size) {
  char path[PATH_MAX];
  return watched_path(AT_FDCWD, name, path) ? refuse() : syscall(SYS_truncate, name, size);
}

EXPORT int truncate64(const char *name, off_t size) { return truncate(name, size); }

EXPORT int symlink(const char *target, const char *name) {
  char path[PATH_MAX];
  return watched_path(AT_FDCWD, name, path) ? refuse() : syscall(SYS_symlinkat, target, AT_FDCWD, name);
}

EXPORT int posix_fallocate(int descriptor, off_t offset, off_t length) {
  char path[PATH_MAX];
  if (!watched_descriptor(descriptor, path))
    return syscall(SYS_fallocate, descriptor, 0, offset, length) ? errno : 0;
  long long size = size_of(descriptor);
  if (offset + length <= size) return 0;
  if (finds_room(blocks(offset + length) - blocks(size))) return errno;
  if (syscall(SYS_fallocate, descriptor, 0, offset, length)) return errno;
  note(TRUNCATE, inode_of(descriptor), offset + length, path, NULL, 0);
  return 0;
}

EXPORT int posix_fallocate64(int descriptor, off_t offset, off_t length) {
  return posix_fallocate(descriptor, offset, length);
}

EXPORT int ftruncate(int descriptor, off_t size) {
  char path[PATH_MAX];
  if (!watched_descriptor(descriptor, path)) return syscall(SYS_ftruncate, descriptor, size);
  long long before = size_of(descriptor);
  if (passes()) return -1;
  int result = syscall(SYS_ftruncate, descriptor, size);
  if (result) return result;
  if (size < before) freed(blocks(before) - blocks(size));
  note(TRUNCATE, inode_of(descriptor), size, path, NULL, 0);
  return 0;
}

EXPORT int ftruncate64(int descriptor, off_t size) { return ftruncate(descriptor, size); }

/* --- syncing --- */

static int do_sync(int descriptor, long call) {
  char path[PATH_MAX];
  struct stat found;
  if (!watched_descriptor(descriptor, path)) return syscall(call, descriptor);
  if (passes()) return -1;
  if (fstat(descriptor, &found)) return -1;
  note(S_ISDIR(found.st_mode) ? SYNC_DIRECTORY : SYNC, found.st_ino, 0, path, NULL, 0);
  return 0;
}

EXPORT int fsync(int descriptor) { return do_sync(descriptor, SYS_fsync); }

EXPORT int fdatasync(int descriptor) { return do_sync(descriptor, SYS_fdatasync); }

/* --- names --- */

static int do_rename(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
  char source[PATH_MAX], target[PATH_MAX];
  struct stat replaced;
  int leaves = watched_path(from_directory, from, source), enters = watched_path(to_directory, to, target);
  if (!leaves && !enters) return syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
  if (!leaves || !enters || flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) return refuse();
  long long gone = fstatat(to_directory, to, &replaced, AT_SYMLINK_NOFOLLOW) ? 0 : blocks(replaced.st_size);
  if (passes()) return -1;
  int result = syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
  if (result) return result;
  if (!(flags & RENAME_EXCHANGE)) freed(gone);
  note(flags & RENAME_EXCHANGE ? EXCHANGE : RENAME, 0, 0, source, target, strlen(target));
  return 0;
}

EXPORT int rename(const char *from, const char *to) { return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }

EXPORT int renameat(int from_directory, const char *from, int to_directory, const char *to) {
  return do_rename(from_directory, from, to_directory, to, 0);
}

EXPORT int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
  return do_rename(from_directory, from, to_directory, to, flags);
}

static int do_unlink(int directory, const char *name, int flags) {
  char path[PATH_MAX];
  struct stat found;
  if (!watched_path(directory, name, path)) return syscall(SYS_unlinkat, directory, name, flags);
  if (fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW)) return -1; /* nothing there is no fault point */
  if (passes()) return -1;
  int result = syscall(SYS_unlinkat, directory, name, flags);
  if (result) return result;
  freed(found.st_nlink == 1 ? BLOCK + blocks(found.st_size) : 0);
  note(flags & AT_REMOVEDIR ? RMDIR : UNLINK, found.st_ino, 0, path, NULL, 0);
  return 0;
}

EXPORT int unlink(const char *name) { return do_unlink(AT_FDCWD, name, 0); }

EXPORT int unlinkat(int directory, const char *name, int flags) { return do_unlink(directory, name, flags); }

EXPORT int rmdir(const char *name) { return do_unlink(AT_FDCWD, name, AT_REMOVEDIR); }

EXPORT int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
  char source[PATH_MAX], target[PATH_MAX];
  int leaves = watched_path(from_directory, from, source), enters = watched_path(to_directory, to, target);
  if (!leaves && !enters) return syscall(SYS_linkat, from_directory, from, to_directory, to, flags);
  if (!leaves || !enters) return refuse();
  if (finds_room(BLOCK)) return -1;
  int result = syscall(SYS_linkat, from_directory, from, to_directory, to, flags);
  if (result == 0) note(LINK, 0, 0, source, target, strlen(target));
  return result;
}

EXPORT int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

EXPORT int mkdirat(int directory, const char *name, mode_t permissions) {
  char path[PATH_MAX];
  struct stat there;
  if (!watched_path(directory, name, path) || fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) == 0)
    return syscall(SYS_mkdirat, directory, name, permissions);
  if (finds_room(BLOCK)) return -1;
  int result = syscall(SYS_mkdirat, directory, name, permissions);
  if (result == 0) note(MKDIR, 0, 0, path, NULL, 0);
  return result;
}

EXPORT int mkdir(const char *name, mode_t permissions) { return mkdirat(AT_FDCWD, name, permissions); }
