#include "broker/app/preview.hpp"

#include <algorithm>

#include "broker/core/route.hpp"

namespace carehub::app {
namespace {

template <class Named>
const Named* named(const std::vector<Named>& list, const std::string& name, std::string Named::* member) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const Named& each) { return each.*member == name; });
  return found == list.end() ? nullptr : &*found;
}

std::size_t count_fields(const event::Event& event) {
  std::size_t count = 0;
  visit_fields(event, [&count](const std::string&, std::string_view) { ++count; });
  return count;
}

Result<DisclosurePreview> preview_disclosure(const server::HubConfig& config,
                                             const core::Subscription& subscription,
                                             const event::Event& event, Timestamp now) {
  using Verdict = DisclosurePreview::Verdict;
  DisclosurePreview preview;
  preview.subscription = subscription.name;
  preview.agency = subscription.agency;
  preview.role = subscription.role;
  const auto* channel = event.source_channel();
  if (!core::matches(subscription.filter, event,
                     channel == nullptr ? std::string_view() : channel->string_view()))
    return preview;
  preview.verdict = Verdict::withheld;
  const auto* agency = named(config.rules.agencies, subscription.agency, &core::Agency::id);
  // Of the child nothing is known but what the message says.
  const auto known = core::with_own({}, event, now);
  const auto* rule =
      agency == nullptr ? nullptr : config.policy.rule_for(subscription.role, *agency, event, known, now);
  if (rule == nullptr) return preview;
  static const storage::SecretKey pseudonyms_of_a_trial;
  auto view = core::redact(event, *rule, core::marks_of(event, known), pseudonyms_of_a_trial);
  if (!view) return tl::unexpected(view.error());
  preview.verdict = Verdict::shown;
  preview.rule = rule->name;
  preview.legal_basis = rule->legal_basis;
  preview.view = *std::move(view);
  const event::Event* shown = verified_event(preview.view);
  const std::size_t all = count_fields(event);
  preview.fields_withheld = all - std::min(all, shown == nullptr ? 0 : count_fields(*shown));
  return preview;
}

}  // namespace

Result<EventPreview> preview_event(const server::HubConfig& config, const std::string& channel,
                                   const event::Event& event, Timestamp now) {
  const auto* inbound = named(config.rules.inbound, channel, &core::InboundChannel::name);
  if (inbound == nullptr)
    return fail(ErrorKind::not_found, "no inbound channel has the name `" + channel + "`");
  const auto* agency = named(config.rules.agencies, inbound->agency, &core::Agency::id);
  EventPreview preview;
  preview.faults = core::check_event(event, now);
  auto not_its_type = core::type_fault(agency->id, agency->may_publish, event.type());
  if (not_its_type) {
    preview.faults.push_back(*std::move(not_its_type));
  } else if (core::scope_is_certain(preview.faults)) {
    preview.out_of_scope = core::out_of_scope(inbound->scope, event);
    if (preview.out_of_scope) {
      preview.faults.clear();
      return preview;
    }
  }
  if (!preview.faults.empty()) return preview;
  for (const auto& subscription : config.rules.subscriptions) {
    auto disclosure = preview_disclosure(config, subscription, event, now);
    if (!disclosure) return tl::unexpected(disclosure.error());
    preview.disclosures.push_back(*std::move(disclosure));
  }
  return preview;
}

}  // namespace carehub::app
