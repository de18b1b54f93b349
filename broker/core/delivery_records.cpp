#include "broker/core/delivery_records.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"

namespace carehub::core {
namespace {

using flatbuffers::FlatBufferBuilder;

/// Runs of numbers that follow each other.
std::vector<ledger::Range> ranges_of(std::vector<Sequence>& sequences) {
  std::sort(sequences.begin(), sequences.end());
  std::vector<ledger::Range> ranges;
  for (const auto sequence : sequences) {
    if (!ranges.empty() && ranges.back().last() + 1 == sequence) {
      ranges.back() = ledger::Range(ranges.back().first(), sequence);
    } else {
      ranges.emplace_back(sequence, sequence);
    }
  }
  return ranges;
}

}  // namespace

void DeliveryRecords::offered(const Pending& delivery, std::uint32_t attempt,
                              const std::string& legal_basis) {
  auto& runs =
      group_for(delivery.person, {legal_basis, delivery.policy_version, delivery.late, delivery.known}).runs;
  if (!runs.empty()) {
    auto& run = runs.back();
    if (run.last + 1 == delivery.sequence && run.attempt == attempt && run.person == delivery.person &&
        run.type == delivery.type && run.urgency == delivery.urgency) {
      run.last = delivery.sequence;
      return;
    }
  }
  runs.push_back(
      {delivery.sequence, delivery.sequence, attempt, delivery.person, delivery.type, delivery.urgency});
}

/// A child's events are written down in the order in which they were offered, whatever their legal basis: the
/// mark of a gap goes to the first of them.
DeliveryRecords::Group& DeliveryRecords::group_for(const PersonKey& person, OfferedUnder under) {
  const auto same = std::find_if(offered_.rbegin(), offered_.rend(),
                                 [&](const Group& group) { return group.under == under; });
  auto place = static_cast<std::size_t>(offered_.rend() - same);  // 0: there is none
  if (offered_.size() > 1 && place != 0) {
    const auto newest = newest_group_.find(person);
    if (newest != newest_group_.end() && newest->second >= place) place = 0;
  }
  if (place == 0) {
    offered_.push_back({std::move(under), {}});
    place = offered_.size();
  }
  if (place > 1) newest_group_[person] = place - 1;
  return offered_[place - 1];
}

void DeliveryRecords::withheld(Sequence sequence, std::uint64_t policy_version, const std::string& why) {
  withheld_[{policy_version, why}].push_back(sequence);
}

void DeliveryRecords::acked(Sequence sequence) { acked_.push_back(sequence); }

void DeliveryRecords::nacked(const Pending& delivery, ledger::NakKind kind, bool counted,
                             const std::string& code) {
  nacked_.push_back({delivery.sequence, kind, counted, delivery.attempt, code});
}

void DeliveryRecords::dead_letter(const Pending& delivery, const std::string& code) {
  dead_.push_back({delivery.sequence, delivery.attempt, code});
}

bool DeliveryRecords::empty() const {
  return offered_.empty() && withheld_.empty() && acked_.empty() && nacked_.empty() && dead_.empty();
}

void DeliveryRecords::write(const std::string& subscription, const std::string& role, const KeyId& key,
                            Journal& journal, Timestamp at) {
  using storage::EntryKind;
  FlatBufferBuilder builder;
  const auto append = [&](EntryKind kind, auto entry) {
    journal.append({kind, key, finish_body(builder, entry)}, at);
    builder.Clear();
  };
  if (!acked_.empty()) {
    const auto ranges = builder.CreateVectorOfStructs(ranges_of(acked_));
    append(EntryKind::acked, ledger::CreateAcked(builder, builder.CreateString(subscription), ranges));
  }
  if (!nacked_.empty()) {
    std::vector<flatbuffers::Offset<ledger::NackedItem>> items;
    items.reserve(nacked_.size());
    for (const auto& nack : nacked_) {
      items.push_back(ledger::CreateNackedItem(builder, nack.sequence, nack.kind, nack.counted, nack.attempt,
                                               builder.CreateString(nack.code)));
    }
    const auto packed = builder.CreateVector(items);
    append(EntryKind::nacked, ledger::CreateNacked(builder, builder.CreateString(subscription), packed));
  }
  for (const auto& dead : dead_) {
    const auto name = builder.CreateString(subscription);
    const auto code = builder.CreateString(dead.code);
    append(EntryKind::dead_letter,
           ledger::CreateDeadLetter(builder, name, dead.sequence, dead.attempts, code));
  }
  if (kFault == Fault::shows_watches_unrecorded && subscription.starts_with('~')) offered_.clear();
  for (const auto& [under, runs] : offered_) {
    const auto& [legal_basis, policy_version, marked, known] = under;
    const bool late = marked && kFault != Fault::offers_again_unmarked;
    std::vector<flatbuffers::Offset<ledger::OfferedRun>> packed;
    packed.reserve(runs.size());
    for (const auto& run : runs) {
      const ledger::Range range(run.first, run.last);
      const auto person = to_ledger(run.person);
      packed.push_back(
          ledger::CreateOfferedRun(builder, &range, run.attempt, &person, run.type, run.urgency));
    }
    const auto name = builder.CreateString(subscription);
    const auto as = builder.CreateString(role);
    const auto basis = builder.CreateString(legal_basis);
    const auto all = builder.CreateVector(packed);
    append(EntryKind::offered,
           ledger::CreateOffered(builder, name, as, policy_version, all, late, basis, known));
  }
  for (auto& [under, sequences] : withheld_) {
    const auto& [policy_version, why] = under;
    const auto name = builder.CreateString(subscription);
    const auto as = builder.CreateString(role);
    const auto rule = builder.CreateString(why);
    const auto ranges = builder.CreateVectorOfStructs(ranges_of(sequences));
    append(EntryKind::withheld, ledger::CreateWithheld(builder, name, as, policy_version, rule, ranges));
  }
  *this = DeliveryRecords();
}

}  // namespace carehub::core
