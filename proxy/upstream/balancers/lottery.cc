#include "proxy/upstream/balancers/lottery.h"

#include "proxy/upstream/balancers/candidates.h"

namespace telltale::proxy {

Lottery::Lottery(std::span<const Candidate> candidates) {
  const double mean = sum_of_weights(candidates) / static_cast<double>(candidates.size());
  std::vector<double> remaining;  // of its share, in means
  std::vector<std::uint32_t> below, above;
  for (const Candidate& candidate : candidates) {
    const auto place = static_cast<std::uint32_t>(tickets_.size());
    tickets_.push_back({candidate.endpoint, static_cast<float>(candidate.weight)});
    remaining.push_back(candidate.weight / mean);
    (remaining.back() < 1 ? below : above).push_back(place);
  }
  while (!below.empty() && !above.empty()) {
    const std::uint32_t poor = below.back(), rich = above.back();
    below.pop_back();
    tickets_[poor].keep = static_cast<std::uint32_t>(remaining[poor] * 0x1p32);
    tickets_[poor].other = rich;
    remaining[rich] -= 1 - remaining[poor];
    if (remaining[rich] >= 1) continue;
    above.pop_back();
    below.push_back(rich);
  }
  // Those left over have their mean but for rounding: they keep what they draw.
}

std::size_t Lottery::draw(RandomSource& random) const {
  const std::uint64_t bits = random.next();
  const std::size_t place = scale(bits, size());
  const Ticket& ticket = tickets_[place];
  return static_cast<std::uint32_t>(bits) <= ticket.keep ? place : ticket.other;
}

std::size_t Lottery::draw(RandomSource& random, std::span<const std::uint32_t> avoid) const {
  if (avoid.empty()) return draw(random);
  for (int i = 0; i < tries; ++i) {
    const std::size_t place = draw(random);
    if (!contains(avoid, endpoint(place))) return place;
  }
  return first_other(size(), random.below(size()), avoid.size(),
                     [&](std::size_t place) { return contains(avoid, endpoint(place)); });
}

std::size_t Lottery::draw_besides(RandomSource& random, std::size_t place) const {
  if (size() == 1) return place;
  if (size() == 2) return 1 - place;
  for (int i = 0; i < tries; ++i) {
    const std::size_t another = draw(random);
    if (another != place) return another;
  }
  const std::size_t another = random.below(size() - 1);
  return another < place ? another : another + 1;
}

}  // namespace telltale::proxy
