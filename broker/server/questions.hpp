#pragma once

#include <functional>
#include <list>
#include <optional>

#include "broker/care/history.hpp"
#include "broker/server/backlog.hpp"
#include "broker/server/tree_answers.hpp"

namespace carehub::server {

/// Questions that wait for their answer, one at a time and only as fast as each asker reads: no reader of
/// history holds up the deliveries.
class Questions {
 public:
  /// `add_counts` adds rows to the page that an operator gets who asks how the hub is;
  /// `add_cosignatures` adds what witnesses said to the page that answers a question for the checkpoint.
  Questions(const care::History& history, const storage::Ledger& ledger, Backlog& backlog,
            std::function<void(wire::PageT& page)> add_counts = {},
            std::function<void(const wire::QueryT& query, wire::PageT& page)> add_cosignatures = {})
      : history_(history),
        tree_(ledger),
        backlog_(backlog),
        add_counts_(std::move(add_counts)),
        add_cosignatures_(std::move(add_cosignatures)) {}

  /// A page that says no when there are too many, else nullopt.
  std::optional<Bytes> add(core::Ask ask);

  /// Answers one question whose asker has room, or looks at one part of the ledger for it. A connection that
  /// is gone, or over the backlog's bound, is returned. `answered` is whether there was one.
  std::optional<ConnectionId> advance(bool& answered);

  /// Has the engine write down and answer with the figures of a report that were brought together since.
  Result<void> end_reports(core::Engine& engine, Timestamp now, core::Decision& out);

  void forget(ConnectionId connection);

  static constexpr std::size_t kWaitingMax = 256;
  static constexpr std::size_t kPeerWaitingMax = 4;

 private:
  const care::History& history_;
  TreeAnswers tree_;
  Backlog& backlog_;
  std::function<void(wire::PageT& page)> add_counts_;
  std::function<void(const wire::QueryT& query, wire::PageT& page)> add_cosignatures_;
  struct Waiting {
    core::Ask ask;
    std::unique_ptr<care::PastSearch> search;  // once it has begun, where the answer is looked for in parts
  };
  std::list<Waiting> waiting_;  // in the order of their turns
  struct Counted {
    core::Ask ask;
    wire::PageT page;
  };
  std::vector<Counted> counted_;  // reports that the engine has not seen yet
};

}  // namespace carehub::server
