#include "broker/core/repeats.hpp"

#include <charconv>

#include "broker/core/courses.hpp"
#include "broker/core/delivery_records.hpp"

namespace carehub::core {
namespace {

constexpr std::string_view kNoChannel = "-";

/// What stands before the next `mark`, and what is behind it.
std::string_view cut(std::string_view& text, char mark) {
  const auto end = text.find(mark);
  const auto part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

}  // namespace

std::string repeats_text(const std::vector<Repeats>& repeats) {
  std::string text;
  for (const auto& each : repeats) {
    if (!text.empty()) text += "; ";
    text += each.agency + ' ' + (each.channel.empty() ? std::string(kNoChannel) : each.channel) + ' ' +
            std::to_string(each.count);
  }
  return text;
}

std::vector<Repeats> parse_repeats(std::string_view text) {
  std::vector<Repeats> repeats;
  while (!text.empty()) {
    auto part = cut(text, ';');
    if (part.starts_with(' ')) part.remove_prefix(1);
    Repeats one;
    one.agency = cut(part, ' ');
    const auto channel = cut(part, ' ');
    if (channel != kNoChannel) one.channel = channel;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), one.count);
    if (error == std::errc() && end == part.data() + part.size() && !one.agency.empty())
      repeats.push_back(std::move(one));
  }
  return repeats;
}

Result<std::optional<Timestamp>> RepeatCounts::advance(Timestamp now) {
  if (counts_.empty()) return std::optional<Timestamp>();
  if (written_ && now.us - written_->us < kApartUs) return std::optional(Timestamp{written_->us + kApartUs});
  written_ = now;
  auto key = day_keys_.key(kHubPurpose, now);
  if (!key && key.error().kind == ErrorKind::unavailable)
    return std::optional(Timestamp{written_->us + kApartUs});
  if (!key) return tl::unexpected(key.error());
  std::vector<Repeats> repeats;
  for (const auto& [whose, count] : counts_) repeats.push_back({whose.first, whose.second, count});
  counts_.clear();
  ledger::OperatorActionT action;
  action.action = kRepeatsAction;
  action.by = kByHub;
  action.detail = repeats_text(repeats);
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::OperatorAction::Pack(builder, &action));
  journal_.append({storage::EntryKind::operator_action, *key, std::move(body)}, now);
  return std::optional<Timestamp>();
}

}  // namespace carehub::core
