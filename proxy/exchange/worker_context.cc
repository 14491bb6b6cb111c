#include "proxy/exchange/worker_context.h"

namespace telltale::proxy {

WorkerContext::RequestId WorkerContext::next_request_id() {
  // splitmix64 over a counter: a bijection, so no two requests of a worker share the low half.
  std::uint64_t z = id_stem[1] + ++id_counter * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return {id_stem[0], z ^ (z >> 31)};
}

}  // namespace telltale::proxy
