// A machine that runs the threads of CUDA kernels one at a time, and is as unkind to
// them as the rules allow.
//
// Each thread of a block is a fiber: it has a stack of its own, runs until it has to
// wait for others, and is then put aside by a jump to the scheduler. So a kernel that
// forgets to wait meets memory that nobody has written yet, always, and not only when
// the timing is unlucky. Blocks run one after the other.

#include "machine.hpp"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {
namespace {

constexpr unsigned LANES = 32, BANKS = 32, BANK_BYTES = 4;
constexpr unsigned ROW_BYTES = 16, PHASE = 8;  // lanes that shared memory serves at once
constexpr unsigned MOST_THREADS = 1024, MOST_SHARED = 227 * 1024;
constexpr unsigned ALIGNMENT = 128;
// A little more than a power of two: tops of stacks share no set of the caches.
constexpr size_t STACK_BYTES = 64 * 1024 + 192;
constexpr unsigned char UNWRITTEN = 0xFF;  // as bf16 and as float: not a number

enum State { READY, IN_WARP, AT_BARRIER, DONE };
const char *const STATES[] = {"is ready", "waits in ", "waits at __syncthreads",
                              "has ended"};

struct Copy {
  unsigned char *shared;
  const unsigned char *global;  // null where outside
};

struct Thread {
  jmp_buf place;
  State state;
  bool is_started;             // its stack holds a fiber
  std::vector<Copy> copies;    // under way, the oldest first
  std::vector<size_t> groups;  // sizes of the closed groups of these, likewise
  std::vector<unsigned> destinations;  // of all its copies, for the counts
};

// Where the lanes of a warp meet; each leaves pointers to what it brings.
struct Meeting {
  const char *name;
  unsigned n_arrived;
  const void *brought[LANES][2];
  void *result[LANES];
};

Thread threads[MOST_THREADS];
Meeting meetings[MOST_THREADS / LANES];
unsigned running;  // the thread that has the processor
jmp_buf scheduler;
volatile bool is_running, has_failed;
Request *request;
void (*body)(void *);
void *body_arguments;
unsigned char *stacks, *shared_region, *shared;
std::mt19937_64 random_numbers;

// Errors: the first one is written down, and the thread is not resumed

void write_down(const char *format, va_list arguments) {
  char what[512];
  vsnprintf(what, sizeof what, format, arguments);
  snprintf(request->message, request->message_bytes,
           "%s, block (%u, %u, %u), thread %u: %s", request->kernel, blockIdx.x,
           blockIdx.y, blockIdx.z, running, what);
  has_failed = true;
}

void report(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_down(format, arguments);
  va_end(arguments);
}

// The same from inside a thread, which goes no further.
[[noreturn]] void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_down(format, arguments);
  va_end(arguments);
  _longjmp(scheduler, 1);
}

// Say where an address is, relative to the nearest thing that the kernel may touch.
void describe(const void *address, char *text, size_t size) {
  const auto *at = static_cast<const unsigned char *>(address);
  long long least = 1LL << 62;
  snprintf(text, size, "at an address far from every array");
  auto compare = [&](const char *name, int i, const unsigned char *begin, size_t n) {
    const long long from = at - begin, over = from - static_cast<long long>(n);
    const long long distance = from < 0 ? -from : over < 0 ? 0 : over + 1;
    if (distance >= least || distance > 1 << 28) return;
    least = distance;
    const char *side = from < 0 ? "before the start" : "after the end";
    if (distance == 0)
      snprintf(text, size, "at byte %lld of %s %d", from, name, i);
    else
      snprintf(text, size, "%lld bytes %s of %s %d", from < 0 ? -from : over, side,
               name, i);
  };
  for (unsigned i = 0; i < request->n_arrays; ++i)
    compare("array argument", i, request->arrays[i].begin, request->arrays[i].bytes);
  compare("shared memory", 0, shared, request->shared_bytes);
}

void on_signal(int number, siginfo_t *info, void *) {
  if (!is_running) {
    signal(number, SIG_DFL);
    raise(number);
    return;
  }
  char where[160];
  describe(info->si_addr, where, sizeof where);
  if (number != SIGSEGV && number != SIGBUS)
    fail("a division by zero, a misaligned address, an index outside a local array, "
         "or a shift too wide");
  if (!info->si_addr) fail("a misaligned address, or one that never was");
  fail("memory is touched %s", where);
}

