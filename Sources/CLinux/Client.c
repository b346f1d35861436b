#define _GNU_SOURCE
#include "CLinux.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int clinux_connect(const char *host, int port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    const struct sockaddr *address;
    socklen_t length;
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        address = (const struct sockaddr *)&v4;
        length = sizeof v4;
    } else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        address = (const struct sockaddr *)&v6;
        length = sizeof v6;
    } else {
        return -EINVAL;
    }
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    // Non-blocking, so an interruption leaves the connection being made, as EINPROGRESS does (connect(2)).
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        (connect(descriptor, address, length) < 0 && errno != EINPROGRESS && errno != EINTR)) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

int clinux_socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -errno;
    return -error;
}

int clinux_epoll_wait_until(int epoll, struct clinux_event *events, int count, uint64_t monotonic_nanoseconds) {
    enum { BATCH = 256 };
    uint64_t now = clinux_monotonic_nanoseconds();
    uint64_t wait = monotonic_nanoseconds > now ? monotonic_nanoseconds - now : 0;
    struct timespec patience = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
    struct epoll_event ready[BATCH];
    int found = epoll_pwait2(epoll, ready, count < BATCH ? count : BATCH, &patience, NULL);
    if (found < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < found; i++) {
        uint32_t seen = ready[i].events;
        events[i].registration = ready[i].data.u64;
        events[i].readiness = (seen & EPOLLIN ? CLINUX_READABLE : 0) | (seen & EPOLLOUT ? CLINUX_WRITABLE : 0) |
                              (seen & (EPOLLERR | EPOLLHUP) ? CLINUX_BROKEN : 0);
    }
    return found;
}
