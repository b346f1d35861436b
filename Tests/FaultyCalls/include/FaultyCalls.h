// System calls that fail on request: a library for LD_PRELOAD, never part of the product.
//
//     LD_PRELOAD=.build/debug/libFaultyCalls.so FAULTY_CALLS=recv,send FAULTY_NTH=3 FAULTY_HOW=EINTR FAULTY_ONLY=sockets
//     FAULTY_COUNT=/tmp/count nextloop serve ...
//
// The calls of the C library listed in FaultyCalls.c are interposed. Those that are chosen are counted, from 1, over all
// threads; the n-th fails, or crashes the process, or is delayed; all others go through unchanged.
//
//   FAULTY_CALLS   Names that count, separated by commas, or `all`. A name is the function's without a trailing 64: `open`
//                  is open64 too, `pread` is pread64. `openat` is not `open`: name both.
//   FAULTY_NTH     `3` the third, `3+` the third and all after it, `3-5` the third to the fifth, `%3` every third, `every`.
//                  Unset: none fails, they are only counted.
//   FAULTY_HOW     `EINTR` (any of the names in FaultyCalls.c, or a number): not called, errno set.
//                  close() does close before it fails, as Linux does.
//                  `short:N`       moves at most N bytes (default 1): read, recv, write, send and their kin; others are not
//                                  changed by it.
//                  `delay:N`       waits N milliseconds first.
//                  `exit:N`        ends the process at once with code N (default 70) instead of the call.
//                  `exit-after:N`  the same, when the call has been made.
//                  `torn:N`        moves at most N bytes, then ends the process at once with code 70.
//                  `kill`, `kill-after`  the same as exit, by SIGKILL.
//   FAULTY_ONLY    `sockets`: only calls on a socket. `/prefix`: only calls on a path, or on a descriptor that was opened
//                  at a path, that starts with it. Calls that have neither (socket, epoll_wait, eventfd ...) always count.
//   FAULTY_COUNT   A file that holds `calls C faults F` and a line feed, both as 12 digits, at every moment, also after a
//                  crash. (Mapped, so that it takes no descriptor.)
//   FAULTY_TRACE   A file to which a line is appended for each call that counts: its number, its name, its path or
//                  descriptor, and `fails` where it does.
//   FAULTY_PLAN    A file that is looked for before every call. While it is there, its words `calls=` `nth=` `how=` `only=`
//                  take the place of the four variables above. When it is replaced (write another one, then rename it over
//                  this one) the count starts again from 1. So one running server can be led through all its faults.
//
// Not seen: calls the C library makes inside (of stdio, of getaddrinfo, readdir's getdents), fortified ones (__read_chk),
// and raw syscall(2).
#pragma once

// How many functions are interposed; here so that the library has a symbol of its own.
int faulty_calls_interposed(void);