class Signals {
 public:
  Signals() {
    stack_t stack = {};
    stack.ss_sp = memory;
    stack.ss_size = sizeof memory;
    sigaltstack(&stack, &old_stack);
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int i = 0; i < N; ++i) sigaction(NUMBERS[i], &action, &old[i]);
  }
  ~Signals() {
    for (int i = 0; i < N; ++i) sigaction(NUMBERS[i], &old[i], nullptr);
    sigaltstack(&old_stack, nullptr);
  }

 private:
  static constexpr int N = 5;
  static constexpr int NUMBERS[N] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  alignas(16) static inline char memory[64 * 1024];
  struct sigaction old[N];
  stack_t old_stack;
};

// Fibers

void fiber() {
  for (;;) {
    body(body_arguments);
    threads[running].state = DONE;
    if (!_setjmp(threads[running].place)) _longjmp(scheduler, 1);
  }
}

void start() {
  static ucontext_t first;
  getcontext(&first);
  first.uc_stack.ss_sp = stacks + running * STACK_BYTES;
  first.uc_stack.ss_size = STACK_BYTES;
  first.uc_link = nullptr;
  makecontext(&first, fiber, 0);
  setcontext(&first);
}

// Let a thread run until it waits or ends.
__attribute__((noinline)) void resume(unsigned thread) {
  running = thread;
  threadIdx = {thread, 0, 0};
  if (_setjmp(scheduler)) return;
  if (threads[thread].is_started) _longjmp(threads[thread].place, 1);
  threads[thread].is_started = true;
  start();
}

// Put the running thread aside until somebody makes it ready.
__attribute__((noinline)) void pause(State state) {
  threads[running].state = state;
  if (!_setjmp(threads[running].place)) _longjmp(scheduler, 1);
}

// Copies

// Land the oldest copies; as late as this, so that who did not wait finds nothing.
void land(Thread &thread, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const Copy &copy = thread.copies[i];
    if (copy.global)
      memcpy(copy.shared, copy.global, ROW_BYTES);
    else
      memset(copy.shared, 0, ROW_BYTES);
  }
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + n);
}

void check_shared(const void *address, const char *what) {
  const auto *at = static_cast<const unsigned char *>(address);
  const long long offset = at - shared;
  if (offset % ROW_BYTES) fail("%s: shared address not a multiple of 16", what);
  if (offset < 0 || offset + ROW_BYTES > request->shared_bytes)
    fail("%s: shared memory has %u bytes; touched are 16 from byte %lld on", what,
         request->shared_bytes, offset);
}

void check_global(const void *address) {
  const auto *at = static_cast<const unsigned char *>(address);
  if (reinterpret_cast<size_t>(at) % ROW_BYTES)
    fail("copy_async: global address not a multiple of 16");
  for (unsigned i = 0; i < request->n_arrays; ++i) {
    const Array &array = request->arrays[i];
    if (at >= array.begin && at + ROW_BYTES <= array.begin + array.bytes) return;
  }
  char where[160];
  describe(address, where, sizeof where);
  fail("copy_async: 16 bytes are read %s", where);
}

// Count the wavefronts of up to 8 accesses of 16 bytes: the most words of one bank.
unsigned wavefronts(const unsigned *offsets, unsigned n) {
  unsigned most = 0;
  for (unsigned bank = 0; bank < BANKS; bank += ROW_BYTES / BANK_BYTES) {
    unsigned n_rows = 0;
    for (unsigned i = 0; i < n; ++i) {
      const bool is_here = offsets[i] / BANK_BYTES % BANKS == bank;
      n_rows += is_here && std::find(offsets, offsets + i, offsets[i]) == offsets + i;
    }
    most = std::max(most, n_rows);
  }
  return most;
}

// The copies of a warp's lanes belong together in the order in which each made them.
void count_copies(unsigned n_threads) {
  for (unsigned first = 0; first < n_threads; first += PHASE)
    for (size_t i = 0;; ++i) {
      unsigned offsets[PHASE], n = 0;
      for (unsigned t = first; t < std::min(first + PHASE, n_threads); ++t)
        if (i < threads[t].destinations.size())
          offsets[n++] = threads[t].destinations[i];
      if (!n) break;
      request->counts.copy_wavefronts += wavefronts(offsets, n);
    }
}

// Warps

