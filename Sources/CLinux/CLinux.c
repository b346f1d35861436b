#define _GNU_SOURCE
#include "CLinux.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int checked(int result) { return result < 0 ? -errno : result; }

// Linux frees the descriptor even when close is interrupted: never repeat it.
int clinux_close(int descriptor) { return checked(close(descriptor)); }

static uint64_t big_endian(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
    return value;
}

// IPv4 as IPv6 has it: ::ffff:a.b.c.d.
static void set_v4(struct clinux_address *address, struct in_addr from) {
    address->high = 0;
    address->low = (uint64_t)0xffff << 32 | ntohl(from.s_addr);
}

static void set_v6(struct clinux_address *address, const struct in6_addr *from) {
    address->high = big_endian(from->s6_addr);
    address->low = big_endian(from->s6_addr + 8);
}

int clinux_parse_address(const uint8_t *text, size_t count, struct clinux_address *address) {
    char literal[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    memset(address, 0, sizeof *address);
    if (count >= sizeof literal || memchr(text, 0, count)) return 0;
    memcpy(literal, text, count);
    literal[count] = 0;
    if (inet_pton(AF_INET, literal, &v4) == 1) {
        set_v4(address, v4);
        return 4;
    }
    if (inet_pton(AF_INET6, literal, &v6) != 1) return 0;
    set_v6(address, &v6);
    return 6;
}

int clinux_format_address(uint64_t high, uint64_t low, char *text) {
    if (high == 0 && low >> 32 == 0xffff) {
        struct in_addr v4 = {htonl((uint32_t)low)};
        inet_ntop(AF_INET, &v4, text, CLINUX_ADDRESS_TEXT);
    } else {
        struct in6_addr v6;
        for (int i = 0; i < 8; i++) {
            v6.s6_addr[i] = (uint8_t)(high >> (56 - 8 * i));
            v6.s6_addr[8 + i] = (uint8_t)(low >> (56 - 8 * i));
        }
        inet_ntop(AF_INET6, &v6, text, CLINUX_ADDRESS_TEXT);
    }
    return (int)strlen(text);
}

static void set_peer(struct clinux_address *address, const struct sockaddr_storage *from) {
    memset(address, 0, sizeof *address);
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        set_v4(address, v4->sin_addr);
        address->port = ntohs(v4->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        set_v6(address, &v6->sin6_addr);
        address->port = ntohs(v6->sin6_port);
    }
}

static int closing(int descriptor, int error) {
    close(descriptor);
    return -error;
}

int clinux_bound_socket(const char *host, int port, int reuse_port, int only_v6) {
    struct sockaddr_storage storage;
    memset(&storage, 0, sizeof storage);
    socklen_t length;
    int family;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        family = v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        length = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        family = v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        length = sizeof *v6;
    } else {
        return -EINVAL;
    }
    int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (reuse_port && setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
        (family == AF_INET6 && only_v6 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        bind(descriptor, (struct sockaddr *)&storage, length) < 0)
        return closing(descriptor, errno);
    return descriptor;
}

// Whether somebody accepts connections at a path: 1, 0 or -errno.
static int is_answered(const struct sockaddr_un *address) {
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    int result = connect(descriptor, (const struct sockaddr *)address, sizeof *address) == 0 ? 1 : -errno;
    close(descriptor);
    // A full queue belongs to somebody.
    if (result == -EAGAIN) return 1;
    return result == -ECONNREFUSED || result == -ENOENT ? 0 : result;
}

// How often, 10 ms apart, a lock is tried: when a socket is taken, which is worth a second, and when it is given up.
enum { LOCK_TRIES_TAKING = 100, LOCK_TRIES_GIVING_UP = 10, LOCK_NAP_MILLISECONDS = 10 };

// Locks the directory of a path against others that take or give up sockets in it, who hold it for microseconds. Returns a
// descriptor that holds the lock until it is closed; -1 without one: a directory that may not be read, a file system without locks, or
// somebody who does not let go, which anybody may do who can read the directory, and who is not to stop us by it. Then two
// processes may both believe that they have the path, as without any lock.
static int lock_directory(const char *path, int tries) {
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    memcpy(directory, path, length);
    directory[length] = 0;
    int descriptor = open(length ? directory : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -1;
    for (int i = 0; i < tries; i++) {
        if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
        if (errno != EWOULDBLOCK && errno != EINTR) break;
        if (errno == EWOULDBLOCK) clinux_nap(LOCK_NAP_MILLISECONDS);
    }
    close(descriptor);
    return -1;
}

static int listen_at(const struct sockaddr_un *address, unsigned mode, int backlog, struct clinux_file *file) {
    const char *path = address->sun_path;
    struct stat found;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    int result = bind(descriptor, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
    if (result == EADDRINUSE) {
        // Left by a process that did not end in order, unless it is no socket at all or somebody answers.
        if (lstat(path, &found) == 0 && !S_ISSOCK(found.st_mode)) return closing(descriptor, EEXIST);
        int answered = is_answered(address);
        if (answered != 0) return closing(descriptor, answered > 0 ? EADDRINUSE : -answered);
        if (unlink(path) < 0 && errno != ENOENT) return closing(descriptor, errno);
        result = bind(descriptor, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
    }
    if (result) return closing(descriptor, result);
    // Nobody can connect before it listens, so that the mode is there first.
    if (chmod(path, mode) < 0 || stat(path, &found) < 0 || listen(descriptor, backlog) < 0) {
        result = errno;
        unlink(path);
        return closing(descriptor, result);
    }
    file->device = found.st_dev;
    file->number = found.st_ino;
    return descriptor;
}

int clinux_listening_unix_socket(const char *path, unsigned mode, int backlog, struct clinux_file *file) {
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int lock = lock_directory(path, LOCK_TRIES_TAKING);
    int descriptor = listen_at(&address, mode, backlog, file);
    if (lock >= 0) close(lock);
    return descriptor;
}

int clinux_unlink_socket(const char *path, struct clinux_file file) {
    struct stat found;
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) return -ENAMETOOLONG;
    int lock = lock_directory(path, LOCK_TRIES_GIVING_UP);
    int result = lstat(path, &found) < 0 ? -errno : 0;
    // Another process may have taken the place.
    if (result == 0 && (found.st_dev != file.device || found.st_ino != file.number)) result = -ENOENT;
    if (result == 0) result = checked(unlink(path));
    if (lock >= 0) close(lock);
    return result;
}

int clinux_prepare_inherited(int descriptor) {
    int type, listens;
    socklen_t length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0) return -errno;
    length = sizeof listens;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0) return -errno;
    if (type != SOCK_STREAM || !listens) return -EINVAL;
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return checked(fcntl(descriptor, F_SETFD, FD_CLOEXEC));
}

int clinux_is_unix_socket(int descriptor) {
    int domain;
    socklen_t length = sizeof domain;
    if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0) return -errno;
    return domain == AF_UNIX;
}

