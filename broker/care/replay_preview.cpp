#include "broker/care/replay_preview.hpp"

#include <algorithm>

#include "broker/core/disclosure.hpp"
#include "broker/core/route.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kLooksOfPart = 8192;
constexpr std::size_t kEntriesMin = 16;
constexpr std::size_t kEntriesMax = 512;

}  // namespace

Result<void> ReplayPreview::count(const PastEvent& past) {
  std::optional<core::KnownChild> known;
  for (const auto& subscription : subscriptions_) {
    if (!past.mended_for.empty() && past.mended_for != subscription.name) continue;
    if (!core::matches(subscription.filter, *past.event, past.channel)) continue;
    if (!known) {
      auto read = past_->known_child(past, at_);
      if (!read) return tl::unexpected(read.error());
      known = std::move(*read);
    }
    const auto* rule = past_->policy().rule_for(subscription.role, past_->agency_of(subscription.agency),
                                                *past.event, *known, at_);
    if (rule != nullptr && core::looks_at_view(subscription)) {
      const auto view = past_->view(past, *rule, *known);
      if (!view || !core::matches_view(subscription.filter, *event::GetEvent(view->data()), past.channel))
        continue;
    }
    const bool shown = rule != nullptr;
    auto& count = counts_[{subscription.name, past.event->type()}];
    ++(shown ? count.matched : count.withheld);
  }
  return {};
}

void ReplayPreview::count(event::EventType type, bool shown) {
  auto& count = counts_[{std::string(), type}];
  ++(shown ? count.matched : count.withheld);
}

std::vector<std::unique_ptr<wire::ReplayCountT>> ReplayPreview::counts() const {
  std::vector<std::unique_ptr<wire::ReplayCountT>> made;
  for (const auto& [who_and_what, count] : counts_) {
    auto one = std::make_unique<wire::ReplayCountT>();
    one->subscription = who_and_what.first;
    one->type = who_and_what.second;
    one->matched = count.matched;
    one->withheld = count.withheld;
    made.push_back(std::move(one));
  }
  return made;
}

std::size_t ReplayPreview::entries_max() const {
  return std::clamp(kLooksOfPart / (subscriptions_.size() + 1), kEntriesMin, kEntriesMax);
}

}  // namespace carehub::care
