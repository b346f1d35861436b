// System calls of the event loop, for Linux.
//
// In C because Swift cannot say some of it (epoll's packed event, accept4, the socket address casts), and so that the
// rest needs no pointers in Swift. Every function returns -errno when it fails, and repeats a call that a signal
// interrupted unless said otherwise.
#pragma once
#include "CLinuxClient.h"
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

// An address in IPv6 form, most significant bits in `high`, IPv4 as ::ffff:a.b.c.d; all zero for a Unix socket.
struct clinux_address {
    uint64_t high, low;
    uint16_t port;
};
enum { CLINUX_ADDRESS_TEXT = 46 };
// Returns 4, 6 or 0: the IP version of an address literal, 0 for anything else.
int clinux_parse_address(const uint8_t *text, size_t count, struct clinux_address *address);
// Writes a literal of at most CLINUX_ADDRESS_TEXT bytes with its end, IPv4 when it is one. Returns its length.
int clinux_format_address(uint64_t high, uint64_t low, char *text);

// A TCP socket bound to `host` (a literal) and `port`, not yet listening; close-on-exec, non-blocking, SO_REUSEADDR.
int clinux_bound_socket(const char *host, int port, int reuse_port, int only_v6);
// Which file a path named.
struct clinux_file { uint64_t device, number; };
// A Unix socket listening at `path`, with the file mode `mode`. A socket file on which nobody answers is replaced;
// -EADDRINUSE when somebody does, -EEXIST when the file is no socket. The directory is locked meanwhile (flock), so that of
// two processes that want one path the second finds the first listening; after a second of waiting it goes on without the lock.
int clinux_listening_unix_socket(const char *path, unsigned mode, int backlog, struct clinux_file *file);
// Removes a path if it still names that file; under the same lock, which is waited for 100 ms.
int clinux_unlink_socket(const char *path, struct clinux_file file);
// Makes a listening stream socket that another process opened close-on-exec and non-blocking; -EINVAL for anything else.
int clinux_prepare_inherited(int descriptor);
// 1 for a Unix socket, 0 for any other.
int clinux_is_unix_socket(int descriptor);
// Another descriptor for the same open file, close-on-exec.
int clinux_duplicate(int descriptor);
int clinux_listen(int descriptor, int backlog);
// Has the kernel drop the first segment of every new TCP handshake; those begun go on.
int clinux_drop_handshakes(int listener);
// 0 for a Unix socket.
int clinux_local_port(int descriptor);
// Accepts one connection: close-on-exec, non-blocking, TCP_NODELAY. -EAGAIN when none waits.
int clinux_accept(int listener, struct clinux_address *peer);
// Reads without taking.
ptrdiff_t clinux_peek(int descriptor, void *buffer, size_t count);
ptrdiff_t clinux_receive(int descriptor, void *buffer, size_t count);
// Never raises SIGPIPE.
ptrdiff_t clinux_send(int descriptor, const void *bytes, size_t count);
// Of what was sent: bytes that TCP has no acknowledgement of (tcp(7)), memory that the reader of a Unix socket has not freed (unix(7)).
int clinux_held_bytes(int descriptor);
int clinux_shutdown_write(int descriptor);

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int descriptor, uint32_t readiness, uint64_t registration);
// For a listener that several epoll instances watch: wakes one of them. It cannot be modified, only removed.
int clinux_epoll_add_shared(int epoll, int listener, uint64_t registration);
int clinux_epoll_modify(int epoll, int descriptor, uint32_t readiness, uint64_t registration);
int clinux_epoll_remove(int epoll, int descriptor);
// Waits at most `milliseconds` (-1: for ever). An interruption by a signal counts as no events.
int clinux_epoll_wait(int epoll, struct clinux_event *events, int count, int milliseconds);

int clinux_eventfd(void);
int clinux_eventfd_signal(int descriptor);
int clinux_eventfd_clear(int descriptor);

// A descriptor on /dev/null, to hold a place in the descriptor table.
int clinux_reserve_descriptor(void);

void clinux_nap(int milliseconds);

// Has malloc map each block of at least `bytes` by itself and unmap it when it is freed, from now on. glibc otherwise
// moves that bound up to the largest block it ever freed (32 MiB at most), and keeps what is below it. -EINVAL when
// glibc does not take the bound; nothing to do elsewhere, as musl's bound is a fixed 128 KiB.
int clinux_map_large_blocks(int bytes);

// CPUs that the calling thread may run on, by its affinity mask.
int clinux_allowed_cpus(void);

// Names the calling thread (at most 15 bytes) and leaves signals to the other threads, except those that a fault raises.
void clinux_prepare_thread(const char *name);

uint64_t clinux_monotonic_nanoseconds(void);
int64_t clinux_unix_seconds(void);