int clinux_duplicate(int descriptor) { return checked(fcntl(descriptor, F_DUPFD_CLOEXEC, 3)); }

int clinux_listen(int descriptor, int backlog) { return checked(listen(descriptor, backlog)); }

int clinux_drop_handshakes(int listener) {
    // Run on the TCP header of each segment that comes for the listener: those with SYN and without ACK are dropped, the
    // ACK that ends a handshake passes.
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return checked(setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

int clinux_local_port(int descriptor) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) < 0) return -errno;
    if (storage.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
    if (storage.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&storage)->sin_port);
    return 0;
}

int clinux_accept(int listener, struct clinux_address *peer) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int descriptor;
    storage.ss_family = AF_UNSPEC;
    do {
        descriptor = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return -errno;
    set_peer(peer, &storage);
    if (storage.ss_family == AF_UNIX) return descriptor;
    // Answers are written whole: waiting to fill a segment would only delay them. A failure means that the client is
    // gone already, which the first read will say.
    int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

ptrdiff_t clinux_peek(int descriptor, void *buffer, size_t count) {
    ssize_t result;
    do {
        result = recv(descriptor, buffer, count, MSG_PEEK);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

ptrdiff_t clinux_receive(int descriptor, void *buffer, size_t count) {
    ssize_t result;
    do {
        result = recv(descriptor, buffer, count, 0);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

ptrdiff_t clinux_send(int descriptor, const void *bytes, size_t count) {
    ssize_t result;
    do {
        result = send(descriptor, bytes, count, MSG_NOSIGNAL);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int clinux_held_bytes(int descriptor) {
    int count;
    return ioctl(descriptor, SIOCOUTQ, &count) < 0 ? -errno : count;
}

int clinux_shutdown_write(int descriptor) { return checked(shutdown(descriptor, SHUT_WR)); }

int clinux_epoll_create(void) { return checked(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int descriptor, uint32_t readiness, uint64_t registration) {
    struct epoll_event event;
    event.events = (readiness & CLINUX_READABLE ? EPOLLIN : 0) | (readiness & CLINUX_WRITABLE ? EPOLLOUT : 0);
    event.data.u64 = registration;
    return checked(epoll_ctl(epoll, operation, descriptor, &event));
}

int clinux_epoll_add(int epoll, int descriptor, uint32_t readiness, uint64_t registration) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, readiness, registration);
}

int clinux_epoll_add_shared(int epoll, int listener, uint64_t registration) {
    struct epoll_event event;
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    event.data.u64 = registration;
    return checked(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event));
}

int clinux_epoll_modify(int epoll, int descriptor, uint32_t readiness, uint64_t registration) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, readiness, registration);
}

int clinux_epoll_remove(int epoll, int descriptor) { return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0); }

int clinux_epoll_wait(int epoll, struct clinux_event *events, int count, int milliseconds) {
    enum { BATCH = 1024 };
    struct epoll_event ready[BATCH];
    int found = epoll_wait(epoll, ready, count < BATCH ? count : BATCH, milliseconds);
    if (found < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < found; i++) {
        uint32_t seen = ready[i].events;
        events[i].registration = ready[i].data.u64;
        events[i].readiness = (seen & EPOLLIN ? CLINUX_READABLE : 0) | (seen & EPOLLOUT ? CLINUX_WRITABLE : 0) |
                              (seen & (EPOLLERR | EPOLLHUP) ? CLINUX_BROKEN : 0);
    }
    return found;
}

int clinux_eventfd(void) { return checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int clinux_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    ssize_t result;
    do {
        result = write(descriptor, &one, sizeof one);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int clinux_eventfd_clear(int descriptor) {
    uint64_t count;
    return read(descriptor, &count, sizeof count) < 0 ? -errno : 0;
}

int clinux_reserve_descriptor(void) { return checked(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

void clinux_nap(int milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

void clinux_prepare_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
    sigset_t signals;
    sigfillset(&signals);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&signals, faults[i]);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

int clinux_map_large_blocks(int bytes) {
#ifdef __GLIBC__
    return mallopt(M_MMAP_THRESHOLD, bytes) && mallopt(M_TRIM_THRESHOLD, 2 * bytes) ? 0 : -EINVAL;
#else
    (void)bytes;
    return 0;
#endif
}

int clinux_allowed_cpus(void) {
    // Room for 65,536 CPUs: the call refuses a set that is smaller than the kernel's own.
    cpu_set_t sets[64];
    memset(sets, 0, sizeof sets);
    if (sched_getaffinity(0, sizeof sets, sets) != 0) return -errno;
    return CPU_COUNT_S(sizeof sets, sets);
}

uint64_t clinux_monotonic_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int64_t clinux_unix_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return time.tv_sec;
}
