#include "broker/server/questions.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/wire_frames.hpp"

namespace carehub::server {

std::optional<Bytes> Questions::add(core::Ask ask) {
  const auto of_peer = std::count_if(waiting_.begin(), waiting_.end(), [&](const Waiting& each) {
    return each.ask.peer.connection == ask.peer.connection;
  });
  if (waiting_.size() >= kWaitingMax || static_cast<std::size_t>(of_peer) >= kPeerWaitingMax) {
    return core::refused_page(ask.query.number, ErrorKind::overloaded,
                              "too many questions wait; ask again when one has been answered");
  }
  waiting_.push_back({std::move(ask), nullptr});
  return std::nullopt;
}

std::optional<ConnectionId> Questions::advance(bool& answered) {
  const auto next = std::find_if(waiting_.begin(), waiting_.end(), [this](const Waiting& each) {
    return !backlog_.holds(each.ask.peer.connection);
  });
  answered = next != waiting_.end();
  if (!answered) return std::nullopt;
  if (next->search == nullptr) next->search = history_.search(next->ask);
  wire::PageT page;
  if (next->search != nullptr) {
    const auto done = next->search->advance();
    if (done && !*done) {
      // The others have their turn before its next part.
      waiting_.splice(waiting_.end(), waiting_, next);
      return std::nullopt;
    }
    page = care::History::page_of(*next->search, done, next->ask);
  } else if (TreeAnswers::answers(next->ask.query.kind)) {
    page = tree_.answer(next->ask.query);
    if (add_cosignatures_ && next->ask.query.kind == wire::QueryKind::checkpoint)
      add_cosignatures_(next->ask.query, page);
  } else {
    page = history_.answer(next->ask);
  }
  const core::Ask ask = std::move(next->ask);
  waiting_.erase(next);
  if (ask.query.kind == wire::QueryKind::report) {
    counted_.push_back({ask, std::move(page)});
    return std::nullopt;
  }
  const ConnectionId connection = ask.peer.connection;
  if (add_counts_ && ask.query.kind == wire::QueryKind::status && ask.peer.is_operator &&
      page.error == wire::ErrorKind::unknown) {
    add_counts_(page);
  }
  if (backlog_.send(connection, core::page_frame(page)) == Backlog::Outcome::taken) return std::nullopt;
  return connection;
}

Result<void> Questions::end_reports(core::Engine& engine, Timestamp now, core::Decision& out) {
  for (auto& each : std::exchange(counted_, {})) {
    if (auto ended = engine.end_report(each.ask, std::move(each.page), now, out); !ended) return ended;
  }
  return {};
}

void Questions::forget(ConnectionId connection) {
  waiting_.remove_if([connection](const Waiting& each) { return each.ask.peer.connection == connection; });
  std::erase_if(counted_,
                [connection](const Counted& each) { return each.ask.peer.connection == connection; });
}

}  // namespace carehub::server
