#include "broker/app/long_question.hpp"

#include <memory>
#include <ostream>

#include "broker/app/replay_queue.hpp"

namespace carehub::app {
namespace {

constexpr std::chrono::milliseconds kTurn{200};

void show_progress(const wire::BackedUpT& told, std::ostream& err) {
  if (told.text.empty()) return;
  err << told.text << ": " << told.done << " of " << told.all << " ("
      << (told.all == 0 ? 100 : told.done * 100 / told.all) << " %)" << std::endl;
}

template <class Frame>
Result<Frame> ended(client::HubClient& hub, client::Question question, const std::string& stopped,
                    Surroundings& surroundings) {
  const auto replies = std::make_shared<ReplayQueue>();
  auto asked = hub.ask(std::move(question),
                       [replies](Result<client::Reply> reply) { replies->push(std::move(reply)); });
  if (!asked) return tl::unexpected(asked.error());
  for (;;) {
    if (surroundings.stopped_within(std::chrono::milliseconds(0)))
      return fail(ErrorKind::unavailable, stopped);
    auto reply = replies->pop(kTurn);
    if (!reply) continue;
    const auto* told = *reply ? std::get_if<wire::BackedUpT>(&**reply) : nullptr;
    if (told != nullptr && !told->last) {
      show_progress(*told, surroundings.err);
      continue;
    }
    if (!*reply) return fail((*reply).error().kind, (*reply).error().text);
    auto* frame = std::get_if<Frame>(&**reply);
    if (frame == nullptr)
      return fail(ErrorKind::invalid, "the hub answered with another frame than was asked for");
    return std::move(*frame);
  }
}

}  // namespace

Result<wire::BackedUpT> ask_long(client::HubClient& hub, wire::BackupT question, const std::string& stopped,
                                 Surroundings& surroundings) {
  return ended<wire::BackedUpT>(hub, std::move(question), stopped, surroundings);
}

Result<wire::ErasedT> ask_long(client::HubClient& hub, wire::EraseT question, const std::string& stopped,
                               Surroundings& surroundings) {
  return ended<wire::ErasedT>(hub, std::move(question), stopped, surroundings);
}

}  // namespace carehub::app
