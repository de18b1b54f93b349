#include "broker/core/rules.hpp"

namespace carehub::core {

namespace {

constexpr std::string_view kReplayMark = "/replay-";

}  // namespace

std::string replay_name(const std::string& subscription, Sequence entry) {
  return subscription + std::string(kReplayMark) + std::to_string(entry);
}

bool is_replay_name(std::string_view name) { return name.find(kReplayMark) != std::string_view::npos; }

Bytes filter_bytes(const ledger::FilterT& filter) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ledger::Filter::Pack(builder, &filter));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

std::size_t unpacked_bytes(const ledger::Filter& filter) {
  constexpr std::size_t kOfEachText = 2 * sizeof(flatbuffers::uoffset_t);
  std::size_t bytes = 0;
  const auto numbers = [&](const auto* list) { bytes += list == nullptr ? 0 : list->size(); };
  const auto texts = [&](const auto* list) {
    if (list == nullptr) return;
    for (const auto* text : *list) bytes += kOfEachText + text->size();
  };
  numbers(filter.types());
  numbers(filter.tiers());
  numbers(filter.thrive());
  texts(filter.agencies());
  texts(filter.home_authorities());
  texts(filter.gp_practices());
  texts(filter.schools());
  texts(filter.flag_reasons());
  texts(filter.channels());
  return bytes;
}

}  // namespace carehub::core