// Meet the other lanes. The last to come does the work of all.
void meet(const char *name, const void *first, const void *second, void *result,
          void (*finish)(Meeting &)) {
  Meeting &meeting = meetings[running / LANES];
  const unsigned lane = running % LANES;
  if (meeting.n_arrived && meeting.name != name)
    fail("calls %s while another lane of its warp waits in %s", name, meeting.name);
  meeting.name = name;
  meeting.brought[lane][0] = first;
  meeting.brought[lane][1] = second;
  meeting.result[lane] = result;
  if (++meeting.n_arrived < LANES) return pause(IN_WARP);
  finish(meeting);
  meeting.n_arrived = 0;
  for (unsigned i = 0; i < LANES; ++i) threads[running - lane + i].state = READY;
}

// ldmatrix, as in the PTX ISA: the row of 8 numbers that lane i brings is row i % 8 of
// matrix i / 8, and lane i gets of each matrix the numbers 2 (i % 4) and the next of
// row i / 4; transposed, of column i / 4.
template <bool IS_TRANSPOSED>
void hand_out_matrices(Meeting &meeting) {
  auto number = [&](unsigned matrix, unsigned row, unsigned column) -> unsigned {
    const void *brought = meeting.brought[matrix * 8 + row][0];
    return static_cast<const unsigned short *>(brought)[column];
  };
  for (unsigned lane = 0; lane < LANES; ++lane)
    for (unsigned m = 0; m < 4; ++m) {
      const unsigned i = lane / 4, j = lane % 4 * 2;
      const unsigned low = IS_TRANSPOSED ? number(m, j, i) : number(m, i, j);
      const unsigned high = IS_TRANSPOSED ? number(m, j + 1, i) : number(m, i, j + 1);
      static_cast<unsigned *>(meeting.result[lane])[m] = low | high << 16;
    }
  ++request->counts.loads;
  for (unsigned first = 0; first < LANES; first += PHASE) {
    unsigned offsets[PHASE];
    for (unsigned i = 0; i < PHASE; ++i) {
      const void *row = meeting.brought[first + i][1];
      offsets[i] = static_cast<const unsigned char *>(row) - shared;
    }
    request->counts.load_wavefronts += wavefronts(offsets, PHASE);
  }
}

float half(unsigned pair, unsigned which) {
  const unsigned bits = which ? pair & 0xFFFF0000u : pair << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// mma.m16n8k16.row.col, as in the PTX ISA. With g = lane / 4 and t = lane % 4:
//   a0: row g, k = 2 t and 2 t + 1; a1: row g + 8; a2: k + 8; a3: row g + 8 and k + 8
//   b0: column g, k = 2 t and 2 t + 1; b1: k + 8
//   c0, c1: row g, columns 2 t and 2 t + 1; c2, c3: row g + 8
// A product of two bf16 is exact in float32. The sum goes in float32 in order of k, so
// that its bits are the same on every machine; a tensor core's own order and rounding
// are not documented, and agree with this up to rounding errors only.
void multiply_matrices(Meeting &meeting) {
  ++request->counts.multiply_adds;
  float a[16][16], b[16][8], c[16][8];
  for (unsigned lane = 0; lane < LANES; ++lane) {
    const unsigned g = lane / 4, t = lane % 4 * 2;
    const auto *pairs_a = static_cast<const unsigned *>(meeting.brought[lane][0]);
    const auto *pairs_b = static_cast<const unsigned *>(meeting.brought[lane][1]);
    const auto *sums = static_cast<const float *>(meeting.result[lane]);
    for (unsigned i = 0; i < 2; ++i) {
      for (unsigned r = 0; r < 4; ++r)
        a[g + r % 2 * 8][t + r / 2 * 8 + i] = half(pairs_a[r], i);
      for (unsigned r = 0; r < 2; ++r) {
        b[t + r * 8 + i][g] = half(pairs_b[r], i);
        c[g + r * 8][t + i] = sums[2 * r + i];
      }
    }
  }
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned k = 0; k < 16; ++k)
      for (unsigned column = 0; column < 8; ++column)
        c[row][column] += a[row][k] * b[k][column];
  for (unsigned lane = 0; lane < LANES; ++lane)
    for (unsigned r = 0; r < 4; ++r)
      static_cast<float *>(meeting.result[lane])[r] =
          c[lane / 4 + r / 2 * 8][lane % 4 * 2 + r % 2];
}

