/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/replay.c - runs a fuzz target on the files named, as an ordinary test. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/mem.h"

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct err err;
		size_t len;
		_free_ char *data = io_read_file(argv[i], INPUT_MAX, &len, &err);
		/* An exact copy, so that the sanitizer sees a read past its end. */
		_free_ uint8_t *copy = NULL;

		if (!data) {
			fprintf(stderr, "%s\n", err.msg);
			return 1;
		}
		copy = xcalloc(1, len);
		for (size_t k = 0; k < len; k++)
			copy[k] = (uint8_t)data[k];
		LLVMFuzzerTestOneInput(copy, len);
	}
	return argc > 1 ? 0 : 1;
}
