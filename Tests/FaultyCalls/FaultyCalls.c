#define _GNU_SOURCE
#include "FaultyCalls.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// ---- The plan

enum how { HOW_NOT, HOW_ERRNO, HOW_SHORT, HOW_DELAY, HOW_EXIT, HOW_EXIT_AFTER, HOW_TORN, HOW_KILL, HOW_KILL_AFTER };

struct plan {
    char calls[512];
    char only[512];
    unsigned long first, last, step;  // Fails when first <= n <= last and (n - first) % step == 0; first 0 is never.
    enum how how;
    long value;
};

static struct plan plan;
static struct stat plan_file;  // Of the plan that was read last; st_ino 0 for none.
static atomic_ulong calls, faults;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static char *count_text;  // The mapped count file.
static __thread bool busy;

static void enter(void) { while (atomic_flag_test_and_set(&lock)) {} }
static void leave(void) { atomic_flag_clear(&lock); }

static const struct { const char *name; int code; } errors[] = {
#define E(name) {#name, name}
    E(EINTR), E(EAGAIN), E(ECONNRESET), E(ECONNABORTED), E(EPIPE), E(ENOBUFS), E(EMFILE), E(ENFILE), E(ENOMEM), E(EIO),
    E(ENOSPC), E(EDQUOT), E(EROFS), E(EACCES), E(EPERM), E(ENOENT), E(EEXIST), E(EBADF), E(EINVAL), E(ETIMEDOUT),
    E(EPROTO), E(ENETDOWN), E(EHOSTUNREACH), E(EADDRINUSE), E(ENOLCK), E(EWOULDBLOCK), E(ENOTSUP), E(ENOSYS), E(ESTALE),
    E(EBUSY), E(EXDEV), E(ENOTEMPTY), E(EFBIG), E(ELOOP), E(ENAMETOOLONG), E(ENOTCONN),
#undef E
};

static void set_nth(struct plan *p, const char *text) {
    p->first = p->last = 0;
    p->step = 1;
    if (strcmp(text, "every") == 0) {
        p->first = 1;
        p->last = ~0ul;
    } else if (*text == '%') {
        p->first = p->step = strtoul(text + 1, NULL, 10);
        if (p->step == 0) p->step = 1;
        p->last = ~0ul;
    } else {
        char *end;
        p->first = p->last = strtoul(text, &end, 10);
        if (*end == '+') p->last = ~0ul;
        if (*end == '-') p->last = strtoul(end + 1, NULL, 10);
    }
}

static void set_how(struct plan *p, const char *text) {
    static const struct { const char *name; enum how how; long value; } hows[] = {
        {"short", HOW_SHORT, 1},           {"delay", HOW_DELAY, 10}, {"exit", HOW_EXIT, 70},
        {"exit-after", HOW_EXIT_AFTER, 70}, {"torn", HOW_TORN, 1},    {"kill", HOW_KILL, 0},
        {"kill-after", HOW_KILL_AFTER, 0},
    };
    size_t length = strcspn(text, ":");
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
        if (strlen(hows[i].name) != length || strncmp(text, hows[i].name, length) != 0) continue;
        p->how = hows[i].how;
        p->value = text[length] == ':' ? strtol(text + length + 1, NULL, 10) : hows[i].value;
        return;
    }
    p->how = HOW_ERRNO;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(errors[i].name, text) == 0) {
            p->value = errors[i].code;
            return;
        }
    }
    p->value = strtol(text, NULL, 10);
    if (p->value > 0) return;
    // A misspelt fault must not pass for a test that went well.
    static const char message[] = "FaultyCalls: FAULTY_HOW is not understood\n";
    syscall(SYS_write, 2, message, sizeof message - 1);
    syscall(SYS_exit_group, 99);
}

static void read_environment(struct plan *p) {
    memset(p, 0, sizeof *p);
    const char *text;
    if ((text = getenv("FAULTY_CALLS"))) snprintf(p->calls, sizeof p->calls, "%s", text);
    if ((text = getenv("FAULTY_ONLY"))) snprintf(p->only, sizeof p->only, "%s", text);
    if ((text = getenv("FAULTY_NTH"))) set_nth(p, text);
    if ((text = getenv("FAULTY_HOW"))) set_how(p, text);
}

