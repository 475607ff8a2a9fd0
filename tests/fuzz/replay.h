/* What a fuzz target implements; libFuzzer calls it with inputs of its own, replay.c with files. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
