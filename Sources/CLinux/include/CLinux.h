// Linux headers that the Glibc module does not carry.
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
