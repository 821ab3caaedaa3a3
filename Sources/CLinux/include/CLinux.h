#ifndef SLUICE_CLINUX_H
#define SLUICE_CLINUX_H
// Linux calls that Swift's Glibc module does not offer: variadic ones and those behind _GNU_SOURCE.
#endif
