// What a partner sends, all the way through a real pack: format, mapping, the event or the problem, the
// answer.
#include <array>
#include <cstdlib>

#include "adapters/channel/interpreter.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

constexpr std::array kPacks{"hospital/hl7v2.toml", "council/events.toml", "school/referrals.toml"};

struct Interpreters {
  fakes::SeededRandom random{1};
  std::array<std::unique_ptr<Interpreter>, kPacks.size()> all;

  Interpreters() {
    for (std::size_t at = 0; at < kPacks.size(); ++at) {
      std::vector<ConfigFault> faults;
      auto pack = load_pack(std::filesystem::path(CAREHUB_SOURCE_DIR) / "adapters" / kPacks[at], {}, faults);
      if (pack == nullptr) std::abort();
      all[at] = make_interpreter(std::move(pack), {"agency", "channel", Unmappable::refuse, &random});
    }
  }
};

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

/// The first byte says which pack.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Interpreters interpreters;
  if (size == 0) return 0;
  const Arrival arrival{Timestamp{1'700'000'000'000'000}, "fuzz", {{"content-type", "application/json"}}};
  const auto message =
      interpreters.all[data[0] % kPacks.size()]->interpret(Bytes(data + 1, data + size), arrival);
  const auto publications = message->take_publications();
  // There is an event, a problem, or something that the pack takes and makes nothing of. Nothing but an
  // answer (which is never answered) and a table without a row may be met with silence.
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const bool table = data[0] % kPacks.size() == 2;
  const bool answer = text.find("ACK") != text.npos || text.find("MSA") != text.npos;
  require(!publications.empty() || message->ignored() > 0 || table || answer);
  std::vector<client::PublishResult> results;
  for (const auto& publication : publications) {
    require(publication.event.empty() == publication.problem.has_value());
    if (!publication.event.empty()) require(verified_event(publication.event) != nullptr);
    if (publication.problem) require(!publication.problem->code.empty());
    client::Receipt receipt;
    results.emplace_back(receipt);
  }
  for (const auto& answer : message->answer(results)) require(!answer.empty());
  return 0;
}