// A butterfly: in each round every lane adds what the lane at a distance has.
void add_lanes(Meeting &meeting) {
  float values[LANES], sums[LANES];
  for (unsigned lane = 0; lane < LANES; ++lane)
    values[lane] = *static_cast<const float *>(meeting.brought[lane][0]);
  for (unsigned distance = LANES / 2; distance; distance /= 2) {
    for (unsigned lane = 0; lane < LANES; ++lane)
      sums[lane] = values[lane] + values[lane ^ distance];
    std::copy(sums, sums + LANES, values);
  }
  for (unsigned lane = 0; lane < LANES; ++lane)
    *static_cast<float *>(meeting.result[lane]) = values[lane];
}

// The scheduler

void arrange(std::vector<unsigned> &order) {
  if (request->order == SHUFFLED)
    std::shuffle(order.begin(), order.end(), random_numbers);
}

std::vector<unsigned> up_to(unsigned n) {
  std::vector<unsigned> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (request->order == BACKWARD) std::reverse(order.begin(), order.end());
  return order;
}

// Let each ready lane of a warp run once; tell whether there was one.
bool run_warp(unsigned warp, const std::vector<unsigned> &lanes, unsigned n_threads) {
  bool was_any = false;
  for (unsigned lane : lanes) {
    const unsigned thread = warp * LANES + lane;
    if (thread >= n_threads || threads[thread].state != READY) continue;
    was_any = true;
    resume(thread);
    if (has_failed) return false;
  }
  return was_any;
}

void fail_at_standstill(unsigned n_threads) {
  unsigned waiting = 0;
  while (threads[waiting].state == DONE || threads[waiting].state == READY) ++waiting;
  const State state = threads[waiting].state;
  const unsigned first = state == IN_WARP ? waiting / LANES * LANES : 0;
  const unsigned end = state == IN_WARP ? std::min(first + LANES, n_threads) : n_threads;
  unsigned other = first;
  while (other < end && threads[other].state == state) ++other;
  char missing[96] = "its warp has fewer than 32 threads";
  if (other < end)
    snprintf(missing, sizeof missing, "thread %u %s%s", other,
             STATES[threads[other].state],
             threads[other].state == IN_WARP ? meetings[other / LANES].name : "");
  running = waiting;
  report("deadlock: it %s%s, but %s", STATES[state],
         state == IN_WARP ? meetings[waiting / LANES].name : "", missing);
}

// Without a shuffle a warp goes on for as long as it can: as far ahead of the others,
// or as far behind them, as the barriers allow.
void run_block(std::vector<unsigned> &warps, std::vector<unsigned> &lanes) {
  const unsigned n_threads = request->block;
  for (;;) {
    bool was_any = false;
    arrange(warps);
    for (unsigned warp : warps) {
      bool goes_on = true;
      while (goes_on) {
        arrange(lanes);
        goes_on = run_warp(warp, lanes, n_threads);
        if (has_failed) return;
        was_any |= goes_on;
        if (request->order == SHUFFLED) break;
      }
    }
    if (was_any) continue;
    const auto count = [&](State state) {
      return std::count_if(threads, threads + n_threads,
                           [&](const Thread &t) { return t.state == state; });
    };
    if (count(DONE) == n_threads) return;
    if (count(AT_BARRIER) != n_threads) return fail_at_standstill(n_threads);
    ++request->counts.barriers;
    for (unsigned t = 0; t < n_threads; ++t) threads[t].state = READY;
  }
}

// Shared memory ends where its last page does, and the pages around it are closed.

size_t page_bytes() { return sysconf(_SC_PAGESIZE); }