static void read_plan_file(struct plan *p, const char *path) {
    char text[2048];
    memset(p, 0, sizeof *p);
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return;
    long count = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    text[count > 0 ? count : 0] = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        char *value = strchr(word, '=');
        if (!value) continue;
        *value++ = 0;
        if (strcmp(word, "calls") == 0) snprintf(p->calls, sizeof p->calls, "%s", value);
        if (strcmp(word, "only") == 0) snprintf(p->only, sizeof p->only, "%s", value);
        if (strcmp(word, "nth") == 0) set_nth(p, value);
        if (strcmp(word, "how") == 0) set_how(p, value);
    }
}

static void write_count(void) {
    if (!count_text) return;
    char text[40];
    snprintf(text, sizeof text, "calls %012lu faults %012lu\n", (unsigned long)calls, (unsigned long)faults);
    memcpy(count_text, text, 39);
}

static void start(void) {
    static bool started;
    if (started) return;
    started = true;
    read_environment(&plan);
    const char *path = getenv("FAULTY_COUNT");
    if (!path) return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return;
    if (syscall(SYS_ftruncate, file, 39) == 0) {
        void *mapped = (void *)syscall(SYS_mmap, NULL, 39, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (mapped != MAP_FAILED) count_text = mapped;
    }
    syscall(SYS_close, file);
    write_count();
}

// Takes up a plan file that came, went or was replaced.
static void follow_plan_file(void) {
    const char *path = getenv("FAULTY_PLAN");
    if (!path) return;
    struct stat now;
    if (syscall(SYS_newfstatat, AT_FDCWD, path, &now, 0) < 0) now.st_ino = 0;
    if (now.st_ino == plan_file.st_ino &&
        (now.st_ino == 0 || (now.st_mtim.tv_sec == plan_file.st_mtim.tv_sec &&
                             now.st_mtim.tv_nsec == plan_file.st_mtim.tv_nsec)))
        return;
    plan_file = now;
    if (now.st_ino) read_plan_file(&plan, path);
    else read_environment(&plan);
    calls = faults = 0;
    write_count();
}

// ---- Which calls count

enum { NO_DESCRIPTOR = -2 };  // The call has neither descriptor nor path.

static bool is_chosen(const char *name) {
    if (strcmp(plan.calls, "all") == 0) return true;
    size_t length = strlen(name);
    if (length > 2 && strcmp(name + length - 2, "64") == 0) length -= 2;
    for (const char *at = plan.calls; *at;) {
        size_t word = strcspn(at, ",");
        if (word == length && strncmp(at, name, length) == 0) return true;
        at += word + (at[word] == ',');
    }
    return false;
}

static void path_of(int descriptor, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    long count = syscall(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
    path[count > 0 ? count : 0] = 0;
}

static void absolute(int directory, const char *path, char *whole, size_t size) {
    whole[0] = 0;
    if (path[0] == '/') {
        snprintf(whole, size, "%s", path);
        return;
    }
    if (directory == AT_FDCWD) {
        if (syscall(SYS_getcwd, whole, size) < 0) whole[0] = 0;
    } else {
        path_of(directory, whole, size);
    }
    size_t length = strlen(whole);
    snprintf(whole + length, size - length, "/%s", path);
}

static bool is_meant(int descriptor, const char *path, char *place, size_t size) {
    place[0] = 0;
    if (path) absolute(descriptor, path, place, size);
    else if (descriptor >= 0) path_of(descriptor, place, size);
    if (!plan.only[0] || descriptor == NO_DESCRIPTOR) return true;
    if (strcmp(plan.only, "sockets") == 0) return !path && strncmp(place, "socket:", 7) == 0;
    return strncmp(place, plan.only, strlen(plan.only)) == 0;
}

static void trace(unsigned long number, const char *name, int descriptor, const char *place, bool fails) {
    const char *path = getenv("FAULTY_TRACE");
    if (!path) return;
    char line[1400];
    int count = snprintf(line, sizeof line, "%lu %s %d %s%s\n", number, name, descriptor, place, fails ? " fails" : "");
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return;
    syscall(SYS_write, file, line, (size_t)count);
    syscall(SYS_close, file);
}

struct verdict { enum how how; long value; };

static void end_process(enum how how, long value) {
    if (how == HOW_KILL || how == HOW_KILL_AFTER) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    else syscall(SYS_exit_group, how == HOW_TORN ? 70 : (int)value);
}

// Counts a call and says what is to become of it. `other` is a second path that may be the one that is meant.
static struct verdict judge2(const char *name, int descriptor, const char *path, int other_dir, const char *other) {
    struct verdict verdict = {HOW_NOT, 0};
    if (busy) return verdict;
    int error = errno;
    busy = true;
    enter();
    start();
    follow_plan_file();
    char place[1024];
    if (is_chosen(name) && (is_meant(descriptor, path, place, sizeof place) ||
                            (other && is_meant(other_dir, other, place, sizeof place)))) {
        unsigned long number = ++calls;
        bool fails = plan.first && plan.how && number >= plan.first && number <= plan.last &&
                     (number - plan.first) % plan.step == 0;
        if (fails) {
            faults++;
            verdict.how = plan.how;
            verdict.value = plan.value;
        }
        write_count();
        trace(number, name, descriptor, place, fails);
        if (verdict.how == HOW_EXIT || verdict.how == HOW_KILL) end_process(verdict.how, verdict.value);
    }
    leave();
    if (verdict.how == HOW_DELAY) {
        struct timespec time = {verdict.value / 1000, verdict.value % 1000 * 1000000};
        syscall(SYS_nanosleep, &time, NULL);
    }
    busy = false;
    errno = error;
    return verdict;
}

static struct verdict judge(const char *name, int descriptor, const char *path) {
    return judge2(name, descriptor, path, 0, NULL);
}

static void afterwards(struct verdict verdict) {
    if (verdict.how == HOW_EXIT_AFTER || verdict.how == HOW_KILL_AFTER || verdict.how == HOW_TORN)
        end_process(verdict.how, verdict.value);
}

static size_t shortened(struct verdict verdict, size_t count) {
    bool is_short = verdict.how == HOW_SHORT || verdict.how == HOW_TORN;
    return is_short && (size_t)verdict.value < count ? (size_t)verdict.value : count;
}

// ---- The calls

static int interposed;
#define NEXT(result, name, ...)                                      \
    static result (*real)(__VA_ARGS__);                              \
    if (!real) {                                                     \
        busy = true;                                                 \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name);      \
        busy = false;                                                \
        interposed++;                                                \
    }

#define TYPES(...) __VA_ARGS__
#define BODY(result, verdict_of, call)                               \
    struct verdict verdict = verdict_of;                             \
    if (verdict.how == HOW_ERRNO) {                                  \
        errno = (int)verdict.value;                                  \
        return (result)-1;                                           \
    }                                                                \
    result got = call;                                               \
    afterwards(verdict);                                             \
    return got;

// Bytes moved through a descriptor, `count` of them asked for.
#define MOVES(name, types, parameters, descriptor, ...)              \
    ssize_t name parameters {                                        \
        NEXT(ssize_t, name, types)                                   \
        BODY(ssize_t, judge(#name, descriptor, NULL), real(__VA_ARGS__)) \
    }
#define COUNT shortened(verdict, count)

MOVES(read, TYPES(int, void *, size_t), (int d, void *b, size_t count), d, d, b, COUNT)
MOVES(pread, TYPES(int, void *, size_t, off_t), (int d, void *b, size_t count, off_t o), d, d, b, COUNT, o)
MOVES(pread64, TYPES(int, void *, size_t, off_t), (int d, void *b, size_t count, off_t o), d, d, b, COUNT, o)
MOVES(write, TYPES(int, const void *, size_t), (int d, const void *b, size_t count), d, d, b, COUNT)
MOVES(pwrite, TYPES(int, const void *, size_t, off_t), (int d, const void *b, size_t count, off_t o), d, d, b, COUNT, o)
MOVES(pwrite64, TYPES(int, const void *, size_t, off_t), (int d, const void *b, size_t count, off_t o), d, d, b, COUNT, o)
MOVES(recv, TYPES(int, void *, size_t, int), (int d, void *b, size_t count, int f), d, d, b, COUNT, f)
MOVES(send, TYPES(int, const void *, size_t, int), (int d, const void *b, size_t count, int f), d, d, b, COUNT, f)
MOVES(recvfrom, TYPES(int, void *, size_t, int, struct sockaddr *, socklen_t *),
      (int d, void *b, size_t count, int f, struct sockaddr *a, socklen_t *l), d, d, b, COUNT, f, a, l)
MOVES(sendto, TYPES(int, const void *, size_t, int, const struct sockaddr *, socklen_t),
      (int d, const void *b, size_t count, int f, const struct sockaddr *a, socklen_t l), d, d, b, COUNT, f, a, l)
MOVES(copy_file_range, TYPES(int, off64_t *, int, off64_t *, size_t, unsigned),
      (int a, off64_t *ao, int b, off64_t *bo, size_t count, unsigned f), b, a, ao, b, bo, COUNT, f)

// With vectors a short count takes part of the first one that is not empty.
static ssize_t vectors(struct verdict verdict, const struct iovec *from, int count, struct iovec *one) {
    if (verdict.how != HOW_SHORT && verdict.how != HOW_TORN) return -1;
    for (int i = 0; i < count; i++) {
        if (from[i].iov_len == 0) continue;
        one->iov_base = from[i].iov_base;
        one->iov_len = shortened(verdict, from[i].iov_len);
        return 1;
    }
    return -1;
}

#define MOVES_VECTORS(name)                                                         \
    ssize_t name(int d, const struct iovec *v, int count) {                         \
        NEXT(ssize_t, name, int, const struct iovec *, int)                         \
        struct iovec one;                                                           \
        BODY(ssize_t, judge(#name, d, NULL),                                        \
             vectors(verdict, v, count, &one) == 1 ? real(d, &one, 1) : real(d, v, count)) \
    }
MOVES_VECTORS(readv)
MOVES_VECTORS(writev)

static struct msghdr message(struct verdict verdict, const struct msghdr *from, struct iovec *one) {
    struct msghdr to = *from;
    if (vectors(verdict, from->msg_iov, (int)from->msg_iovlen, one) == 1) {
        to.msg_iov = one;
        to.msg_iovlen = 1;
    }
    return to;
}

ssize_t sendmsg(int d, const struct msghdr *m, int f) {
    NEXT(ssize_t, sendmsg, int, const struct msghdr *, int)
    struct iovec one;
    struct msghdr copy;
    BODY(ssize_t, judge("sendmsg", d, NULL), (copy = message(verdict, m, &one), real(d, &copy, f)))
}

ssize_t recvmsg(int d, struct msghdr *m, int f) {
    NEXT(ssize_t, recvmsg, int, struct msghdr *, int)
    struct verdict verdict = judge("recvmsg", d, NULL);
    if (verdict.how == HOW_ERRNO) {
        errno = (int)verdict.value;
        return -1;
    }
    struct iovec one, *vectors_before = m->msg_iov;
    size_t count_before = m->msg_iovlen;
    if (vectors(verdict, m->msg_iov, (int)m->msg_iovlen, &one) == 1) {
        m->msg_iov = &one;
        m->msg_iovlen = 1;
    }
    ssize_t got = real(d, m, f);
    m->msg_iov = vectors_before;
    m->msg_iovlen = count_before;
    afterwards(verdict);
    return got;
}

// Everything else that returns -1 and sets errno.
#define CALL(result, name, types, parameters, descriptor, path, ...)  \
    result name parameters {                                         \
        NEXT(result, name, types)                                    \
        BODY(result, judge(#name, descriptor, path), real(__VA_ARGS__)) \
    }
#define CALL2(name, types, parameters, descriptor, path, other_dir, other, ...) \
    int name parameters {                                            \
        NEXT(int, name, types)                                       \
        BODY(int, judge2(#name, descriptor, path, other_dir, other), real(__VA_ARGS__)) \
    }

CALL(int, socket, TYPES(int, int, int), (int a, int b, int c), NO_DESCRIPTOR, NULL, a, b, c)
CALL(int, bind, TYPES(int, const struct sockaddr *, socklen_t), (int d, const struct sockaddr *a, socklen_t l), d, NULL, d, a, l)
CALL(int, connect, TYPES(int, const struct sockaddr *, socklen_t), (int d, const struct sockaddr *a, socklen_t l), d, NULL, d, a, l)
CALL(int, listen, TYPES(int, int), (int d, int n), d, NULL, d, n)
CALL(int, accept, TYPES(int, struct sockaddr *, socklen_t *), (int d, struct sockaddr *a, socklen_t *l), d, NULL, d, a, l)
CALL(int, accept4, TYPES(int, struct sockaddr *, socklen_t *, int), (int d, struct sockaddr *a, socklen_t *l, int f), d, NULL, d, a, l, f)
CALL(int, setsockopt, TYPES(int, int, int, const void *, socklen_t), (int d, int a, int b, const void *v, socklen_t l), d, NULL, d, a, b, v, l)
CALL(int, getsockopt, TYPES(int, int, int, void *, socklen_t *), (int d, int a, int b, void *v, socklen_t *l), d, NULL, d, a, b, v, l)
CALL(int, getsockname, TYPES(int, struct sockaddr *, socklen_t *), (int d, struct sockaddr *a, socklen_t *l), d, NULL, d, a, l)
CALL(int, getpeername, TYPES(int, struct sockaddr *, socklen_t *), (int d, struct sockaddr *a, socklen_t *l), d, NULL, d, a, l)
CALL(int, shutdown, TYPES(int, int), (int d, int h), d, NULL, d, h)
CALL(int, epoll_create1, TYPES(int), (int f), NO_DESCRIPTOR, NULL, f)
CALL(int, epoll_ctl, TYPES(int, int, int, struct epoll_event *), (int e, int o, int d, struct epoll_event *v), d, NULL, e, o, d, v)
CALL(int, epoll_wait, TYPES(int, struct epoll_event *, int, int), (int e, struct epoll_event *v, int n, int t), NO_DESCRIPTOR, NULL, e, v, n, t)
CALL(int, epoll_pwait, TYPES(int, struct epoll_event *, int, int, const sigset_t *), (int e, struct epoll_event *v, int n, int t, const sigset_t *s), NO_DESCRIPTOR, NULL, e, v, n, t, s)
CALL(int, eventfd, TYPES(unsigned, int), (unsigned n, int f), NO_DESCRIPTOR, NULL, n, f)
CALL(int, inotify_init1, TYPES(int), (int f), NO_DESCRIPTOR, NULL, f)
CALL(int, inotify_add_watch, TYPES(int, const char *, uint32_t), (int d, const char *p, uint32_t m), AT_FDCWD, p, d, p, m)
CALL(int, inotify_rm_watch, TYPES(int, int), (int d, int w), NO_DESCRIPTOR, NULL, d, w)
CALL(int, dup, TYPES(int), (int d), d, NULL, d)
CALL(int, fsync, TYPES(int), (int d), d, NULL, d)
CALL(int, fdatasync, TYPES(int), (int d), d, NULL, d)
CALL(int, syncfs, TYPES(int), (int d), d, NULL, d)
CALL(int, ftruncate, TYPES(int, off_t), (int d, off_t n), d, NULL, d, n)
CALL(int, ftruncate64, TYPES(int, off_t), (int d, off_t n), d, NULL, d, n)
CALL(int, fchmod, TYPES(int, mode_t), (int d, mode_t m), d, NULL, d, m)
CALL(int, fstat, TYPES(int, struct stat *), (int d, struct stat *s), d, NULL, d, s)
CALL(int, flock, TYPES(int, int), (int d, int o), d, NULL, d, o)
CALL(int, stat, TYPES(const char *, struct stat *), (const char *p, struct stat *s), AT_FDCWD, p, p, s)
CALL(int, lstat, TYPES(const char *, struct stat *), (const char *p, struct stat *s), AT_FDCWD, p, p, s)
CALL(int, fstatat, TYPES(int, const char *, struct stat *, int), (int d, const char *p, struct stat *s, int f), d, p, d, p, s, f)
CALL(int, chmod, TYPES(const char *, mode_t), (const char *p, mode_t m), AT_FDCWD, p, p, m)
CALL(int, mkdir, TYPES(const char *, mode_t), (const char *p, mode_t m), AT_FDCWD, p, p, m)
CALL(int, mkdirat, TYPES(int, const char *, mode_t), (int d, const char *p, mode_t m), d, p, d, p, m)
CALL(int, rmdir, TYPES(const char *), (const char *p), AT_FDCWD, p, p)
CALL(int, unlink, TYPES(const char *), (const char *p), AT_FDCWD, p, p)
CALL(int, unlinkat, TYPES(int, const char *, int), (int d, const char *p, int f), d, p, d, p, f)
CALL2(rename, TYPES(const char *, const char *), (const char *a, const char *b), AT_FDCWD, a, AT_FDCWD, b, a, b)
CALL2(renameat, TYPES(int, const char *, int, const char *), (int d, const char *a, int e, const char *b), d, a, e, b, d, a, e, b)
CALL2(renameat2, TYPES(int, const char *, int, const char *, unsigned), (int d, const char *a, int e, const char *b, unsigned f), d, a, e, b, d, a, e, b, f)
CALL2(link, TYPES(const char *, const char *), (const char *a, const char *b), AT_FDCWD, a, AT_FDCWD, b, a, b)
CALL2(linkat, TYPES(int, const char *, int, const char *, int), (int d, const char *a, int e, const char *b, int f), d, a, e, b, d, a, e, b, f)
CALL2(symlink, TYPES(const char *, const char *), (const char *a, const char *b), AT_FDCWD, b, AT_FDCWD, b, a, b)
// Anonymous memory has no file: with FAULTY_ONLY it does not count.
CALL(void *, mmap, TYPES(void *, size_t, int, int, int, off_t), (void *a, size_t n, int p, int f, int d, off_t o), d, NULL, a, n, p, f, d, o)
CALL(void *, mmap64, TYPES(void *, size_t, int, int, int, off_t), (void *a, size_t n, int p, int f, int d, off_t o), d, NULL, a, n, p, f, d, o)

int close(int d) {
    NEXT(int, close, int)
    struct verdict verdict = judge("close", d, NULL);
    int got = real(d);
    afterwards(verdict);
    if (verdict.how != HOW_ERRNO) return got;
    errno = (int)verdict.value;
    return -1;
}

DIR *opendir(const char *p) {
    NEXT(DIR *, opendir, const char *)
    struct verdict verdict = judge("opendir", AT_FDCWD, p);
    if (verdict.how == HOW_ERRNO) {
        errno = (int)verdict.value;
        return NULL;
    }
    DIR *got = real(p);
    afterwards(verdict);
    return got;
}

// The mode is there only when a file may be made.
#define MODE(last, flags)                                            \
    mode_t mode = 0;                                                 \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {     \
        va_list list;                                                \
        va_start(list, last);                                        \
        mode = va_arg(list, mode_t);                                 \
        va_end(list);                                                \
    }
#define OPEN(name)                                                   \
    int name(const char *p, int flags, ...) {                        \
        NEXT(int, name, const char *, int, ...)                      \
        MODE(flags, flags)                                           \
        BODY(int, judge(#name, AT_FDCWD, p), real(p, flags, mode))   \
    }
#define OPENAT(name)                                                 \
    int name(int d, const char *p, int flags, ...) {                 \
        NEXT(int, name, int, const char *, int, ...)                 \
        MODE(flags, flags)                                           \
        BODY(int, judge(#name, d, p), real(d, p, flags, mode))       \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int faulty_calls_interposed(void) { return interposed; }
