#define _GNU_SOURCE
#include "CLinux.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int checked(int result) { return result < 0 ? -errno : result; }

// Linux frees the descriptor even when close is interrupted: never repeat it.
int clinux_close(int descriptor) { return checked(close(descriptor)); }

int clinux_address_family(const char *host) {
    struct in6_addr address;
    if (inet_pton(AF_INET, host, &address) == 1) return 4;
    if (inet_pton(AF_INET6, host, &address) == 1) return 6;
    return 0;
}

int clinux_bound_socket(const char *host, int port, int reuse_port) {
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
        bind(descriptor, (struct sockaddr *)&storage, length) < 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

int clinux_listen(int descriptor, int backlog) { return checked(listen(descriptor, backlog)); }

int clinux_local_port(int descriptor) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) < 0) return -errno;
    if (storage.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
    return ntohs(((struct sockaddr_in *)&storage)->sin_port);
}

int clinux_accept(int listener) {
    int descriptor;
    do {
        descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return -errno;
    // Answers are written whole: waiting to fill a segment would only delay them. A failure means that the client is
    // gone already, which the first read will say.
    int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

ptrdiff_t clinux_receive(int descriptor, void *buffer, size_t count) {
    ssize_t result;
    do {
        result = recv(descriptor, buffer, count, 0);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int clinux_peek(int descriptor) {
    unsigned char byte;
    ssize_t result;
    do {
        result = recv(descriptor, &byte, 1, MSG_PEEK);
    } while (result < 0 && errno == EINTR);
    if (result == 0) return -ECONNRESET;
    return result < 0 ? -errno : byte;
}

ptrdiff_t clinux_send(int descriptor, const void *bytes, size_t count) {
    ssize_t result;
    do {
        result = send(descriptor, bytes, count, MSG_NOSIGNAL);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
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

int clinux_epoll_modify(int epoll, int descriptor, uint32_t readiness, uint64_t registration) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, readiness, registration);
}

int clinux_epoll_remove(int epoll, int descriptor) { return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0); }

int clinux_epoll_wait(int epoll, struct clinux_event *events, int count, int milliseconds) {
    enum { BATCH = 256 };
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
    return write(descriptor, &one, sizeof one) < 0 ? -errno : 0;
}

int clinux_eventfd_clear(int descriptor) {
    uint64_t count;
    return read(descriptor, &count, sizeof count) < 0 ? -errno : 0;
}

int clinux_reserve_descriptor(void) { return checked(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

void clinux_prepare_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
    sigset_t signals;
    sigfillset(&signals);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&signals, faults[i]);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
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
