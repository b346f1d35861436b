// System calls of a client: what the load generator needs beyond CLinux.h. Same rules: -errno when a call fails.
#pragma once
#include <stdint.h>

struct clinux_event;

// Starts a TCP connection to an address literal: close-on-exec, non-blocking, TCP_NODELAY. It is established when the
// descriptor gets writable and clinux_socket_error says 0.
int clinux_connect(const char *host, int port);
// The error that a socket holds as -errno, and forgets by this call; 0 for none.
int clinux_socket_error(int descriptor);

// Waits for events until a time of the monotonic clock, to the nanosecond (and the kernel's timer slack, some 50 µs).
// A time that has passed only looks. An interruption by a signal counts as no events.
int clinux_epoll_wait_until(int epoll, struct clinux_event *events, int count, uint64_t monotonic_nanoseconds);
