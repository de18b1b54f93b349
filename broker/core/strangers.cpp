#include "broker/core/strangers.hpp"

#include "broker/core/delivery_records.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

Result<void> Strangers::note(const StrangerCounts& totals, Timestamp now) {
  struct Cause {
    std::uint64_t total;
    const char* what;
  };
  const std::array<Cause, 2> causes = {{
      {totals.keys_refused, "handshakes with a key that is not on the list"},
      {totals.frames_unaddressed,
       "frames under an address that is not the sender's, or a key that was taken off"},
  }};
  for (std::size_t each = 0; each < causes.size(); ++each) {
    if (auto told = tell(told_[each], causes[each].total, causes[each].what, now); !told) return told;
  }
  return {};
}

Result<void> Strangers::tell(Told& told, std::uint64_t total, const char* what, Timestamp now) {
  const bool early = told.total > 0 && now.us - told.at.us < kApartUs;
  if (total == told.total || early) return {};
  auto key = day_keys_.key(kHubPurpose, now);
  if (!key && key.error().kind == ErrorKind::unavailable) return {};
  if (!key) return tl::unexpected(key.error());
  ledger::AccessT access;
  access.verb = std::string(kRefusedVerb) + "strangers";
  access.by = "nobody that the hub knows";
  access.rows = total - told.total;
  access.what = std::to_string(access.rows) + " " + what;
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::Access::Pack(builder, &access));
  journal_.append({storage::EntryKind::access, *key, std::move(body)}, now);
  told = {total, now};
  return {};
}

}  // namespace carehub::core
