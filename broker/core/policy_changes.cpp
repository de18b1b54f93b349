#include "broker/core/policy_changes.hpp"

#include "broker/base/ledger_keys.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

constexpr std::size_t kNamedMax = 16;

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

bool is_longer(const flatbuffers::String* text, std::size_t bytes_max) {
  return text != nullptr && text->size() > bytes_max;
}

}  // namespace

std::optional<PolicyChanges::Refusal> PolicyChanges::fault_of(const Peer& peer,
                                                              const wire::ChangePolicy& frame) const {
  if (!peer.is_operator)
    return Refusal{ErrorKind::denied, "only an operator's connection changes the policy"};
  for (const auto* text : {frame.by(), frame.reason(), frame.file()}) {
    if (is_longer(text, limits::kErrorTextBytesMax))
      return Refusal{ErrorKind::invalid, "a text of the frame is too long"};
  }
  if (is_longer(frame.text(), kPolicyTextBytesMax)) {
    return Refusal{ErrorKind::invalid,
                   "a policy has at most " + std::to_string(kPolicyTextBytesMax) + " bytes"};
  }
  if (text_of(frame.by()).empty()) return Refusal{ErrorKind::invalid, "say who asks: it is recorded"};
  if (text_of(frame.reason()).empty()) return Refusal{ErrorKind::invalid, "say the reason: it is recorded"};
  const auto version = disclosure_.current().version();
  if (frame.expected_version() == version) return std::nullopt;
  return Refusal{ErrorKind::conflict, "policy " + std::to_string(version) +
                                          " decides by now, which is not the one that was looked at: look "
                                          "again at what would change"};
}

/// Subscriptions whose role the policy that decides has and this one has not: nothing would reach them, and
/// nobody would be told.
std::optional<PolicyChanges::Refusal> PolicyChanges::orphans_of(const Policy& policy) const {
  std::string names;
  std::size_t count = 0;
  for (const auto& delivery : deliveries_.all()) {
    const auto& subscription = delivery->subscription();
    if (delivery->watch() || policy.has_role(subscription.role)) continue;
    if (!disclosure_.current().has_role(subscription.role)) continue;
    if (++count > kNamedMax) continue;
    names += (count == 1 ? "" : ", ") + subscription.name + " (role " + subscription.role + ")";
  }
  if (count == 0) return std::nullopt;
  if (count > kNamedMax) names += " and " + std::to_string(count - kNamedMax) + " more";
  return Refusal{ErrorKind::conflict, "no rule would be left for the role of these subscriptions: " + names +
                                          ". Keep a rule for it, or remove the subscription first"};
}

Result<Sequence> PolicyChanges::record(const Peer& peer, const wire::ChangePolicy& frame, Timestamp now) {
  auto key = context_.day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::PolicyChangedT entry;
  entry.text = text_of(frame.text());
  entry.by = asker(peer, text_of(frame.by()));
  entry.reason = text_of(frame.reason());
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::PolicyChanged::Pack(builder, &entry));
  return context_.journal.append({storage::EntryKind::policy_changed, *key, std::move(body)}, now);
}

Result<void> PolicyChanges::handle(const Peer& peer, const wire::ChangePolicy& frame, Timestamp now,
                                   Decision& out) {
  const auto refuse = [&](const Refusal& refusal) {
    out.sends.push_back({peer.connection, handled_frame(frame.number(), refusal.kind, refusal.why, 0)});
    return refused_.add(peer, Wish{"change policy", {}, frame.by(), frame.reason()}, refusal.why, now);
  };
  if (const auto refusal = fault_of(peer, frame)) return refuse(*refusal);
  const auto text = text_of(frame.text());
  const auto file = text_of(frame.file());
  auto policy = Disclosure::parse_policy(text, file, 0);
  if (!policy) return refuse({ErrorKind::invalid, policy.error().text});
  if (policy->rules().empty()) {
    return refuse({ErrorKind::invalid, "the policy has no rule: nobody would be shown anything any more"});
  }
  if (const auto refusal = orphans_of(*policy)) return refuse(*refusal);
  if (frame.preview()) {
    out.sends.push_back({peer.connection, handled_frame(frame.number(), std::nullopt, "", 0)});
    return {};
  }
  auto version = record(peer, frame, now);
  if (!version) return tl::unexpected(version.error());
  // A policy's version is the sequence of the entry that brought it in.
  policy = Disclosure::parse_policy(text, file, *version);
  if (!policy) return tl::unexpected(policy.error());
  out.policies.push_back(std::make_shared<const Policy>(*policy));
  disclosure_.add_policy(std::move(*policy));
  out.sends.push_back({peer.connection, handled_frame(frame.number(), std::nullopt, "", *version)});
  return {};
}

}  // namespace carehub::core