size_t whole(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

unsigned char *map(size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<unsigned char *>(memory);
}

void place_shared_memory() {
  const size_t page = page_bytes(), most = whole(MOST_SHARED, page);
  if (!shared_region) {
    shared_region = map(most + 2 * page) + page;
    mprotect(shared_region - page, page, PROT_NONE);
    mprotect(shared_region + most, page, PROT_NONE);
  }
  shared = shared_region + most - whole(request->shared_bytes, ALIGNMENT);
  const size_t closed = (shared - shared_region) / page * page;
  mprotect(shared_region, closed, PROT_NONE);
  mprotect(shared_region + closed, most - closed, PROT_READ | PROT_WRITE);
}

void forget_thread(Thread &thread) {
  thread.copies.clear();
  thread.groups.clear();
  thread.destinations.clear();
  thread.state = READY;
}

// The few bytes between an open page's edge and shared memory must stay unwritten.
void check_around_shared_memory() {
  const size_t page = page_bytes(), bytes = request->shared_bytes;
  const auto is_written = [](unsigned char byte) { return byte != UNWRITTEN; };
  unsigned char *start = shared - reinterpret_cast<size_t>(shared) % page;
  const bool before = std::any_of(start, shared, is_written);
  const bool after =
      std::any_of(shared + bytes, shared + whole(bytes, ALIGNMENT), is_written);
  if (before || after)
    report("some thread wrote %s of shared memory, %zu bytes",
         before ? "before the start" : "after the end", bytes);
}

void run_grid() {
  const Index grid = gridDim;
  const unsigned n_threads = request->block;
  std::vector<unsigned> warps = up_to((n_threads + LANES - 1) / LANES);
  std::vector<unsigned> lanes = up_to(LANES), blocks = up_to(grid.x * grid.y * grid.z);
  random_numbers.seed(request->seed);
  arrange(blocks);
  for (unsigned block : blocks) {
    blockIdx = {block % grid.x, block / grid.x % grid.y, block / grid.x / grid.y};
    unsigned char *start = shared - reinterpret_cast<size_t>(shared) % page_bytes();
    memset(start, UNWRITTEN,
           shared + whole(request->shared_bytes, ALIGNMENT) - start);
    std::for_each(threads, threads + n_threads, forget_thread);
    for (Meeting &meeting : meetings) meeting.n_arrived = 0;
    run_block(warps, lanes);
    if (!has_failed) check_around_shared_memory();
    if (has_failed) return;
    count_copies(n_threads);
  }
}

}  // namespace

bool run(Request &asked, void (*kernel)(void *), void *arguments) {
  request = &asked;
  body = kernel;
  body_arguments = arguments;
  blockDim = {asked.block, 1, 1};
  gridDim = {asked.grid[0], asked.grid[1], asked.grid[2]};
  has_failed = false;
  if (!stacks) stacks = map(MOST_THREADS * STACK_BYTES);
  place_shared_memory();
  {
    Signals signals;
    is_running = true;
    run_grid();
    is_running = false;
  }
  if (has_failed)  // threads that were put aside on the way are not resumed
    for (Thread &thread : threads) thread.is_started = false;
  return !has_failed;
}

unsigned char *shared_memory() { return shared; }

void copy_async(void *to, const void *from, bool inside) {
  check_shared(to, "copy_async");
  if (inside) check_global(from);
  Thread &thread = threads[running];
  auto *target = static_cast<unsigned char *>(to);
  thread.destinations.push_back(target - shared);
  thread.copies.push_back(
      {target, inside ? static_cast<const unsigned char *>(from) : nullptr});
  ++request->counts.copies;
  (inside ? request->counts.copied_bytes : request->counts.zero_bytes) += ROW_BYTES;
  if (request->copies_are_early)
    land(thread, thread.copies.size());
  else  // from now on nobody may read what was there
    memset(to, UNWRITTEN, ROW_BYTES);
}

void commit_copies() {
  Thread &thread = threads[running];
  size_t n = thread.copies.size();
  for (size_t group : thread.groups) n -= group;
  thread.groups.push_back(n);
}

void wait_copies(int n_open) {
  Thread &thread = threads[running];
  while (thread.groups.size() > static_cast<size_t>(n_open)) {
    land(thread, thread.groups.front());
    thread.groups.erase(thread.groups.begin());
  }
}

// A row is read when its lane comes, not when the last one does: a lane that wrote it
// meanwhile would have to be waited for.
void load_matrices(unsigned (&r)[4], const void *row, bool is_transposed) {
  check_shared(row, "load_matrices");
  unsigned char copy[ROW_BYTES];
  memcpy(copy, row, ROW_BYTES);
  if (is_transposed)
    meet("load_matrices_transposed", copy, row, r, hand_out_matrices<true>);
  else
    meet("load_matrices", copy, row, r, hand_out_matrices<false>);
}

void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  meet("multiply_add", a, b, c, multiply_matrices);
}

float warp_sum(float value) {
  float sum;
  meet("warp_sum", &value, nullptr, &sum, add_lanes);
  return sum;
}

void wait_for_block() { pause(AT_BARRIER); }

}  // namespace emulator
