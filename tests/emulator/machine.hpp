// What a kernel asks of the machine that it runs on, here a processor.
#pragma once

struct Index {
  unsigned x, y, z;
};
extern Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

// What one launch did. A wavefront is one answer of shared memory: 128 bytes, 4 from
// each of 32 banks.
struct Counts {
  unsigned long long multiply_adds;             // by a warp: 16 x 8 x 16
  unsigned long long loads, load_wavefronts;    // load_matrices, by a warp
  unsigned long long copies, copy_wavefronts;   // copy_async, by a thread
  unsigned long long copied_bytes, zero_bytes;  // inside, and outside
  unsigned long long barriers;                  // by a block
};

struct Array {
  const unsigned char *begin;
  unsigned long long bytes;
};

enum Order { FORWARD, BACKWARD, SHUFFLED };

// One launch. The layout is known to device.py.
struct Request {
  const char *kernel;  // its name, for messages
  unsigned grid[3], block, shared_bytes;
  int order, copies_are_early;
  unsigned long long seed;
  const Array *arrays;  // the arguments that are arrays: nothing else may be touched
  unsigned n_arrays;
  char *message;  // of message_bytes: what went wrong
  unsigned message_bytes;
  Counts counts;
};

// Run body(arguments) once for each thread of the grid; false where it went wrong.
bool run(Request &request, void (*body)(void *), void *arguments);

// What a thread may call, each as in primitives.cuh.
unsigned char *shared_memory();
void copy_async(void *shared, const void *global, bool inside);
void commit_copies();
void wait_copies(int n_open);
void load_matrices(unsigned (&r)[4], const void *row, bool is_transposed);
void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
float warp_sum(float value);
void wait_for_block();

}  // namespace emulator
