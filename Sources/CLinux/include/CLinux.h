// System calls of the event loop, for Linux.
//
// In C because Swift cannot say some of it (epoll's packed event, accept4, the socket address casts), and so that the
// rest needs no pointers in Swift. Every function returns -errno when it fails, and repeats a call that a signal
// interrupted unless said otherwise.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CLINUX_READABLE = 1, CLINUX_WRITABLE = 2, CLINUX_BROKEN = 4 };

// One ready descriptor: what it is ready for, and the 64 bits it was registered with.
struct clinux_event {
    uint64_t registration;
    uint32_t readiness;
    uint32_t padding;
};

int clinux_close(int descriptor);

// Returns 4, 6 or 0: the IP version of an address literal, 0 for anything else.
int clinux_address_family(const char *host);
// A TCP socket bound to `host` (a literal) and `port`, not yet listening; close-on-exec, non-blocking, SO_REUSEADDR.
int clinux_bound_socket(const char *host, int port, int reuse_port);
int clinux_listen(int descriptor, int backlog);
int clinux_local_port(int descriptor);
// Accepts one connection: close-on-exec, non-blocking, TCP_NODELAY. -EAGAIN when none waits.
int clinux_accept(int listener);
ptrdiff_t clinux_receive(int descriptor, void *buffer, size_t count);
// The next byte, left where it is. -ECONNRESET at the end of the connection.
int clinux_peek(int descriptor);
// Never raises SIGPIPE.
ptrdiff_t clinux_send(int descriptor, const void *bytes, size_t count);
int clinux_shutdown_write(int descriptor);

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int descriptor, uint32_t readiness, uint64_t registration);
int clinux_epoll_modify(int epoll, int descriptor, uint32_t readiness, uint64_t registration);
int clinux_epoll_remove(int epoll, int descriptor);
// Waits at most `milliseconds` (-1: for ever). An interruption by a signal counts as no events.
int clinux_epoll_wait(int epoll, struct clinux_event *events, int count, int milliseconds);

int clinux_eventfd(void);
int clinux_eventfd_signal(int descriptor);
int clinux_eventfd_clear(int descriptor);

// A descriptor on /dev/null, to hold a place in the descriptor table.
int clinux_reserve_descriptor(void);

// Names the calling thread (at most 15 bytes) and leaves signals to the other threads, except those that a fault raises.
void clinux_prepare_thread(const char *name);

uint64_t clinux_monotonic_nanoseconds(void);
int64_t clinux_unix_seconds(void);
